package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/control"
	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/doctor"
	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// daemonOn puts a daemon's D-Bus interface on a bus of its own.
func daemonOn(t *testing.T) (*control.Server, string) {
	t.Helper()
	return controlled(t, doorman{}, false)
}

// controlled is daemonOn with what the methods ask, if the caller may.
func controlled(t *testing.T, c gateway.Control, may bool) (*control.Server, string) {
	t.Helper()
	bus := dbustest.Start(t)
	s := control.NewServer(control.ServerConfig{Version: "1.2.3", Security: gatt.Encrypt, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Bus: bus,
		Control: c, MayOperate: func(uint32) bool { return may }})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := control.Read(context.Background(), bus); err == nil {
			return s, bus
		} else if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	s, bus := daemonOn(t)
	s.Changed(&gateway.Snapshot{}, &gateway.Snapshot{
		Turn: 1, Status: gateway.Failed, Message: "no \x1b[2J", Next: "another attempt", Since: time.Now().Add(-time.Minute), Reason: wifi.FailureNotFound,
		Trying: gateway.Trying{SSID: "Home"}, Advertising: gateway.Advertising{Wanted: true, Problem: "BlueZ is gone"},
	})
	status, stdout, stderr := try(t, bus, "status")
	for _, want := range []string{"Status       FAILED\n", `Message      no \x1b[2J` + "\n", " (1m0s)\n", "Next         another attempt\n", "Reason       not-found (2)\n",
		"Network      \"Home\", not joined\n", "Phones       none connected\n", "Advertising  no: BlueZ is gone\n", "1.2.3, security encrypt\n"} {
		if status != exitOK || !strings.Contains(stdout, want) {
			t.Errorf("exit status %d, want %q in\n%s%s", status, want, stdout, stderr)
		}
	}
}

// doorman is a gateway that can only be opened and closed.
type doorman struct {
	gateway.Control
	asked chan string
}

func (d doorman) Open(_ gateway.Requester, window time.Duration) error {
	d.asked <- "open " + window.String()
	return nil
}

func (d doorman) Close(gateway.Requester) error { d.asked <- "close"; return nil }

func TestOpenAndClose(t *testing.T) {
	t.Parallel()
	d := doorman{asked: make(chan string, 8)}
	s, bus := controlled(t, d, true)
	for _, c := range []struct{ args, want string }{{"open", "open 0s"}, {"open --for 2m", "open 2m0s"}, {"close", "close"}} {
		status, stdout, stderr := try(t, bus, strings.Fields(c.args)...)
		if status != exitOK || stdout+stderr != "" {
			t.Fatalf("%s: exit status %d: %s%s", c.args, status, stdout, stderr)
		}
		if got := <-d.asked; got != c.want {
			t.Errorf("%s asks for %s", c.args, got)
		}
	}
	s.Changed(&gateway.Snapshot{}, &gateway.Snapshot{Window: time.Now().Add(time.Minute)})
	if _, stdout, _ := try(t, bus, "status"); !strings.Contains(stdout, "Window       open for another ") {
		t.Errorf("it shows\n%s", stdout)
	}
	_, bus = daemonOn(t)
	for _, command := range []string{"open", "close"} {
		if status, _, stderr := try(t, bus, command); status != exitError || !strings.Contains(stderr, "use sudo") {
			t.Errorf("%s: exit status %d: %s", command, status, stderr)
		}
		if status, _, stderr := try(t, dbustest.Start(t), command); status != exitNotRunning || !strings.Contains(stderr, "systemctl start wifiprovd") {
			t.Errorf("%s without a daemon: exit status %d: %s", command, status, stderr)
		}
	}
}

func TestStatusOfAJoinedNetwork(t *testing.T) {
	t.Parallel()
	s, bus := daemonOn(t)
	hostile := wifi.Network{SSID: "a\x1b[2J\"\xff", BSSID: "02:00:00:00:00:01", FrequencyMHz: 2412, SignalDBm: -40, AKM: wifi.AKMSAE}
	s.Changed(&gateway.Snapshot{}, &gateway.Snapshot{
		Turn: 1, Status: gateway.Connected, Since: time.Now(), Network: &hostile, Centrals: []gatt.Central{"A"},
		Addresses:   wifi.Addresses{IPv4: netip.MustParseAddr("192.0.2.7"), Gateway: netip.MustParseAddr("192.0.2.1")},
		Advertising: gateway.Advertising{Wanted: true, Adapter: "hci0"},
	})
	_, stdout, _ := try(t, bus, "status")
	if !strings.Contains(stdout, `Network      "a\x1b[2J\"\xff" by access point 02:00:00:00:00:01 at 2412 MHz, -40 dBm, SAE`) ||
		!strings.Contains(stdout, "Address      192.0.2.7, gateway 192.0.2.1\n") || !strings.Contains(stdout, "Phone        A\n") || !strings.Contains(stdout, "Advertising  on hci0\n") || strings.Contains(stdout, "Reason") {
		t.Errorf("it shows\n%s", stdout)
	}
	status, stdout, _ := try(t, bus, "status", "--json")
	var got struct {
		Running    bool
		ReasonCode int `json:"reason_code"`
		Centrals   []string
		Network    struct {
			Joined  bool
			SSID    string
			SSIDHex string `json:"ssid_hex"`
			IPv4    string
		}
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || status != exitOK || strings.Contains(stdout, "\x1b") {
		t.Fatalf("exit status %d, %v:\n%q", status, err, stdout)
	}
	if !got.Running || got.Network.SSIDHex != "611b5b324a22ff" || got.Network.IPv4 != "192.0.2.7" || strings.Contains(stdout, "ipv6") || got.Network.SSID != `a\x1b[2J\"\xff` || !got.Network.Joined || got.Centrals[0] != "A" || got.ReasonCode != 0 {
		t.Errorf("it shows %s", stdout)
	}
}

// The code is a line of the status and a key of its JSON.
func TestStatusOfTheCode(t *testing.T) {
	t.Parallel()
	s, bus := daemonOn(t)
	if _, stdout, _ := try(t, bus, "status"); strings.Contains(stdout, "Code ") {
		t.Errorf("before it is known:\n%s", stdout)
	}
	for want, now := range map[string]gateway.Snapshot{
		"none\n":                      {Code: gateway.CodeNone},
		"none, so nobody can":         {Code: gateway.CodeNone, CodeRequired: true},
		"set: phones must prove it\n": {Code: gateway.CodeSet, CodeRequired: true},
		"set, but phones may":         {Code: gateway.CodeSet},
		"cannot be used, so nobody":   {Code: gateway.CodeUnreadable, CodeRequired: true},
		"cannot be used: see":         {Code: gateway.CodeUnreadable},
	} {
		s.Changed(&gateway.Snapshot{}, &now)
		if _, stdout, _ := try(t, bus, "status"); !strings.Contains(stdout, "Code         "+want) {
			t.Errorf("want %q in\n%s", want, stdout)
		}
		_, stdout, _ := try(t, bus, "status", "--json")
		var got struct {
			Code     string
			Required bool `json:"code_required"`
		}
		if err := json.Unmarshal([]byte(stdout), &got); err != nil || got.Code != now.Code.String() || got.Required != now.CodeRequired {
			t.Errorf("%v, %+v in %s", err, got, stdout)
		}
	}
}

func TestStatusWithoutADaemon(t *testing.T) {
	t.Parallel()
	bus := dbustest.Start(t)
	for _, args := range [][]string{{"status"}, {"status", "--json"}} {
		status, stdout, stderr := try(t, bus, args...)
		if status != exitNotRunning || !strings.Contains(stderr, "systemctl start wifiprovd") || (len(args) > 1) != strings.Contains(stdout, `"running": false`) {
			t.Errorf("exit status %d\n%s%s", status, stdout, stderr)
		}
	}
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	bus := dbustest.Start(t)
	config := filepath.Join(t.TempDir(), "wifiprovd.yaml")
	if err := os.WriteFile(config, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	status, stdout, stderr := try(t, bus, "doctor", "--config", config)
	if status != exitError || !strings.Contains(stdout, "OK     configuration   ") || !strings.Contains(stdout, "WRONG  bluetoothd      bluetoothd is not running\n") ||
		!strings.Contains(stdout, " -> systemctl enable --now bluetooth\n") || !strings.Contains(stderr, "something is wrong") {
		t.Errorf("exit status %d\n%s%s", status, stdout, stderr)
	}
	status, stdout, _ = try(t, bus, "doctor", "--json", "--config", config)
	var report struct {
		OK     bool
		Checks []doctor.Result
	}
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || status != exitError || report.OK || report.Checks[0].Verdict != doctor.OK {
		t.Errorf("exit status %d, %v\n%s", status, err, stdout)
	}
}
