//go:build lab

package lab

import (
	"fmt"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// TestRoaming moves a gateway from one access point of its network to the other, and back: phones
// and the D-Bus interface show the one that it is at, and the status stays.
func TestRoaming(t *testing.T) {
	home := AP{SSID: "two rooms", Security: wifi.WPA2PSK, Passphrase: "a passphrase of two rooms", Channel: 1}
	other := home
	other.Channel = 6
	g := start(t, situation{aps: []AP{home, other}})
	p := ready(t, true)
	p.provision(home.SSID, home.Passphrase, wifi.AutoDetect)
	p.expect(central.StatusConnecting, central.StatusConnected)
	g.becomes(central.StatusConnected)
	to := radio(1)
	if to.lists(wifiAddress(t)) == nil {
		to = radio(2)
	}
	for _, to := range []radio{to, 3 - to} {
		roam(t, to)
		g.event("roamed", "WIFIPROVD_BSSID="+to.bssid(t))
		propertiesAre(t, map[string]string{
			"BSSID":     fmt.Sprintf("s %q", to.bssid(t)),
			"Frequency": fmt.Sprintf("u %d", to.frequencyMHz(home, other)),
			"Status":    `s "CONNECTED"`,
		})
		var n network
		if p.readJSON(central.NetworkUUID, &n); n.BSSID != to.bssid(t) || n.Frequency != to.frequencyMHz(home, other) {
			t.Errorf("the network is %+v, and the access point %s", n, to.bssid(t))
		}
	}
	if len(p.statuses) > 0 {
		t.Errorf("a status was notified: % x", <-p.statuses)
	}
	g.stores(&home)
}

// frequencyMHz returns where the radio is, which plays one of aps.
func (r radio) frequencyMHz(aps ...AP) int { return 2407 + 5*aps[r-1].Channel }

// roam makes wpa_supplicant move to another access point of its network.
func roam(t testing.TB, to radio) {
	t.Helper()
	waitFor(t, "roaming to "+to.iface(), patience, func() error {
		if err := supplicantCall(t, "Roam", []any{to.bssid(t)}); err != nil {
			// It may not have heard the access point yet.
			_ = supplicantCall(t, "Scan", []any{map[string]dbus.Variant{"Type": dbus.MakeVariant("active")}})
			return err
		}
		return nil
	})
	waitFor(t, "a station of "+to.iface(), patience, func() error { return to.lists(wifiAddress(t)) })
}
