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
		bssid, frequency := to.bssid(t), 2407+5*[]AP{home, other}[to-1].Channel
		waitFor(t, bssid+" on D-Bus", patience, func() error {
			out, err := asNobody(busctl("get-property", "BSSID", "Frequency", "Status")...)
			if want := fmt.Sprintf("s %q\nu %d\ns \"CONNECTED\"\n", bssid, frequency); err == nil && out != want {
				err = fmt.Errorf("it is %s", out)
			}
			return err
		})
		waitFor(t, bssid+" on the phone", patience, func() error {
			var n network
			if p.readJSON(central.NetworkUUID, &n); n.BSSID != bssid || n.Frequency != frequency {
				return fmt.Errorf("it is %+v", n)
			}
			return nil
		})
	}
	if len(p.statuses) > 0 {
		t.Errorf("a status was notified: % x", <-p.statuses)
	}
	g.stores(&home)
}

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
