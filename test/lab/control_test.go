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
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// The daemon on the bus (docs/dbus.md). The lab knows what is published, not the daemon's code.
const (
	controlName      = "io.github.wifiprovd1"
	controlPath      = dbus.ObjectPath("/io/github/wifiprovd1")
	controlInterface = controlName
)

// terminalName would clear a terminal, and is not UTF-8.
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
	return append([]string{"busctl", command, controlName, string(controlPath), controlInterface, member}, args...)
}

// statusChanges returns the daemon's signals from now on.
func statusChanges(t testing.TB) <-chan *dbus.Signal {
	t.Helper()
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	signals := make(chan *dbus.Signal, 1000)
	conn.Signal(signals)
	if err := conn.AddMatchSignal(dbus.WithMatchSender(controlName), dbus.WithMatchInterface(msgbus.Properties),
		dbus.WithMatchArg(0, controlInterface)); err != nil {
		t.Fatal(err)
	}
	return signals
}

// statusIn returns the status that a signal carries; nil: none.
func statusIn(s *dbus.Signal) any {
	if s.Name != msgbus.PropertiesChanged {
		return nil
	}
	return s.Body[1].(map[string]dbus.Variant)["Status"].Value()
}

// changesTo waits for the next signal of a Status, which must be want.
func changesTo(t testing.TB, signals <-chan *dbus.Signal, want string) {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case s := <-signals:
			switch statusIn(s) {
			case nil:
			case want:
				return
			default:
				t.Fatalf("Status changes to %v, want %s", statusIn(s), want)
			}
		case <-late:
			t.Fatalf("no signal of Status %s", want)
		}
	}
}

// TestDBusInterface follows a gateway over its own interface on the bus, as an ordinary user, who
// may look but not erase.
func TestDBusInterface(t *testing.T) {
	home := AP{SSID: terminalName, Security: wifi.WPA2PSK, Passphrase: "the bus does not tell"}
	g := start(t, situation{aps: []AP{home}})
	waitFor(t, "the daemon on the bus", patience, func() error {
		_, err := try(busctl("get-property", "Status")[0], busctl("get-property", "Status")[1:]...)
		return err
	})
	signals := statusChanges(t)
	out, err := asNobody("busctl", "introspect", controlName, string(controlPath))
	for _, want := range []string{".Erase", ".Status", `"IDLE"`, ".SSIDText", ".PropertiesChanged"} {
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("busctl introspect has no %s: %v\n%s", want, err, out)
		}
	}
	if code, out := exitStatus(t, "runuser", "-u", "nobody", "--", "wifiprovctl", "status"); code != 0 || !strings.Contains(out, "Status       IDLE\n") ||
		!strings.Contains(out, "Advertising  on hci0\n") || !strings.Contains(out, "Next         waiting for a phone\n") {
		t.Errorf("status ends with %d and says\n%s", code, out)
	}
	introspectsAsInstalled(t)

	p := g.joined(home)
	changesTo(t, signals, "CONNECTING")
	changesTo(t, signals, "CONNECTED")
	propertiesAre(t, map[string]string{
		"Status":   `s "CONNECTED"`,
		"SSID":     "ay 9 99 97 102 27 91 50 74 34 255",
		"Centrals": `as 1 "` + adapterAddress(t, phoneHCI) + `"`,
		"Reason":   `s "none"`,
		"BSSID":    `s "` + radio(1).bssid(t) + `"`,
		"AKM":      `s "WPA2-PSK"`,
	})
	statusTells(t, home)
	onlyLooks(t)
	stillConnected(t, signals)

	p.leave()
	run(t, "busctl", busctl("call", "Erase")[1:]...)
	changesTo(t, signals, "IDLE")
	g.event("erase-requested", "WIFIPROVD_UID=0")
	g.becomes(central.StatusIdle)
	if text, err := os.ReadFile(storeFile); err != nil || strings.Contains(string(text), "caf") {
		t.Errorf("the store after an erase: %v\n%s", err, text)
	}
}

// introspectsAsInstalled checks that the daemon introspects as the installed file describes it.
func introspectsAsInstalled(t testing.TB) {
	file, err := os.ReadFile("/usr/share/dbus-1/interfaces/io.github.wifiprovd1.xml")
	if err != nil {
		t.Error(err)
	}
	var answered string
	if err := bus(t).Object(controlName, controlPath).Call(msgbus.Introspectable+".Introspect", 0).Store(&answered); err != nil || answered != string(file) {
		t.Errorf("the daemon introspects as %v\n%s", err, answered)
	}
}

// propertiesAre checks the daemon's properties as busctl shows them to an ordinary user.
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
	for _, command := range [][]string{busctl("call", "Erase"), busctl("set-property", "Status", "s", "IDLE")} {
		if out, err := asNobody(command...); err == nil || !strings.Contains(err.Error(), "ccess denied") && !strings.Contains(err.Error(), "AccessDenied") {
			t.Errorf("%v of an ordinary user: %s, %v", command, out, err)
		}
	}
}

// stillConnected checks that the gateway is CONNECTED and that no Status was signalled since the one
// that was waited for last.
func stillConnected(t testing.TB, signals <-chan *dbus.Signal) {
	t.Helper()
	for len(signals) > 0 {
		if status := statusIn(<-signals); status != nil {
			t.Errorf("Status changes to %v", status)
		}
	}
	propertiesAre(t, map[string]string{"Status": `s "CONNECTED"`})
}

// statusTells checks what wifiprovctl status shows to an ordinary user of a gateway that has joined
// ap.
func statusTells(t testing.TB, ap AP) {
	t.Helper()
	out, err := asNobody("wifiprovctl", "status")
	if err != nil || !strings.Contains(out, `"caf\x1b[2J\"\xff" by access point`) || strings.Contains(out, "\x1b") || strings.Contains(out, ap.Passphrase) {
		t.Errorf("status: %v\n%q", err, out)
	}
	t.Logf("wifiprovctl status:\n%s", out)
	out, err = asNobody("wifiprovctl", "status", "--json")
	var s struct {
		Running, Advertising          bool
		Status, Message, Next, Reason string
		AdvertisingMessage            string `json:"advertising_message"`
		Since                         time.Time
		Centrals                      []string
		Network                       struct {
			Joined       bool
			SSIDHex      string `json:"ssid_hex"`
			BSSID, AKM   string
			FrequencyMHz int `json:"frequency_mhz"`
			IPv4         string
		}
	}
	if err != nil || json.Unmarshal([]byte(out), &s) != nil {
		t.Fatalf("status --json: %v\n%s", err, out)
	}
	if !s.Running || s.Status != "CONNECTED" || s.Message == "" || s.Next == "" || s.Reason != "none" || len(s.Centrals) != 1 ||
		!s.Advertising || s.AdvertisingMessage != "" {
		t.Errorf("status --json: %s", out)
	}
	if !s.Network.Joined || s.Network.SSIDHex != "6361661b5b324a22ff" || s.Network.BSSID != radio(1).bssid(t) || s.Network.AKM != "WPA2-PSK" ||
		s.Network.FrequencyMHz != 2412 || s.Network.IPv4 != leased(t)[0].Addr().String() || time.Since(s.Since) > time.Hour {
		t.Errorf("status --json: %s", out)
	}
}
