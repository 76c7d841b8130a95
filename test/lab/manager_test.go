//go:build lab

package lab

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const (
	managerd = "NetworkManager.service"

	// What the daemon's installation says of the interface, hidden by files of the same names.
	managerConf  = "/etc/NetworkManager/conf.d/wifiprovd.conf"
	networkdConf = "/etc/systemd/network/80-wifiprovd-wlan0.network"
)

// managerState says whether NetworkManager manages the gateway's interface in the tests that run.
type managerState struct{ on bool }

var manager managerState

// managedRun says that NetworkManager manages the interface in all tests ("make conformance").
var managedRun = os.Getenv("LAB_BACKEND") == "networkmanager"

// use has NetworkManager manage the interface, and bring the address, until the test ends.
func (m *managerState) use(t testing.TB) {
	t.Helper()
	if m.on {
		return
	}
	t.Cleanup(func() { m.leave(t) })
	m.begin(t)
}

// useAlways is use, for the tests after this one, too.
func (m *managerState) useAlways(t testing.TB) {
	t.Helper()
	if !m.on {
		m.begin(t)
	}
	m.ready(t)
}

func (m *managerState) begin(t testing.TB) {
	t.Helper()
	systemctl(t, "stop", unit)
	resetWifi(t)
	m.manage(t)
	m.on = true
}

// take has NetworkManager take the interface until the test ends.
func (m *managerState) take(t testing.TB) {
	t.Helper()
	t.Cleanup(func() { m.leave(t) })
	m.manage(t)
}

// manage starts NetworkManager, which then manages the interface.
func (m *managerState) manage(t testing.TB) {
	t.Helper()
	err := errors.Join(
		os.WriteFile(managerConf, []byte("[keyfile]\nunmanaged-devices=*,except:interface-name:"+wlan+"\n"), 0o644),
		os.MkdirAll("/etc/systemd/network", 0o755),
		os.WriteFile(networkdConf, []byte("[Match]\nName="+wlan+"\n\n[Link]\nUnmanaged=yes\n"), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	run(t, "networkctl", "reload")
	systemctl(t, "start", managerd)
	m.ready(t)
}

// ready waits until NetworkManager can use the radio: up to 10 s after wpa_supplicant was restarted.
func (m *managerState) ready(t testing.TB) {
	t.Helper()
	waitFor(t, "NetworkManager's radio", patience, func() error {
		state, err := try("nmcli", "-g", "GENERAL.STATE", "device", "show", wlan)
		if err == nil && (strings.HasPrefix(state, "10 ") || strings.HasPrefix(state, "20 ")) {
			err = errors.New(state)
		}
		return err
	})
}

// leave stops NetworkManager.
func (m *managerState) leave(t testing.TB) {
	t.Helper()
	systemctl(t, "stop", unit, managerd)
	m.on = false
	if err := errors.Join(os.Remove(managerConf), os.Remove(networkdConf), os.RemoveAll("/run/NetworkManager")); err != nil {
		t.Error(err)
	}
	run(t, "networkctl", "reload")
}

// reset removes all profiles, and what was heard.
func (m *managerState) reset(t testing.TB) {
	t.Helper()
	for _, uuid := range strings.Fields(run(t, "nmcli", "-g", "UUID", "connection", "show")) {
		_, _ = try("nmcli", "connection", "delete", uuid)
	}
	var path dbus.ObjectPath
	supplicant := bus(t).Object("fi.w1.wpa_supplicant1", "/fi/w1/wpa_supplicant1")
	if supplicant.Call("fi.w1.wpa_supplicant1.GetInterface", 0, wlan).Store(&path) == nil {
		_ = bus(t).Object("fi.w1.wpa_supplicant1", path).Call("fi.w1.wpa_supplicant1.Interface.FlushBSS", 0, uint32(0)).Err
	}
}

// withoutManager skips a test that is about wpa_supplicant as the back-end where NetworkManager keeps
// the network.
func withoutManager(t testing.TB) {
	t.Helper()
	if managedRun {
		t.Skip("about wpa_supplicant as the back-end")
	}
}

// managerOn waits until NetworkManager is on a profile.
func managerOn(t testing.TB, profile string) {
	t.Helper()
	waitFor(t, "NetworkManager on "+profile, patience, func() error {
		out := firstLine(run(t, "nmcli", "-g", "GENERAL.CONNECTION,GENERAL.STATE", "device", "show", wlan))
		if out != profile {
			return fmt.Errorf("it is on %q", out)
		}
		return nil
	})
}

// preconfigure gives NetworkManager a profile for ap, as an image's maker does, and waits until it
// has joined. It returns what the profile is.
func preconfigure(t testing.TB, ap AP) (settings func() string) {
	t.Helper()
	run(t, "nmcli", "connection", "add", "save", "no", "type", "wifi", "con-name", "preconfigured", "ifname", wlan,
		"ssid", ap.SSID, "wifi-sec.key-mgmt", "wpa-psk", "wifi-sec.psk", ap.Passphrase)
	run(t, "nmcli", "--wait", "60", "connection", "up", "preconfigured")
	return func() string {
		return run(t, "nmcli", "--fields", "connection.uuid,connection.id,connection.autoconnect,802-11-wireless,802-11-wireless-security", "connection", "show", "preconfigured")
	}
}

// TestManagerForeign: a profile that is not wifiprovd's is left alone, comes back when a trial fails,
// and after ERASE.
func TestManagerForeign(t *testing.T) {
	manager.use(t)
	home := AP{SSID: "preconfigured home", Security: wifi.WPA2PSK, Passphrase: "preconfigured passphrase", Channel: 1}
	other := AP{SSID: "other network", Security: wifi.WPAAutoPersonal, Passphrase: "the other passphrase", Channel: 6}
	g := start(t, situation{aps: []AP{home, other}, stopped: true})
	settings := preconfigure(t, home)
	before := settings()
	g.start()
	g.event("other-network")
	p := ready(t, true)
	managerOn(t, "preconfigured")
	p.provision(other.SSID, "the wrong passphrase", wifi.AutoDetect)
	p.fails(wifi.FailureWrongPassword)
	begin := time.Now()
	managerOn(t, "preconfigured")
	waitFor(t, "online", patience, func() error { return g.online(1) })
	t.Logf("back on the network after %.1f s", time.Since(begin).Seconds())
	p.provision(other.SSID, other.Passphrase, wifi.AutoDetect)
	p.expect(central.StatusConnecting, central.StatusConnected)
	managerOn(t, "wifiprovd")
	p.command(central.ControlErase)
	p.until(central.StatusIdle)
	managerOn(t, "preconfigured")
	if out := run(t, "nmcli", "-g", "NAME", "connection", "show"); strings.Contains(out, "wifiprovd") {
		t.Errorf("a profile is left: %s", out)
	}
	if after := settings(); after != before {
		t.Errorf("the profile of another was changed from\n%s to\n%s", before, after)
	}
}

// TestManagerHandOver: NetworkManager takes the interface over while the gateway is on its network, and
// gives it back. Each time the gateway is on its network again, and nobody has to ask.
func TestManagerHandOver(t *testing.T) {
	withoutManager(t)
	home := AP{SSID: "handed over", Security: wifi.WPA2PSK, Passphrase: "passphrase handed over"}
	g := start(t, situation{aps: []AP{home}})
	g.event("wifi-usable", "WIFIPROVD_BACKEND=wpa_supplicant")
	g.joined(home).leave()
	manager.take(t)
	g.event("wifi-usable", "WIFIPROVD_BACKEND=networkmanager")
	g.becomes(central.StatusConnected)
	managerOn(t, "wifiprovd")
	run(t, "nmcli", "device", "set", wlan, "managed", "no")
	g.event("wifi-usable", "WIFIPROVD_BACKEND=wpa_supplicant")
	g.becomes(central.StatusConnected)
	g.stores(&home)
}

// TestManagerOrphan: a profile of an earlier run goes when its network is stored no more, and what
// NetworkManager was on comes back.
func TestManagerOrphan(t *testing.T) {
	manager.use(t)
	home := AP{SSID: "an earlier home", Security: wifi.WPA2PSK, Passphrase: "passphrase of an earlier run"}
	g := start(t, situation{aps: []AP{home}})
	g.joined(home).leave()
	managerOn(t, "wifiprovd")
	systemctl(t, "stop", unit)
	managerOn(t, "wifiprovd") // the link outlives the daemon
	emptyStore(t)
	g.start()
	g.event("profile-removed")
	managerOn(t, "")
	if out := run(t, "nmcli", "-g", "NAME", "connection", "show"); strings.Contains(out, "wifiprovd") {
		t.Errorf("a profile is left: %s", out)
	}
}

// TestManagerFaults: whatever happens to NetworkManager and its neighbours, the gateway is on its
// network again.
func TestManagerFaults(t *testing.T) {
	manager.use(t)
	home := AP{SSID: "managed faults", Security: wifi.WPAAutoPersonal, Passphrase: "passphrase for managed faults"}
	g := start(t, situation{aps: []AP{home}})
	g.joined(home).leave()
	for _, c := range []struct {
		name  string
		fault func(t *testing.T)
	}{
		{"the daemon is restarted", func(t *testing.T) { systemctl(t, "restart", unit) }},
		{"NetworkManager is restarted", func(t *testing.T) { systemctl(t, "restart", managerd) }},
		{"wpa_supplicant is restarted", func(t *testing.T) { systemctl(t, "restart", supplicantd) }},
		{"the profile is deleted", func(t *testing.T) { run(t, "nmcli", "connection", "delete", "wifiprovd") }},
		{"the connection is taken down", func(t *testing.T) { run(t, "nmcli", "connection", "down", "wifiprovd") }},
		{"the radio is blocked by rfkill", func(t *testing.T) {
			rfkill(t, wifiSwitch, true)
			g.event("wifi-unusable")
			rfkill(t, wifiSwitch, false)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := g.in(t)
			g.from = g.journal.mark(t, c.name)
			begin := time.Now()
			c.fault(t)
			g.becomes(central.StatusConnected)
			t.Logf("CONNECTED again after %.1f s", time.Since(begin).Seconds())
			managerOn(t, "wifiprovd")
			waitFor(t, "online", patience, func() error { return g.online(1) })
		})
	}
}

// TestBackendMismatch: a fixed back-end that is not there is a clear error, and no fight.
func TestBackendMismatch(t *testing.T) {
	withoutManager(t)
	g := start(t, situation{config: map[string]string{"wifi.backend": "networkmanager"}})
	g.event("wifi-unusable", "MESSAGE~NetworkManager does not run")
	manager.use(t)
	writeConfig(t, map[string]string{"wifi.backend": "wpa_supplicant"})
	g.start()
	g.event("wifi-unusable", "MESSAGE~NetworkManager manages wlan0")
}
