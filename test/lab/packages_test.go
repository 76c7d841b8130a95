//go:build lab

package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/seal"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// The packages that packages.sh has put into the machine: this tree's; what 0.4 was, with all settings
// in a conffile and wlan0 taken from NetworkManager; and a later one with other defaults.
const (
	packageDir   = "/usr/lib/lab/packages/"
	thisPackage  = packageDir + "this.deb"
	olderPackage = packageDir + "older.deb"
	newerPackage = packageDir + "newer.deb"
)

// edited is a configuration that an owner has changed.
const edited = "# the owner's\nbluetooth:\n  name: \"Boiler room\"\nlog:\n  level: debug\n"

// packaged has the chapters of a story of packages on one machine, each of which needs the one before.
func packaged(t *testing.T, chapters ...func(*testing.T, *gateway)) {
	if _, err := os.Stat(thisPackage); err != nil {
		t.Skip("not this machine: test/lab/packages.sh")
	}
	// Both are there from the making of the image, or of a test that has failed.
	_ = os.Remove("/usr/sbin/policy-rc.d")
	_, _ = try("dpkg", "--purge", "wifiprovd")
	startNeighbours(t)
	setCountry(t, "")
	g := found(t)
	g.from = g.journal.mark(t, t.Name())
	g.first = g.from
	for _, chapter := range chapters {
		chapter(t, g)
		if t.Failed() {
			return
		}
	}
}

// dpkg runs dpkg with nobody to answer: standard input is empty.
func dpkg(t testing.TB, args ...string) {
	t.Helper()
	cmd := exec.Command("dpkg", args...)
	out, err := cmd.CombinedOutput()
	var told []string
	for _, line := range strings.Split(string(out), "\n") {
		if !strings.Contains(line, "Reading database") {
			told = append(told, line)
		}
	}
	t.Logf("dpkg %s:\n%s", strings.Join(args, " "), strings.Join(told, "\n"))
	if err != nil {
		t.Fatalf("dpkg %s: %v", args, err)
	}
}

// unitIs checks whether the daemon's unit is enabled, and whether it runs.
func unitIs(t testing.TB, enabled, active string) {
	t.Helper()
	for property, want := range map[string]string{"UnitFileState": enabled, "ActiveState": active} {
		if got := firstLine(run(t, "systemctl", "show", "--value", "--property="+property, unit)); got != want {
			t.Fatalf("the unit's %s is %q, want %q", property, got, want)
		}
	}
}

// fileIs checks what is in a file; empty: there is none.
func fileIs(t testing.TB, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); string(got) != want {
		t.Fatalf("%s holds %q (%v), want %q", path, got, err, want)
	}
}

// options returns how bluetoothd was started.
func options(t testing.TB) string {
	t.Helper()
	line, err := os.ReadFile("/proc/" + mainPID(t, bluetoothd) + "/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimRight(strings.ReplaceAll(string(line), "\x00", " "), " ")
}

// nothingLeft searches the machine for what a purge has left.
func nothingLeft(t testing.TB) {
	t.Helper()
	out := run(t, "find", "/", "-xdev", "(", "-path", "/proc", "-o", "-path", "/sys", "-o", "-path", "/lab", "-o", "-path", "/dev",
		"-o", "-path", "/usr/lib/lab", "-o", "-path", "/var/lib/lab", "-o", "-path", "/tmp", ")", "-prune",
		"-o", "-name", "*wifiprovd*", "-print")
	run := run(t, "find", "/run", "-name", "*wifiprovd*", "-print")
	if left := strings.TrimSpace(out + run); left != "" {
		t.Errorf("a purge leaves\n%s", left)
	}
	if out, _ := try("dpkg-query", "--show", "--showformat=${Status}", "wifiprovd"); out != "" && !strings.Contains(out, "not-installed") {
		t.Errorf("dpkg says %q", out)
	}
}

// back waits until the gateway is on its network again, as the daemon that runs now says.
func (g *gateway) back() {
	g.t.Helper()
	g.becomes(central.StatusConnected)
	waitFor(g.t, "online", patience, func() error { return g.online(1) })
}

// TestPackagesNew installs the package on a machine as an owner has it, whose network NetworkManager
// keeps. A phone provisions it without another step. Then it is upgraded, downgraded, switched off,
// removed and purged, with nobody to answer a question, and at the end the machine is as before.
func TestPackagesNew(t *testing.T) {
	home := AP{SSID: "the owner's", Security: wifi.WPA2PSK, Passphrase: "the owner's passphrase", Channel: 6}
	other := AP{SSID: "provisioned", Security: wifi.WPAAutoPersonal, Passphrase: "provisioned passphrase"}
	var before struct{ manager, options string }
	packaged(t, func(t *testing.T, g *gateway) {
		startAPs(t, other, home)
		systemctl(t, "start", managerd)
		t.Cleanup(func() { systemctl(t, "stop", managerd) })
		waitFor(t, "NetworkManager's radio", patience, func() error {
			state, err := try("nmcli", "-g", "GENERAL.STATE", "device", "show", wlan)
			if err == nil && !strings.HasPrefix(state, "30 ") {
				err = errors.New(state)
			}
			return err
		})
		// It joins by itself: an nmcli that asks for the same at that moment fails.
		run(t, "nmcli", "connection", "add", "save", "no", "type", "wifi", "con-name", "preconfigured", "ifname", wlan,
			"ssid", home.SSID, "wifi-sec.key-mgmt", "wpa-psk", "wifi-sec.psk", home.Passphrase)
		waitFor(t, "NetworkManager on the owner's network", patience, func() error {
			state, err := try("nmcli", "-g", "GENERAL.STATE", "device", "show", wlan)
			if err == nil && !strings.HasPrefix(state, "100 ") {
				err = errors.New(state)
			}
			return err
		})
		before.manager, before.options = mainPID(t, managerd), options(t)
	}, func(t *testing.T, g *gateway) {
		if err := errors.Join(os.MkdirAll("/var/cache/apt/archives/partial", 0o755), os.MkdirAll("/var/lib/apt/lists/partial", 0o755)); err != nil {
			t.Fatal(err)
		}
		t.Log(run(t, "apt-get", "-o", "APT::Sandbox::User=root", "install", "-y", thisPackage))
		unitIs(t, "enabled", "active")
		g.event("other-network")
		managerOn(t, "preconfigured")
		if code, results := examined(t); code != 0 {
			t.Errorf("doctor says %+v", results)
		}
		p := ready(t, true)
		p.provision(other.SSID, other.Passphrase, wifi.AutoDetect)
		p.expect(central.StatusConnecting, central.StatusConnected)
		p.leave()
		g.back()
		managerOn(t, "wifiprovd")
	}, func(t *testing.T, g *gateway) {
		if runtime.GOARCH != "amd64" || os.Getenv("LAB_ONCE") == "bookworm" {
			return // they have nothing of an architecture or a suite, and take long
		}
		for _, chapter := range []func(*testing.T, *gateway){packagedUpgrade, packagedDowngrade, packagedDisabled, packagedRemoved} {
			chapter(t, g)
		}
	}, func(t *testing.T, g *gateway) {
		for _, path := range []string{seal.DropIn, seal.File, seal.File + ".old"} { // what wifiprovctl seal writes
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		dpkg(t, "--purge", "wifiprovd")
		managerOn(t, "preconfigured")
		if out := run(t, "nmcli", "-g", "NAME", "connection", "show"); strings.Contains(out, "wifiprovd") {
			t.Errorf("a profile is left: %s", out)
		}
		nothingLeft(t)
		if now := mainPID(t, managerd); now != before.manager {
			t.Errorf("NetworkManager was restarted: %s, then %s", before.manager, now)
		}
		if now := options(t); now != before.options {
			t.Errorf("bluetoothd runs as %q, before as %q", now, before.options)
		}
	})
}

// packagedUpgrade: the defaults have changed, and so has the owner's file. Nobody is asked.
func packagedUpgrade(t *testing.T, g *gateway) {
	if err := os.WriteFile(configFile, []byte(edited), 0o644); err != nil {
		t.Fatal(err)
	}
	pid, radio := mainPID(t, unit), mainPID(t, bluetoothd)
	dpkg(t, "-i", newerPackage)
	unitIs(t, "enabled", "active")
	fileIs(t, configFile, edited)
	if mainPID(t, unit) == pid {
		t.Error("the old daemon runs on")
	}
	if mainPID(t, bluetoothd) != radio {
		t.Error("an upgrade has restarted bluetoothd")
	}
	restarted := g.from
	g.event("advertising", "WIFIPROVD_NAME=Boiler room")
	g.from = restarted // CONNECTED may come first
	g.back()
	managerOn(t, "wifiprovd")
}

// packagedDowngrade: what the later version has stored is kept, though not understood, and good again
// when it is back.
func packagedDowngrade(t *testing.T, g *gateway) {
	systemctl(t, "stop", unit)
	stored, err := os.ReadFile(storeFile)
	if err != nil {
		t.Fatal(err)
	}
	later := strings.Replace(string(stored), `"version":2`, `"version":9`, 1)
	if later == string(stored) {
		later = strings.Replace(string(stored), `"version": 2`, `"version": 9`, 1)
	}
	if later == string(stored) {
		t.Fatal("the store's version was not found")
	}
	if err := os.WriteFile(storeFile, []byte(later), 0o600); err != nil {
		t.Fatal(err)
	}
	systemctl(t, "start", unit) // so that there is something to restart
	dpkg(t, "-i", thisPackage)
	unitIs(t, "enabled", "active")
	g.fails(wifi.FailureInternal)
	if now, err := os.ReadFile(storeFile); string(now) != later {
		t.Fatalf("the later version's store is not as it was (%v)", err)
	}
	fileIs(t, configFile, edited)
	systemctl(t, "stop", unit)
	if err := os.WriteFile(storeFile, stored, 0o600); err != nil {
		t.Fatal(err)
	}
	systemctl(t, "start", unit)
	g.back()
}

// packagedDisabled: what the owner has switched off stays off, and what was only stopped stays stopped.
func packagedDisabled(t *testing.T, g *gateway) {
	systemctl(t, "disable", unit)
	dpkg(t, "-i", thisPackage)
	unitIs(t, "disabled", "active")
	systemctl(t, "stop", unit)
	dpkg(t, "-i", newerPackage)
	unitIs(t, "disabled", "inactive")
	systemctl(t, "enable", unit)
	dpkg(t, "-i", thisPackage)
	unitIs(t, "enabled", "inactive")
	g.from = g.journal.mark(t, "started")
	systemctl(t, "start", unit)
	g.back()
}

// packagedRemoved: the service is gone, its configuration, its credentials and the network are not;
// installed again, it goes on.
func packagedRemoved(t *testing.T, g *gateway) {
	stored, err := os.ReadFile(storeFile)
	if err != nil {
		t.Fatal(err)
	}
	dpkg(t, "--remove", "wifiprovd")
	if pid := mainPID(t, unit); pid != "0" {
		t.Errorf("the daemon runs on: %s", pid)
	}
	fileIs(t, configFile, edited)
	if now, err := os.ReadFile(storeFile); string(now) != string(stored) {
		t.Errorf("the credentials are not as they were (%v)", err)
	}
	managerOn(t, "wifiprovd")
	if now := options(t); strings.Contains(now, "wifiprovd") {
		t.Errorf("bluetoothd runs as %q", now)
	}
	g.from = g.journal.mark(t, "installed again")
	dpkg(t, "-i", thisPackage)
	unitIs(t, "enabled", "active")
	fileIs(t, configFile, edited)
	g.back()
}

// TestPackagesOld upgrades from 0.4, which had taken wlan0 from NetworkManager, and whose conffile the
// owner has edited: the gateway goes on as it was, also when NetworkManager is restarted.
func TestPackagesOld(t *testing.T) {
	home := AP{SSID: "upgraded", Security: wifi.WPA2PSK, Passphrase: "upgraded passphrase"}
	packaged(t, func(t *testing.T, g *gateway) {
		startAPs(t, home)
		dpkg(t, "-i", olderPackage)
		systemctl(t, "start", managerd)
		t.Cleanup(func() { systemctl(t, "stop", managerd) })
		run(t, "networkctl", "reload")
		full, err := os.ReadFile(configFile)
		if err != nil {
			t.Fatal(err)
		}
		full = []byte(strings.Replace(string(full), `name: "Wi-Fi Provisioning"`, `name: "Boiler room"`, 1))
		if err := os.WriteFile(configFile, full, 0o644); err != nil {
			t.Fatal(err)
		}
		systemctl(t, "restart", unit)
		g.event("wifi-usable", "WIFIPROVD_BACKEND=wpa_supplicant")
		g.joined(home).leave()
		g.back()

		dpkg(t, "-i", thisPackage)
		unitIs(t, "enabled", "active")
		fileIs(t, configFile, string(full))
		g.back()
		systemctl(t, "restart", managerd)
		systemctl(t, "restart", "systemd-networkd")
		if state := firstLine(run(t, "nmcli", "-g", "GENERAL.STATE", "device", "show", wlan)); !strings.HasPrefix(state, "10 ") {
			t.Errorf("NetworkManager has taken %s: %s", wlan, state)
		}
		waitFor(t, "online", patience, func() error { return g.online(1) })

		dpkg(t, "--purge", "wifiprovd")
		nothingLeft(t)
	})
	run(t, "networkctl", "reload")
	if left, _ := filepath.Glob("/etc/wifiprovd*"); len(left) > 0 {
		t.Error(fmt.Sprint(left))
	}
}
