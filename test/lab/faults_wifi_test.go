//go:build lab

package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/central"
)

const (
	noWifi = "Wi-Fi cannot be used: "
	wifiUp = "Wi-Fi can be used"
)

var wifiFaults = []fault{
	{name: "wpa_supplicant restarted", do: restart(supplicantd), broken: noWifi + "wpa_supplicant", over: wifiUp, drops: true, short: elsewhere},
	{name: "wpa_supplicant killed", do: kill(supplicantd), broken: noWifi + "wpa_supplicant has ended", over: wifiUp, drops: true,
		short: []central.Status{idle, connecting, connected}},
	{name: "wpa_supplicant hangs for 20 s", do: hang(supplicantd), mend: resume(supplicantd),
		broken: noWifi + "wpa_supplicant does not answer", over: wifiUp, long: true},
	{name: "wpa_supplicant restarted 20 times in a row", do: inARow(supplicantd, restart), broken: noWifi, over: wifiUp, many: true, long: true, drops: true},
	{name: "wpa_supplicant killed 20 times in a row", do: inARow(supplicantd, kill), broken: noWifi, over: wifiUp, many: true, long: true, drops: true, states: onlyConnected},
	{name: "Wi-Fi interface removed and added", do: func(g *gateway) { savePhy(g.t); run(g.t, "iw", "dev", wlan, "del") },
		mend:   func(g *gateway) { run(g.t, "iw", "phy", savedPhy, "interface", "add", wlan, "type", "managed") },
		broken: noWifi + "there is no network interface " + wlan, over: wifiUp, drops: true},
	{name: "Wi-Fi interface set down", do: func(g *gateway) { run(g.t, "ip", "link", "set", wlan, "down") },
		mend:   func(g *gateway) { run(g.t, "ip", "link", "set", wlan, "up") },
		broken: noWifi + wlan + " is down", over: wifiUp, drops: true},
	{name: "Wi-Fi blocked by rfkill", do: func(g *gateway) { rfkill(g.t, wifiSwitch, true) },
		mend:   func(g *gateway) { rfkill(g.t, wifiSwitch, false) },
		broken: noWifi + "Wi-Fi is blocked by rfkill", over: wifiUp, drops: true},
	{name: "network removed by another program", do: removeNetwork, states: []central.Status{connecting}, short: []central.Status{connecting},
		broken: "another program removed the network from wpa_supplicant; ours is added again", over: "status -> CONNECTED"},
	{name: "network removed by another program", do: removeNetwork, states: []central.Status{connected},
		broken: "status -> PROVISIONED (1): another program removed the network", over: "status -> CONNECTED", drops: true},
	{name: "another program selects its own network", do: selectOther, after: otherOff, states: []central.Status{connected},
		broken: "status -> PROVISIONED (1): another program selected its own network", over: "status -> CONNECTED", drops: true},
	{name: "another program selects its own network", do: selectOther, after: otherOff, states: []central.Status{connecting}, short: []central.Status{connecting},
		broken: "another program selected its own network; ours is added again", over: "status -> CONNECTED", drops: true},
	{name: "NetworkManager takes the interface", do: networkManager, mend: handOver, after: noManager,
		// It sets the interface down and up before it has its name on the bus, which may be told apart.
		broken: noWifi + "NetworkManager manages " + wlan, over: wifiUp, drops: true, many: true},
}

// savedPhy is the gateway's radio. Its number stays when the interface goes.
var savedPhy string

func savePhy(t testing.TB) {
	t.Helper()
	name, err := os.ReadFile("/sys/class/net/" + wlan + "/phy80211/name")
	if err != nil {
		t.Fatal(err)
	}
	savedPhy = strings.TrimSpace(string(name))
}

// supplicant calls a method of wpa_supplicant's object for the gateway's interface,
// as another program may.
func supplicant(t testing.TB, method string, args []any, results ...any) {
	t.Helper()
	var path dbus.ObjectPath
	conn := bus(t)
	const name = "fi.w1.wpa_supplicant1"
	err := conn.Object(name, "/fi/w1/wpa_supplicant1").Call(name+".GetInterface", 0, wlan).Store(&path)
	if err == nil {
		err = conn.Object(name, path).Call(name+".Interface."+method, 0, args...).Store(results...)
	}
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
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

// networkManager runs NetworkManager without the drop-in that makes it leave the
// interface alone.
func networkManager(g *gateway) {
	if err := errors.Join(os.MkdirAll(filepath.Dir(noDropIn), 0o755), os.WriteFile(noDropIn, nil, 0o644)); err != nil {
		g.t.Fatal(err)
	}
	systemctl(g.t, "start", "NetworkManager")
}

func noManager(g *gateway) {
	systemctl(g.t, "stop", "NetworkManager")
	// It remembers what it was told until the next boot.
	if err := errors.Join(os.Remove(noDropIn), os.RemoveAll("/run/NetworkManager/devices")); err != nil {
		g.t.Error(err)
	}
}

// noDropIn hides the installed file of this name.
const noDropIn = "/etc/NetworkManager/conf.d/wifiprovd.conf"

func handOver(g *gateway) {
	// What the journal's line says.
	run(g.t, "nmcli", "device", "set", wlan, "managed", "no")
	waitFor(g.t, "handed over", patience, func() error {
		state, err := try("nmcli", "-g", "GENERAL.STATE", "device", "show", wlan)
		if err == nil && !strings.Contains(state, "unmanaged") {
			err = fmt.Errorf("it is %s", state)
		}
		return err
	})
}
