//go:build lab

package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// How long a phone may go on after a window, and read how its attempt ended (docs/operations.md).
const (
	windowGrace = time.Minute
	windowRead  = 10 * time.Second
	early       = 100 * time.Millisecond // between what is meant and the journal's time of it
)

var windowed = map[string]string{"bluetooth.access": "window", "bluetooth.window": "1m"}

// shuts waits until the gateway is not advertised, and checks that it says so.
func (g *gateway) shuts() entry {
	g.t.Helper()
	e := g.event("window-closed")
	waitFor(g.t, "no advertisement", patience, func() error { return g.advertises(0) })
	return e
}

// opens waits until a window is open and the gateway is advertised.
func (g *gateway) opens() entry {
	g.t.Helper()
	e := g.event("window-opened")
	waitFor(g.t, "an advertisement", patience, func() error { return g.advertises(1) })
	return e
}

// TestWindow: nobody finds a gateway that nobody has opened; each way to open and to close it works.
func TestWindow(t *testing.T) {
	g := start(t, situation{config: windowed})
	if err := g.advertises(0); err != nil {
		t.Error(err)
	}
	p := newPhone(t, "", nil)
	p.hearsNothing()
	out := run(t, "wifiprovctl", "status")
	if !strings.Contains(out, "Advertising  no: closed until somebody opens it") {
		t.Errorf("status:\n%s", out)
	}
	if code, results := examined(t); code != 0 {
		t.Errorf("doctor ends with %d: %+v", code, results)
	}

	t.Log("wifiprovctl")
	run(t, "wifiprovctl", "open", "--for", "2m")
	g.opens()
	if out := run(t, "wifiprovctl", "status"); !strings.Contains(out, "Window       open for another 1m") && !strings.Contains(out, "open for another 2m0s") {
		t.Errorf("status:\n%s", out)
	}
	p.find()
	run(t, "wifiprovctl", "close")
	g.shuts()

	t.Log("systemctl")
	systemctl(t, "start", "wifiprovd-open")
	g.opens()
	run(t, "busctl", busctl("call", "Close")[1:]...)
	g.shuts()
	p.hearsNothing()

	t.Log("D-Bus, until its time is over")
	for _, command := range [][]string{busctl("call", "Open", "u", "30"), busctl("call", "Close"), {"wifiprovctl", "open"}} {
		if out, err := asNobody(command...); err == nil {
			t.Errorf("%v of an ordinary user: %s", command, out)
		}
	}
	run(t, "busctl", busctl("call", "Open", "u", "30")[1:]...)
	opened := g.opens()
	if took := g.shuts().when().Sub(opened.when()); took < 30*time.Second-early || took > 30*time.Second+late {
		t.Errorf("it was open for %s, want 30s", took)
	}
}

// TestWindowClosesAfterSuccess: 10 s later the phone is disconnected, and nobody can connect.
func TestWindowClosesAfterSuccess(t *testing.T) {
	home := AP{SSID: "behind a door", Security: wifi.WPA2PSK, Passphrase: "the door is shut again"}
	g := start(t, situation{aps: []AP{home}, config: windowed})
	run(t, "wifiprovctl", "open")
	g.opens()
	p := g.joined(home)
	connected := g.becomes(central.StatusConnected)
	if took := g.shuts().when().Sub(connected.when()); took < windowRead-early || took > windowRead+late {
		t.Errorf("it was open for %s after CONNECTED, want %s", took, windowRead)
	}
	p.isCut()
	g.event("central-disconnected")
	p.hearsNothing()
	propertiesAre(t, map[string]string{"Status": `s "CONNECTED"`, "Open": "b false", "Window": "t 0", "Access": `s "window"`, "Centrals": "as 0"})
}

// TestWindowEndsMeanwhile: a phone that is in the middle of it when the time is over finishes, and
// nobody else finds the gateway.
func TestWindowEndsMeanwhile(t *testing.T) {
	home := AP{SSID: "slow fingers", Security: wifi.WPA2PSK, Passphrase: "typed after the window"}
	g := start(t, situation{aps: []AP{home}, config: windowed})
	run(t, "wifiprovctl", "open", "--for", "30s")
	opened := g.opens()
	p := ready(t, true)
	ending := g.event("window-ending")
	if took := ending.when().Sub(opened.when()); took < 30*time.Second-early || took > 30*time.Second+late {
		t.Errorf("the window ended after %s", took)
	}
	waitFor(t, "no advertisement", patience, func() error { return g.advertises(0) })
	p.provision(home.SSID, home.Passphrase, wifi.AutoDetect)
	p.expect(central.StatusConnecting, central.StatusConnected)
	connected := g.becomes(central.StatusConnected)
	if took := g.shuts().when().Sub(connected.when()); took > windowRead+late {
		t.Errorf("it is open %s after CONNECTED", took)
	}
	p.isCut()
}

// TestAttackWindow: an attacker who connects and commands again and again does not hold the window
// open, and has no effect after it.
func TestAttackWindow(t *testing.T) {
	g := start(t, situation{config: map[string]string{"bluetooth.access": "window", "bluetooth.security": "none"}})
	run(t, "wifiprovctl", "open", "--for", "20s")
	opened := g.opens()
	for n := 0; time.Since(opened.when()) < 15*time.Second; n++ {
		r := dialATT(t, phoneHCI, notEncrypted)
		is(t, "SSID", r.write(central.SSIDUUID, []byte("of the attacker")...), nil)
		if n%2 == 0 {
			is(t, "CONNECT", r.write(central.ControlUUID, byte(central.ControlConnect)), nil)
		}
		r.leave()
		g.event("central-disconnected")
	}
	r := dialATT(t, phoneHCI, notEncrypted)
	refused := error(nil)
	for time.Since(opened.when()) < 20*time.Second+windowGrace+windowRead+4*late && refused == nil {
		refused = r.write(central.SSIDUUID, []byte("of the attacker")...)
		time.Sleep(time.Second)
	}
	_ = r.write(central.ControlUUID, byte(central.ControlErase))
	took := time.Since(opened.when())
	closed := g.shuts()
	t.Logf("the window was open for %s; a write is answered %v after %s", closed.when().Sub(opened.when()), refused, took)
	if open := closed.when().Sub(opened.when()); refused == nil || open > 20*time.Second+windowGrace+windowRead+late {
		t.Errorf("the window was open for %s", open)
	}
	waitGone(t, adapterAddress(t, phoneHCI))
	if err := g.advertises(0); err != nil {
		t.Error(err)
	}
	if e, i := g.journal.find(g.from, event("erase-requested")); i >= 0 {
		t.Errorf("an ERASE was taken: %v", e)
	}
}

// TestButton: a press opens a window, a long one erases; the device may come late and go.
func TestButton(t *testing.T) {
	home := AP{SSID: "with a button", Security: wifi.WPA2PSK, Passphrase: "pressed for long"}
	g := start(t, situation{aps: []AP{home}, config: map[string]string{
		"bluetooth.access": "window", "button.key": "529", "button.device": "lab button", "button.hold": "500ms",
	}})
	other := newBox(t, "another device")
	b := newBox(t, "lab button")
	g.event("button-found")
	other.press(time.Second)
	b.press(100 * time.Millisecond)
	g.event("button") // it says that this was too short
	if err := g.advertises(0); err != nil {
		t.Error(err)
	}
	b.press(time.Second)
	g.opens()
	g.joined(home)
	g.shuts()
	b.key(true)
	time.Sleep(8 * time.Second)
	if status := run(t, "wifiprovctl", "status"); !strings.HasPrefix(status, "Status       CONNECTED") {
		t.Errorf("before its time:\n%s", status)
	}
	g.event("erased")
	g.stores(nil)
	b.key(false)
	b.unplug()
	time.Sleep(2 * time.Second)
	again := newBox(t, "lab button")
	g.event("button-found")
	again.press(time.Second)
	g.opens()
}

// TestOnlineElsewhere: with offline another interface with a default route shuts the door, unless it
// is to be ignored.
func TestOnlineElsewhere(t *testing.T) {
	run(t, "modprobe", "dummy", "numdummies=0")
	for ignores, want := range map[string]byte{`""`: 0, "eth7": 1} {
		g := start(t, situation{config: map[string]string{"bluetooth.access": "offline", "bluetooth.access_ignores": ignores}})
		waitFor(t, "an advertisement", patience, func() error { return g.advertises(1) })
		run(t, "ip", "link", "add", "eth7", "type", "dummy")
		t.Cleanup(func() { _, _ = try("ip", "link", "delete", "eth7") })
		run(t, "ip", "link", "set", "eth7", "up")
		run(t, "ip", "address", "add", "198.51.100.7/24", "dev", "eth7")
		run(t, "ip", "route", "add", "default", "via", "198.51.100.1", "dev", "eth7")
		time.Sleep(quietAfter + late)
		if err := g.advertises(want); err != nil {
			t.Errorf("access_ignores: %s: %v", ignores, err)
		}
		run(t, "ip", "link", "delete", "eth7")
		waitFor(t, "an advertisement without it", againAfter+2*late, func() error { return g.advertises(1) })
	}
}

// TestBoxSigns follows LED and targets through each state, and a maker's unit that hangs on one.
func TestBoxSigns(t *testing.T) {
	home := AP{SSID: "a box with a lamp", Security: wifi.WPA2PSK, Passphrase: "the lamp is on"}
	b := newBox(t, "lab button")
	dropIn(t, "ReadWritePaths=/sys/class/leds/"+b.led)
	hook(t, "wifiprovd-failed.target", "touch /run/lab-failed")
	g := start(t, situation{aps: []AP{home}, config: map[string]string{"bluetooth.access": "window", "led.name": `"` + b.led + `"`}})
	const ms = time.Millisecond

	b.stays("shut", "0")
	activeTargets(t)
	run(t, "wifiprovctl", "open", "--for", "10m")
	g.opens()
	b.blinks("open", time.Second, time.Second)
	activeTargets(t, "open")

	run(t, "busctl", busctl("call", "Identify")[1:]...)
	activeTargets(t, "open", "identify")
	b.blinks("identify", 50*ms, 50*ms)
	activeTargets(t, "open")

	p := ready(t, true)
	p.provision(home.SSID, "not the passphrase", wifi.AutoDetect)
	p.expect(central.StatusConnecting)
	p.expect(central.StatusFailed)
	activeTargets(t, "open", "failed")
	waitFor(t, "the maker's unit", patience, func() error { _, err := os.Stat("/run/lab-failed"); return err })
	run(t, "wifiprovctl", "close") // a window comes before a failure
	p.isCut()
	b.blinks("failed", 150*ms, 150*ms, 150*ms, time.Second)
	activeTargets(t, "failed")

	run(t, "wifiprovctl", "open", "--for", "10m")
	p = ready(t, false)
	p.provision("not there", "never found 12", wifi.AutoDetect)
	b.blinks("connecting", 100*ms, 100*ms)
	p.until(central.StatusFailed) // bluetoothd still has the first phone's subscription, too: each value comes twice
	p.provision(home.SSID, home.Passphrase, wifi.AutoDetect)
	p.until(central.StatusConnected)
	g.shuts()
	b.stays("connected", "1")
	activeTargets(t, "connected")
	p.session = nil

	run(t, "busctl", busctl("call", "Erase")[1:]...)
	g.event("erased")
	activeTargets(t, "erased")
	b.stays("erased", "0")
	systemctl(t, "stop", unit)
	activeTargets(t)
}

// activeTargets waits until exactly these of the daemon's targets are active.
func activeTargets(t testing.TB, want ...string) {
	t.Helper()
	waitFor(t, fmt.Sprintf("targets %q", want), patience, func() error {
		for _, name := range []string{"connected", "failed", "open", "erased", "identify"} {
			_, err := try("systemctl", "is-active", "wifiprovd-"+name+".target")
			if (err == nil) != slices.Contains(want, name) {
				return fmt.Errorf("%s is active: %v", name, err == nil)
			}
		}
		return nil
	})
}

// hook installs a maker's unit that a target wants, until the test ends.
func hook(t testing.TB, target, command string) {
	t.Helper()
	const folder, name = "/run/systemd/system", "lab-hook.service"
	text := "[Unit]\nPartOf=" + target + "\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/" + command + "\n"
	wants := filepath.Join(folder, target+".wants")
	for _, err := range []error{
		os.MkdirAll(wants, 0o755), os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644),
		os.Symlink("../"+name, filepath.Join(wants, name)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	systemctl(t, "daemon-reload")
	t.Cleanup(func() {
		_ = os.RemoveAll(wants)
		_ = os.Remove(filepath.Join(folder, name))
		systemctl(t, "daemon-reload")
	})
}
