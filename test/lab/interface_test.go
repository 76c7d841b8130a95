//go:build lab

package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/control"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// hotspot makes wlan0 the interface of an access point until the test ends: its type alone counts.
func hotspot(t testing.TB) {
	t.Helper()
	become := func(kind string) {
		run(t, "ip", "link", "set", wlan, "down")
		run(t, "iw", "dev", wlan, "set", "type", kind)
	}
	become("__ap")
	t.Cleanup(func() {
		systemctl(t, "stop", unit)
		become("managed")
	})
}

// stick is a radio that is plugged into the gateway: that of the third access point, which is off.
type stick struct {
	t   testing.TB
	phy string
}

// plug plugs it in until the test ends. Its interface is called wlan3.
func plug(t testing.TB) stick {
	t.Helper()
	radio(3).off(t)
	name := run(t, "ip", "netns", "exec", "ap", "cat", "/sys/class/net/wlan3/phy80211/name") // of that namespace
	s := stick{t, strings.TrimSpace(name)}
	run(t, "ip", "netns", "exec", "ap", "iw", "phy", s.phy, "set", "netns", "1")
	t.Cleanup(func() {
		systemctl(t, "stop", unit)
		s.becomes("wlan3")
		run(t, "iw", "phy", s.phy, "set", "netns", "name", "ap")
	})
	return s
}

// becomes gives the stick another interface in place of the one that it has, as after it was
// plugged in anew.
func (s stick) becomes(name string) {
	s.t.Helper()
	folders, err := filepath.Glob("/sys/class/ieee80211/" + s.phy + "/device/net/*")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, folder := range folders {
		run(s.t, "iw", "dev", filepath.Base(folder), "del")
	}
	run(s.t, "iw", "phy", s.phy, "interface", "add", name, "type", "managed")
}

// told waits until the daemon tells this interface and, unless it is empty, this address.
func (g *gateway) told(name, address string) {
	g.t.Helper()
	waitFor(g.t, "status with "+name+" "+address, patience, func() error {
		s, err := control.Read(g.t.Context(), "")
		if err == nil && (s.WifiInterface != name || address != "" && !strings.HasPrefix(s.IPv4, address)) {
			err = fmt.Errorf("it is on %q, with %q", s.WifiInterface, s.IPv4)
		}
		return err
	})
	if _, results := examined(g.t); results["interface"].Verdict != "ok" || !strings.HasPrefix(results["interface"].Message, name+" ") {
		g.t.Errorf("doctor says %+v", results["interface"])
	}
}

// finds is the story of an interface that wifi.interface: auto finds: a hotspot is passed over, the
// right one appears after the start, and comes back under another name. backend has to
// be the one that keeps the networks; addressed has the interface of a name get an address.
func (g *gateway) finds(home AP, backend string, addressed func(name string)) {
	t := g.t
	hotspot(t)
	g.start()
	g.event("wifi-unusable", "MESSAGE~wlan0 is an access point")
	if _, results := examined(t); results["interface"].Verdict != "wrong" || !strings.Contains(results["interface"].Message, "wlan0 is an access point") {
		t.Errorf("doctor says %+v", results["interface"])
	}
	s := plug(t)
	g.event("interface", "WIFIPROVD_INTERFACE=wlan3", "MESSAGE~wlan0 is an access point")
	g.event("wifi-usable", "WIFIPROVD_INTERFACE=wlan3", "WIFIPROVD_BACKEND="+backend)
	p := ready(t, true)
	p.provision(home.SSID, home.Passphrase, wifi.AutoDetect)
	p.expect(central.StatusConnecting, central.StatusConnected)
	p.leave()
	addressed("wlan3")
	g.told("wlan3", "192.0.2.")

	g.from = g.journal.mark(t, "another name")
	s.becomes("wlx3")
	g.event("interface", "WIFIPROVD_INTERFACE=wlx3")
	g.event("wifi-usable", "WIFIPROVD_INTERFACE=wlx3", "WIFIPROVD_BACKEND="+backend)
	g.becomes(central.StatusConnected)
	addressed("wlx3")
	g.told("wlx3", "192.0.2.")
}

// TestInterfaceAuto: the interface is found, with wpa_supplicant.
func TestInterfaceAuto(t *testing.T) {
	home := AP{SSID: "found by itself", Security: wifi.WPA2PSK, Passphrase: "passphrase found by itself"}
	g := start(t, situation{aps: []AP{home}, stopped: true})
	g.finds(home, "wpa_supplicant", func(name string) { run(t, "ip", "address", "add", "192.0.2.77/24", "dev", name) })
}

// TestInterfaceAutoManaged: the same with NetworkManager.
func TestInterfaceAutoManaged(t *testing.T) {
	home := AP{SSID: "found and managed", Security: wifi.WPA2PSK, Passphrase: "passphrase found and managed"}
	manager.use(t)
	if managedRun {
		t.Cleanup(func() { manager.leave(t) }) // for the next test it is to manage what it did
	}
	g := start(t, situation{aps: []AP{home}, stopped: true})
	if err := os.WriteFile(managerConf, []byte("[keyfile]\nunmanaged-devices=*,except:interface-name:wl?3,except:interface-name:wlan3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	systemctl(t, "restart", managerd)
	g.finds(home, "networkmanager", func(string) {})
	if out := run(t, "nmcli", "-g", "NAME", "connection", "show"); strings.Count(out, "wifiprovd") != 1 {
		t.Errorf("NetworkManager has the profiles\n%s", out)
	}
}

// TestDropIn: what a drop-in says counts, and a broken one is a broken configuration.
func TestDropIn(t *testing.T) {
	g := start(t, situation{config: map[string]string{"bluetooth.name": "from the main file"}, stopped: true})
	const folder = configFile + ".d"
	t.Cleanup(func() { _ = errors.Join(os.Remove(folder+"/10-maker.yaml"), os.Remove(folder+"/20-owner.yaml")) })
	err := errors.Join(os.MkdirAll(folder, 0o755),
		os.WriteFile(folder+"/10-maker.yaml", []byte("bluetooth:\n  name: from the maker\n  security: none\n"), 0o644),
		os.WriteFile(folder+"/20-owner.yaml", []byte("bluetooth:\n  name: from the owner\n"), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	if out := run(t, "wifiprovd", "-check"); strings.Count(out, " is valid\n") != 3 {
		t.Errorf("wifiprovd -check prints\n%s", out)
	}
	g.start()
	g.event("starting", "MESSAGE~none, with "+folder+"/10-maker.yaml, "+folder+"/20-owner.yaml")
	g.event("advertising", "MESSAGE~from the owner")
	if err := os.WriteFile(folder+"/20-owner.yaml", []byte("bluetooth:\n  nmae: x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	systemctl(t, "restart", unit)
	g.event("configuration-broken", "WIFIPROVD_ERR~20-owner.yaml:2: unknown key")
	g.event("starting", "MESSAGE~authenticated")
	if _, results := examined(t); !strings.Contains(results["configuration"].Message, "20-owner.yaml:2") {
		t.Errorf("doctor says %+v", results["configuration"])
	}
}
