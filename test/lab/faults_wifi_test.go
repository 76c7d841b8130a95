//go:build lab

package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/central"
)

var wifiUp = event("wifi-usable")

// noWifi matches the line that names what keeps Wi-Fi from being used.
func noWifi(culprit string) []string {
	return event("wifi-unusable", "PRIORITY=4", "MESSAGE~"+culprit)
}

// meddled matches the line that tells that another program changed the networks of wpa_supplicant,
// and what came of it.
func meddled(matches []string) []string {
	return slices.Concat(matches, []string{"MESSAGE~another program"})
}

var wifiFaults = []fault{
	{name: "wpa_supplicant restarted", do: restart(supplicantd), broken: noWifi("wpa_supplicant"), over: wifiUp, drops: true, short: elsewhere},
	{name: "wpa_supplicant killed", do: kill(supplicantd), broken: noWifi("wpa_supplicant"), over: wifiUp, drops: true,
		short: []central.Status{idle, connecting, connected}},
	{name: "wpa_supplicant hangs for 20 s", do: hang(supplicantd), mend: resume(supplicantd),
		broken: noWifi("wpa_supplicant"), over: wifiUp, long: true},
	{name: "wpa_supplicant restarted 20 times in a row", do: inARow(supplicantd, restart), broken: noWifi(""), over: wifiUp, many: true, long: true, drops: true},
	{name: "wpa_supplicant killed 20 times in a row", do: inARow(supplicantd, kill), broken: noWifi(""), over: wifiUp, many: true, long: true, drops: true, states: onlyConnected},
	{name: "Wi-Fi interface removed and added", do: func(g *gateway) { savePhy(g.t); run(g.t, "iw", "dev", wlan, "del") },
		mend:   func(g *gateway) { run(g.t, "iw", "phy", savedPhy, "interface", "add", wlan, "type", "managed") },
		broken: noWifi(wlan), over: wifiUp, drops: true},
	{name: "Wi-Fi interface set down", do: func(g *gateway) { run(g.t, "ip", "link", "set", wlan, "down") },
		mend:   func(g *gateway) { run(g.t, "ip", "link", "set", wlan, "up") },
		broken: noWifi(wlan), over: wifiUp, drops: true},
	{name: "Wi-Fi blocked by rfkill", do: func(g *gateway) { rfkill(g.t, wifiSwitch, true) },
		mend:   func(g *gateway) { rfkill(g.t, wifiSwitch, false) },
		broken: noWifi("rfkill"), over: wifiUp, drops: true},
	{name: "network removed by another program", do: removeNetwork, states: []central.Status{connecting}, short: []central.Status{connecting},
		broken: meddled(event("network-restored", "PRIORITY=4")), over: back},
	{name: "network removed by another program", do: removeNetwork, states: []central.Status{connected},
		broken: meddled(lost), over: back, drops: true},
	{name: "another program selects its own network", do: selectOther, after: otherOff, states: []central.Status{connected},
		broken: meddled(lost), over: back, drops: true},
	{name: "another program selects its own network", do: selectOther, after: otherOff, states: []central.Status{connecting}, short: []central.Status{connecting},
		broken: meddled(event("network-restored", "PRIORITY=4")), over: back, drops: true},
	{name: "NetworkManager takes the interface", do: networkManager, mend: handOver, after: noManager,
		// It sets the interface down and up before it has its name on the bus, which may be told by itself.
		broken: noWifi("NetworkManager"), over: wifiUp, drops: true, many: true},
}

// savedPhy is the gateway's radio, which stays when its interface goes.
var savedPhy string

func savePhy(t testing.TB) {
	t.Helper()
	name, err := os.ReadFile("/sys/class/net/" + wlan + "/phy80211/name")
	if err != nil {
		t.Fatal(err)
	}
	savedPhy = strings.TrimSpace(string(name))
}

// supplicant calls a method of wpa_supplicant's object for the gateway's interface, as another
// program may.
func supplicant(t testing.TB, method string, args []any, results ...any) {
	t.Helper()
	if err := supplicantCall(t, method, args, results...); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
}

func supplicantCall(t testing.TB, method string, args []any, results ...any) error {
	t.Helper()
	var path dbus.ObjectPath
	conn := bus(t)
	const name = "fi.w1.wpa_supplicant1"
	err := conn.Object(name, "/fi/w1/wpa_supplicant1").Call(name+".GetInterface", 0, wlan).Store(&path)
	if err == nil {
		err = conn.Object(name, path).Call(name+".Interface."+method, 0, args...).Store(results...)
	}
	return err
}

// networks returns the networks that wpa_supplicant has for the interface.
func networks(t testing.TB) []dbus.ObjectPath {
	t.Helper()
	var path dbus.ObjectPath
	conn := bus(t)
	const name = "fi.w1.wpa_supplicant1"
	if err := conn.Object(name, "/fi/w1/wpa_supplicant1").Call(name+".GetInterface", 0, wlan).Store(&path); err != nil {
		return nil
	}
	value, err := conn.Object(name, path).GetProperty(name + ".Interface.Networks")
	if err != nil {
		return nil
	}
	list, _ := value.Value().([]dbus.ObjectPath)
	return list
}

func removeNetwork(g *gateway) {
	waitFor(g.t, "a network in wpa_supplicant", patience, func() error {
		if len(networks(g.t)) == 0 {
			return errors.New("none")
		}
		return nil
	})
	supplicant(g.t, "RemoveNetwork", []any{networks(g.t)[0]})
}

// selectOther joins another network with wpa_supplicant, behind the daemon's back.
func selectOther(g *gateway) {
	other := AP{SSID: "of another program", Passphrase: "another passphrase", Security: faultHome.Security, Channel: 6}
	radio(2).play(g.t, other)
	radio(2).on(g.t)
	var path dbus.ObjectPath
	supplicant(g.t, "AddNetwork", []any{map[string]dbus.Variant{
		"ssid": dbus.MakeVariant(other.SSID), "psk": dbus.MakeVariant(other.Passphrase),
	}}, &path)
	supplicant(g.t, "SelectNetwork", []any{path})
}

// networkManager starts NetworkManager without the drop-in that makes it leave the interface alone.
func networkManager(g *gateway) {
	if err := errors.Join(os.MkdirAll(filepath.Dir(noDropIn), 0o755), os.WriteFile(noDropIn, nil, 0o644)); err != nil {
		g.t.Fatal(err)
	}
	systemctl(g.t, "start", "NetworkManager")
}

func noManager(g *gateway) {
	systemctl(g.t, "stop", "NetworkManager")
	// It keeps what nmcli has set until the next boot.
	if err := errors.Join(os.Remove(noDropIn), os.RemoveAll("/run/NetworkManager/devices")); err != nil {
		g.t.Error(err)
	}
}

// noDropIn hides the installed file of this name.
const noDropIn = "/etc/NetworkManager/conf.d/wifiprovd.conf"

func handOver(g *gateway) {
	// As the journal's line advises.
	run(g.t, "nmcli", "device", "set", wlan, "managed", "no")
	waitFor(g.t, "handed over", patience, func() error {
		state, err := try("nmcli", "-g", "GENERAL.STATE", "device", "show", wlan)
		if err == nil && !strings.Contains(state, "unmanaged") {
			err = fmt.Errorf("it is %s", state)
		}
		return err
	})
}
