//go:build lab

package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// homeAssistant is a phone whose Improv side is Home Assistant's client library, unchanged:
// homeassistant/phone.py. Its Bluetooth is the lab's BlueZ.
type homeAssistant struct {
	t testing.TB
}

// haEvent is a line of what phone.py prints.
type haEvent struct {
	Event   string   `json:"event"`
	Data    string   `json:"data"`
	Needed  bool     `json:"needed"`
	Strings []string `json:"strings"`
	State   string   `json:"state"`
	Error   string   `json:"error"`
	URL     string   `json:"url"`
	Problem string   `json:"problem"`
}

// What phone.py exits with.
const (
	haProvisioned = 0
	haFailed      = 1
)

// newHomeAssistant skips the test where Debian does not have the library.
func newHomeAssistant(t testing.TB) *homeAssistant {
	t.Helper()
	release, err := os.ReadFile("/etc/os-release")
	if err == nil && bytes.Contains(release, []byte("VERSION_CODENAME=bookworm")) {
		t.Skip("bookworm has no python3-py-improv-ble-client")
	}
	if _, err := os.Stat("/usr/bin/python3"); errors.Is(err, fs.ErrNotExist) {
		t.Fatal("there is no Python in this machine: was the test not selected when it was made?")
	}
	return &homeAssistant{t}
}

// provision has the gateway try the networks in turn until it is on one. It returns what happened, which
// ends with exit status want.
func (h *homeAssistant) provision(want int, networks ...AP) (events []haEvent) {
	h.t.Helper()
	type network struct {
		SSID     string `json:"ssid"`
		Password string `json:"password"`
	}
	task := struct {
		Adapter  string    `json:"adapter"`
		Address  string    `json:"address"`
		Scan     bool      `json:"scan"`
		Networks []network `json:"networks"`
	}{Adapter: phoneHCI, Address: adapterAddress(h.t, gatewayHCI), Scan: true}
	for _, ap := range networks {
		secret(h.t, ap.SSID, ap.Passphrase)
		task.Networks = append(task.Networks, network{ap.SSID, ap.Passphrase})
	}
	input, err := json.Marshal(task)
	if err != nil {
		h.t.Fatal(err)
	}
	waitAdvertising(h.t)
	ctx, cancel := context.WithTimeout(context.Background(), 5*patience)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "python3", "/usr/lib/lab/homeassistant/phone.py")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &stdout, &stderr
	err = cmd.Run()
	h.t.Logf("Home Assistant's library:\n%s%s", stdout.String(), stderr.String())
	waitGone(h.t, adapterAddress(h.t, phoneHCI))
	if got := cmd.ProcessState.ExitCode(); got != want {
		h.t.Fatalf("phone.py: %v, want exit status %d", err, want)
	}
	for line := range strings.Lines(stdout.String()) {
		var e haEvent
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			h.t.Fatalf("%v: %q", err, line)
		}
		events = append(events, e)
	}
	return events
}

// TestHomeAssistant: in each security mode that it can pair in, Home Assistant's library finds the gateway, has it
// identify itself, reads the list of networks, is told that a wrong password is one, provisions the gateway, and gets
// the page to open.
func TestHomeAssistant(t *testing.T) {
	home := AP{SSID: "Home Assistant's home", Security: wifi.WPA2PSK, Passphrase: "a passphrase for the assistant"}
	mistyped := home
	mistyped.Passphrase = "a wrong one for the assistant"
	for _, security := range []string{"none", "encrypt"} {
		t.Run(security, func(t *testing.T) {
			h := newHomeAssistant(t)
			g := start(t, situation{aps: []AP{home}, config: both("bluetooth.security", security)})
			events := h.provision(haProvisioned, mistyped, home)
			scanned := slices.IndexFunc(events, func(e haEvent) bool { return e.Event == "scanned" })
			if scanned < 0 || len(events[scanned].Strings) < 3 || events[scanned].Strings[0] != home.SSID || events[scanned].Strings[2] != "WPA2" {
				t.Fatalf("scanned %+v", events)
			}
			events[scanned].Strings = nil
			want := []haEvent{
				{Event: "found", Data: "020f00000000"}, {Event: "identified"}, {Event: "authorization"}, {Event: "scanned"},
				{Event: "state", State: "PROVISIONING"}, {Event: "failed", Error: "UNABLE_TO_CONNECT"},
				{Event: "state", State: "PROVISIONING"}, {Event: "provisioned", URL: "http://" + leased(t)[0].Addr().String() + "/"},
				{Event: "left", State: "PROVISIONED"},
			}
			// The others come as a procedure ends, before it or after, or are the library's own: it disconnects.
			events = slices.DeleteFunc(events, func(e haEvent) bool {
				return e.Event == "state" && e.State != "PROVISIONING" || e.State == "DISCONNECTED"
			})
			if !reflect.DeepEqual(events, want) {
				t.Errorf("got  %+v\nwant %+v", events, want)
			}
			g.event("identify")
			g.fails(wifi.FailureWrongPassword)
			g.stores(&home)
			waitFor(t, "online", patience, func() error { return g.online(1) })
		})
	}
}

// TestHomeAssistantAuthorization: a gateway that wants a person to open the door says so, takes nothing before, and is provisioned then.
func TestHomeAssistantAuthorization(t *testing.T) {
	home := AP{SSID: "authorized home", Security: wifi.WPA2PSK, Passphrase: "a passphrase for later"}
	h := newHomeAssistant(t)
	g := start(t, situation{aps: []AP{home}, config: both("bluetooth.security", "none", "improv.authorize", "true")})
	events := h.provision(haFailed, home)
	for _, want := range []haEvent{{Event: "authorization", Needed: true}, {Event: "failed", Error: "NOT_AUTHORIZED"}} {
		if !slices.ContainsFunc(events, func(e haEvent) bool { return reflect.DeepEqual(e, want) }) {
			t.Errorf("no %+v", want)
		}
	}
	g.stores(nil)

	run(t, "wifiprovctl", "open")
	h.provision(haProvisioned, home)
	g.becomes(central.StatusConnected)
	g.stores(&home)
}
