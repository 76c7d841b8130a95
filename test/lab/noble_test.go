//go:build lab

package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// noble is a phone whose host stack is not BlueZ: noble/phone.js, with the controller phoneHCI to
// itself. It pairs by LE Legacy Just Works and keeps no keys.
type noble struct {
	t       testing.TB
	address string
}

// nobleEvent is a line of what phone.js prints.
type nobleEvent struct {
	Event string `json:"event"`
	Code  int    `json:"code"`
}

// What phone.js exits with.
const (
	nobleConnected = 0
	nobleFailed    = 1
	nobleRefused   = 2
)

func newNoble(t testing.TB) *noble {
	t.Helper()
	return &noble{t: t, address: adapterAddress(t, phoneHCI)}
}

// provision connects to the gateway, has it try the networks in turn until it is on one, and leaves.
// It returns what happened, which ends with exit status want.
func (n *noble) provision(want int, networks ...AP) []nobleEvent {
	n.t.Helper()
	type network struct {
		SSID     string `json:"ssid"`
		Password string `json:"password"`
	}
	task := struct {
		Adapter  int       `json:"adapter"`
		Networks []network `json:"networks"`
	}{Adapter: 1}
	for _, ap := range networks {
		secret(n.t, ap.SSID, ap.Passphrase)
		task.Networks = append(task.Networks, network{ap.SSID, ap.Passphrase})
	}
	input, err := json.Marshal(task)
	if err != nil {
		n.t.Fatal(err)
	}

	waitAdvertising(n.t)
	defer n.takeController()()
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "node", "/usr/lib/lab/noble/phone.js")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &stdout, &stderr
	err = cmd.Run()
	n.t.Logf("noble:\n%s%s", stdout.String(), stderr.String())
	if got := cmd.ProcessState.ExitCode(); got != want {
		n.t.Fatalf("noble: %v, want exit status %d", err, want)
	}
	var events []nobleEvent
	for line := range strings.Lines(stdout.String()) {
		var e nobleEvent
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			n.t.Fatalf("%v: %q", err, line)
		}
		events = append(events, e)
	}
	return events
}

// takeController takes the controller away from bluetoothd. What it returns waits until bluetoothd
// has it back, and the gateway is alone.
func (n *noble) takeController() func() {
	n.t.Helper()
	adapter := bus(n.t).Object("org.bluez", "/org/bluez/"+phoneHCI)
	if err := adapter.SetProperty("org.bluez.Adapter1.Powered", dbus.MakeVariant(false)); err != nil {
		n.t.Fatal(err)
	}
	return func() {
		n.t.Helper()
		waitFor(n.t, phoneHCI+" back", patience, func() error {
			powered, err := adapter.GetProperty("org.bluez.Adapter1.Powered")
			if err == nil && powered.Value() != true {
				_ = adapter.SetProperty("org.bluez.Adapter1.Powered", dbus.MakeVariant(true))
				err = errors.New("it is off")
			}
			return err
		})
		waitGone(n.t, n.address)
	}
}

// happened checks that these events are among those that happened, in this order. A want is an event's
// name, and its code if it has one.
func (n *noble) happened(events []nobleEvent, want ...string) {
	n.t.Helper()
	var all []string
	for _, e := range events {
		all = append(all, e.Event, fmt.Sprintf("%s %d", e.Event, e.Code))
	}
	rest := all
	for _, w := range want {
		i := slices.Index(rest, w)
		if i < 0 {
			n.t.Fatalf("no %q in its place, want %q", w, want)
		}
		rest = rest[i+1:]
	}
}

// never checks that no event of this name happened.
func (n *noble) never(events []nobleEvent, name string) {
	n.t.Helper()
	if i := slices.IndexFunc(events, func(e nobleEvent) bool { return e.Event == name }); i >= 0 {
		n.t.Errorf("unwanted: %+v", events[i])
	}
}

func eventCode[T ~byte | ~int](name string, code T) string {
	return fmt.Sprintf("%s %d", name, int(code))
}

// TestNobleNone: without pairing.
func TestNobleNone(t *testing.T) {
	home := AP{SSID: "noble in plaintext", Security: wifi.WPA2PSK, Passphrase: "a passphrase for noble 1"}
	g := start(t, situation{aps: []AP{home}, config: map[string]string{"bluetooth.security": "none"}})
	n := newNoble(t)
	events := n.provision(nobleConnected, home)
	n.happened(events, "found", "connected", "discovered",
		eventCode("status", central.StatusConnecting), eventCode("status", central.StatusConnected),
		eventCode("read-reason", wifi.FailureNone), "read-network")
	n.never(events, "att-error")
	n.never(events, "encrypted")
	g.stores(&home)
	waitFor(t, "online", patience, func() error { return g.online(1) })
	if err := g.noBond(n.address); err != nil {
		t.Error(err)
	}
}

// TestNobleEncrypt pairs because the gateway asks for it, mistypes the password, reads why that failed, and
// corrects it, all in one connection.
func TestNobleEncrypt(t *testing.T) {
	home := AP{SSID: "noble encrypted", Security: wifi.WPA2PSK, Passphrase: "a passphrase for noble 2"}
	mistyped := home
	mistyped.Passphrase = "a wrong passphrase for noble 2"
	g := start(t, situation{aps: []AP{home}})
	n := newNoble(t)
	events := n.provision(nobleConnected, mistyped, home)
	n.happened(events, "found", "connected", "discovered",
		eventCode("att-error", attInsufficientEncryption), "encrypted", "subscribed",
		"asked", eventCode("status", central.StatusConnecting), eventCode("reason", wifi.FailureWrongPassword),
		eventCode("status", central.StatusFailed), eventCode("read-reason", wifi.FailureWrongPassword),
		"asked", eventCode("status", central.StatusConnecting), eventCode("status", central.StatusConnected),
		eventCode("read-reason", wifi.FailureNone), "read-network")
	n.never(events, "pairing-failed")
	g.stores(&home)
	waitFor(t, "online", patience, func() error { return g.online(1) })
	if !g.bonded(n.address) {
		t.Error("there is no bond")
	}
}

// TestNobleForgets: a phone that has lost its key, as noble does at the end of each connection, pairs again.
func TestNobleForgets(t *testing.T) {
	home := AP{SSID: "noble forgets", Security: wifi.WPA2PSK, Passphrase: "a passphrase for noble 3"}
	g := start(t, situation{aps: []AP{home}})
	n := newNoble(t)
	for range 2 {
		events := n.provision(nobleConnected, home)
		n.happened(events, eventCode("att-error", attInsufficientEncryption), "encrypted", eventCode("status", central.StatusConnected))
		if !g.bonded(n.address) {
			t.Fatal("there is no bond")
		}
	}
	g.stores(&home)
}

// TestNobleAuthenticated: a phone that cannot type a passkey is told that it has to pair, cannot, and gets nothing. The
// gateway serves the next phone.
func TestNobleAuthenticated(t *testing.T) {
	open := AP{SSID: "authenticated after noble", Security: wifi.Open}
	g := start(t, situation{aps: []AP{open}, config: map[string]string{"bluetooth.security": "authenticated"}})
	n := newNoble(t)
	events := n.provision(nobleRefused, open)
	n.happened(events, "found", "connected", "discovered", eventCode("att-error", attInsufficientAuthentication), "pairing-failed", "refused")
	n.never(events, "encrypted")
	n.never(events, "subscribed")
	g.stores(nil)
	if err := g.noBond(n.address); err != nil {
		t.Error(err)
	}

	g.from = g.journal.mark(t, "passkey")
	p := newPhone(t, "", g.passkey)
	p.find()
	p.pair()
	p.mayAll(g, open)
}
