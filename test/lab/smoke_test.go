//go:build lab

package lab

import (
	"fmt"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// TestLabAccessPoints checks the lab itself: without wifiprovd, wpa_supplicant joins each kind of
// access point, and DHCP gives an address.
func TestLabAccessPoints(t *testing.T) {
	withoutManager(t)
	for _, ap := range []AP{
		{SSID: "lab open", Security: wifi.Open},
		{SSID: "lab wpa2", Security: wifi.WPA2PSK, Passphrase: "lab passphrase"},
		{SSID: "lab sha256", Security: wifi.WPA2PSKSHA256, Passphrase: "lab passphrase"},
		{SSID: "lab sae", Security: wifi.WPA3SAE, Passphrase: "lab passphrase"},
		{SSID: "lab transition", Security: wifi.WPAAutoPersonal, Passphrase: "lab passphrase"},
		{SSID: "lab hidden", Security: wifi.WPA2PSK, Passphrase: "lab passphrase", Hidden: true},
	} {
		t.Run(ap.SSID, func(t *testing.T) {
			g := start(t, situation{aps: []AP{ap}, stopped: true})
			begin := time.Now()
			took := bareJoin(t, ap)
			waitFor(t, "joined with an address", patience, func() error { return g.online(1) })
			t.Logf("completed after %s, address after %s", took.Round(time.Millisecond), time.Since(begin).Round(time.Millisecond))
		})
	}
}

// bareJoin joins an access point with AddNetwork and SelectNetwork alone and returns how long
// wpa_supplicant took to the state completed.
func bareJoin(t testing.TB, ap AP) time.Duration {
	t.Helper()
	const service = "fi.w1.wpa_supplicant1"
	var path, network dbus.ObjectPath
	args := map[string]dbus.Variant{"Ifname": dbus.MakeVariant(wlan)}
	if err := bus(t).Object(service, "/fi/w1/wpa_supplicant1").Call(service+".CreateInterface", 0, args).Store(&path); err != nil {
		t.Fatalf("create interface: %v", err)
	}
	iface := bus(t).Object(service, path)
	begin := time.Now()
	if err := iface.Call(service+".Interface.AddNetwork", 0, bareNetwork(ap)).Store(&network); err != nil {
		t.Fatalf("add network: %v", err)
	}
	if err := iface.Call(service+".Interface.SelectNetwork", 0, network).Err; err != nil {
		t.Fatalf("select network: %v", err)
	}
	waitFor(t, "wpa_supplicant's completed", patience, func() error { return wpaCompleted(t) })
	return time.Since(begin)
}

// wpaCompleted returns nil if wpa_supplicant's state is completed.
func wpaCompleted(t testing.TB) error {
	const service = "fi.w1.wpa_supplicant1"
	var path dbus.ObjectPath
	if err := bus(t).Object(service, "/fi/w1/wpa_supplicant1").Call(service+".GetInterface", 0, wlan).Store(&path); err != nil {
		return err
	}
	state, err := bus(t).Object(service, path).GetProperty(service + ".Interface.State")
	if err == nil && state.Value() != "completed" {
		err = fmt.Errorf("state %v", state)
	}
	return err
}

// bareNetwork returns the arguments of AddNetwork for an access point.
func bareNetwork(ap AP) map[string]dbus.Variant {
	args := map[string]any{"ssid": []byte(ap.SSID), "scan_ssid": int32(1)}
	switch ap.Security {
	case wifi.Open:
		args["key_mgmt"] = "NONE"
	case wifi.WPA2PSK:
		args["key_mgmt"] = "WPA-PSK"
	case wifi.WPA2PSKSHA256:
		args["key_mgmt"], args["ieee80211w"] = "WPA-PSK-SHA256", int32(1)
	case wifi.WPA3SAE:
		args["key_mgmt"], args["ieee80211w"] = "SAE", int32(2)
	case wifi.WPAAutoPersonal:
		args["key_mgmt"], args["ieee80211w"] = "WPA-PSK WPA-PSK-SHA256 SAE", int32(1)
	}
	if ap.Passphrase != "" {
		args["psk"] = ap.Passphrase
	}
	variants := map[string]dbus.Variant{}
	for key, value := range args {
		variants[key] = dbus.MakeVariant(value)
	}
	return variants
}
