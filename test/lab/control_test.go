//go:build lab

package lab

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/control"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// terminalName is a name that would clear a terminal, and is not UTF-8.
const terminalName = "caf\x1b[2J\"\xff"

// asNobody runs a command as an ordinary user.
func asNobody(args ...string) (string, error) {
	return try("runuser", append([]string{"-u", "nobody", "--"}, args...)...)
}

// exitStatus runs a command and returns its exit status and what it prints.
func exitStatus(t testing.TB, name string, args ...string) (int, string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

func busctl(command, member string, args ...string) []string {
	return append([]string{"busctl", command, control.Name, string(control.Path), control.Interface, member}, args...)
}

// stateChanges follows the property State of the daemon.
func stateChanges(t testing.TB) <-chan *dbus.Signal {
	t.Helper()
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	signals := make(chan *dbus.Signal, 1000)
	conn.Signal(signals)
	if err := conn.AddMatchSignal(dbus.WithMatchSender(control.Name), dbus.WithMatchInterface("org.freedesktop.DBus.Properties"),
		dbus.WithMatchArg(0, control.Interface)); err != nil {
		t.Fatal(err)
	}
	return signals
}

// changesTo waits until the next State that is signalled, which must be want.
func changesTo(t testing.TB, signals <-chan *dbus.Signal, want string) {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case s := <-signals:
			if s.Name != "org.freedesktop.DBus.Properties.PropertiesChanged" {
				continue
			}
			if state, ok := s.Body[1].(map[string]dbus.Variant)["State"]; ok {
				if state.Value() != want {
					t.Fatalf("State changes to %s, want %s", state, want)
				}
				return
			}
		case <-late:
			t.Fatalf("no signal of State %s", want)
		}
	}
}

// TestDBusInterface follows a gateway over its own interface on the bus, as an
// ordinary user who may look, but not erase.
func TestDBusInterface(t *testing.T) {
	home := AP{SSID: terminalName, Security: wifi.WPA2PSK, Passphrase: "the bus does not tell"}
	g := start(t, situation{aps: []AP{home}})
	waitFor(t, "the daemon on the bus", patience, func() error {
		_, err := control.Read(t.Context(), "")
		return err
	})
	signals := stateChanges(t)
	out, err := asNobody("busctl", "introspect", control.Name, string(control.Path))
	for _, want := range []string{".Erase", ".State", `"IDLE"`, ".SSIDText", ".PropertiesChanged"} {
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("busctl introspect has no %s: %v\n%s", want, err, out)
		}
	}
	if code, out := exitStatus(t, "runuser", "-u", "nobody", "--", "wifiprovctl", "status"); code != 0 || !strings.Contains(out, "State        IDLE\n") ||
		!strings.Contains(out, "Advertising  on hci0\n") || !strings.Contains(out, "Next         waiting for a phone\n") {
		t.Errorf("status ends with %d and says\n%s", code, out)
	}
	introspectsAsInstalled(t)

	p := g.joined(home)
	changesTo(t, signals, "CONNECTING")
	changesTo(t, signals, "CONNECTED")
	propertiesAre(t, map[string]string{
		"State":    `s "CONNECTED"`,
		"SSID":     "ay 9 99 97 102 27 91 50 74 34 255",
		"Centrals": `as 1 "` + adapterAddress(t, phoneHCI) + `"`,
		"Reason":   `s "none"`,
	})
	statusTells(t, home)
	onlyLooks(t)
	stillConnected(t, signals)

	p.leave()
	run(t, "busctl", busctl("call", "Erase")[1:]...)
	changesTo(t, signals, "IDLE")
	g.logged(patience, "MESSAGE=ERASE was asked for over D-Bus*")
	g.becomes(central.StatusIdle)
	if text, err := os.ReadFile(storeFile); err != nil || strings.Contains(string(text), "caf") {
		t.Errorf("the store after an erase: %v\n%s", err, text)
	}
}

// introspectsAsInstalled checks that the daemon describes its interface as the
// installed file does.
func introspectsAsInstalled(t testing.TB) {
	file, err := os.ReadFile("/usr/share/dbus-1/interfaces/io.github.wifiprovd1.xml")
	if err != nil {
		t.Error(err)
	}
	var answered string
	if err := bus(t).Object(control.Name, control.Path).Call("org.freedesktop.DBus.Introspectable.Introspect", 0).Store(&answered); err != nil || answered != string(file) {
		t.Errorf("the daemon introspects as %v\n%s", err, answered)
	}
}

// propertiesAre checks properties of the daemon as busctl shows them to an
// ordinary user.
func propertiesAre(t testing.TB, values map[string]string) {
	t.Helper()
	for property, want := range values {
		if out, err := asNobody(busctl("get-property", property)...); err != nil || strings.TrimSpace(out) != want {
			t.Errorf("%s is %s, %v; want %s", property, out, err, want)
		}
	}
}

// onlyLooks checks that an ordinary user can change nothing.
func onlyLooks(t testing.TB) {
	for _, command := range [][]string{busctl("call", "Erase"), busctl("set-property", "State", "s", "IDLE")} {
		if out, err := asNobody(command...); err == nil || !strings.Contains(err.Error(), "ccess denied") && !strings.Contains(err.Error(), "AccessDenied") {
			t.Errorf("%v of an ordinary user: %s, %v", command, out, err)
		}
	}
}

// stillConnected checks that the gateway is CONNECTED and has not been anything
// else since the last signal that was waited for.
func stillConnected(t testing.TB, signals <-chan *dbus.Signal) {
	t.Helper()
	for len(signals) > 0 {
		if s := <-signals; s.Name == "org.freedesktop.DBus.Properties.PropertiesChanged" {
			if state, ok := s.Body[1].(map[string]dbus.Variant)["State"]; ok {
				t.Errorf("State changes to %s", state)
			}
		}
	}
	if out, err := asNobody(busctl("get-property", "State")...); err != nil || strings.TrimSpace(out) != `s "CONNECTED"` {
		t.Errorf("State is %s, %v", out, err)
	}
}

// statusTells checks what wifiprovctl status says to an ordinary user of a
// gateway that has joined ap.
func statusTells(t testing.TB, ap AP) {
	t.Helper()
	out, err := asNobody("wifiprovctl", "status")
	if err != nil || !strings.Contains(out, `"caf\x1b[2J\"\xff" by access point`) || strings.Contains(out, "\x1b") || strings.Contains(out, ap.Passphrase) {
		t.Errorf("status: %v\n%q", err, out)
	}
	t.Logf("wifiprovctl status:\n%s", out)
	out, err = asNobody("wifiprovctl", "status", "--json")
	var s struct {
		Running  bool
		State    string
		Since    time.Time
		Centrals []string
		Network  struct {
			Joined       bool
			SSIDHex      string `json:"ssid_hex"`
			FrequencyMHz int    `json:"frequency_mhz"`
			IPv4         string
		}
	}
	if err != nil || json.Unmarshal([]byte(out), &s) != nil {
		t.Fatalf("status --json: %v\n%s", err, out)
	}
	if !s.Running || s.State != "CONNECTED" || len(s.Centrals) != 1 || !s.Network.Joined || s.Network.SSIDHex != "6361661b5b324a22ff" ||
		s.Network.FrequencyMHz != 2412 || s.Network.IPv4 != leased(t)[0].Addr().String() || time.Since(s.Since) > time.Hour {
		t.Errorf("status --json: %s", out)
	}
}
