package improv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/profile"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const (
	phone  = "AA:BB:CC:00:00:01"
	phone2 = "AA:BB:CC:00:00:02"
	ssid   = "home"
	secret = "correct horse battery"
)

var _ profile.Profile = (*Profile)(nil)

// fake is a gateway, and the daemon that tells the protocol of it.
type fake struct {
	gateway.Control // panics when it is asked for more

	c      *client
	answer error // of Connect
	asked  []string
	taken  []wifi.Credentials
	scans  chan []wifi.Offer // what the scans that run return; nil: a failure
}

func (f *fake) Busy(r gateway.Requester) bool { return f.c.now.Busy(r) }

// Connect shows the attempt before it answers, as the daemon does. Credentials that no network can
// have fail at once.
func (f *fake) Connect(r gateway.Requester, c wifi.Credentials) error {
	f.asked = append(f.asked, fmt.Sprintf("connect %s %s %s %q", r, c.SSID, c.Security, c.Passphrase.Bytes()))
	f.taken = append(f.taken, c)
	switch {
	case f.answer != nil:
		return f.answer
	case c.Problem() != "":
		f.c.fails(wifi.FailureInvalidCredentials)
	default:
		f.c.connecting(r)
	}
	return nil
}

func (f *fake) Scan(ctx context.Context) ([]wifi.Offer, error) {
	select {
	case found := <-f.scans:
		if found == nil {
			return nil, errors.New("no radio")
		}
		return found, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// hosts is a Hosts.
type hosts struct {
	mu   sync.Mutex
	name string
	err  error
}

func (h *hosts) Name(context.Context) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.name, h.err
}

func (h *hosts) SetName(_ context.Context, name string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil {
		h.name = name
	}
	return h.err
}

// client writes and reads as phones do, and is subscribed to everything.
type client struct {
	t          testing.TB
	control    *fake
	hosts      *hosts
	profile    *Profile
	scans      *profile.Scanner
	log        bytes.Buffer
	now        *gateway.Snapshot
	identified int

	mu       sync.Mutex
	notified []string // state 2, error 1, result 0100…
}

func newClient(t testing.TB, change ...func(*Config)) *client {
	c := &client{t: t, hosts: &hosts{name: "gateway"}, now: &gateway.Snapshot{Open: true}}
	c.control = &fake{c: c, scans: make(chan []wifi.Offer)}
	log := slog.New(slog.NewTextHandler(&c.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c.scans = profile.NewScanner(c.control.Scan, log)
	cfg := Config{
		Control: c.control, Scans: c.scans, Log: log, Hosts: c.hosts, Pairing: gatt.Encrypt,
		Device:   Device{Name: "a gateway", Model: "board\x00\x1b", Version: "v1"},
		URL:      "http://{address}/",
		Identify: func(gateway.Requester) error { c.identified++; return nil },
	}
	for _, f := range change {
		f(&cfg)
	}
	c.profile = New(cfg)
	for name, uuid := range map[string]string{"state": StateUUID, "error": ErrorUUID, "result": ResultUUID} {
		c.find(uuid).Notify.Bind(func(v []byte) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.notified = append(c.notified, fmt.Sprintf("%s %x", name, v))
		})
	}
	c.profile.Changed(nil, c.now)
	c.notified = nil
	return c
}

func (c *client) find(uuid string) *gatt.Characteristic {
	c.t.Helper()
	list := c.profile.Services()[0].Characteristics
	i := slices.IndexFunc(list, func(ch *gatt.Characteristic) bool { return ch.UUID == uuid })
	if i < 0 {
		c.t.Fatalf("there is no %s", uuid)
	}
	return list[i]
}

// change publishes the next Snapshot, which differs from the one before by change.
func (c *client) change(change func(*gateway.Snapshot)) {
	before, now := c.now, *c.now
	change(&now)
	c.now = &now
	c.profile.Changed(before, c.now)
}

func (c *client) connecting(r gateway.Requester) {
	c.change(func(s *gateway.Snapshot) {
		s.Turn++
		s.Owner, s.Status, s.Reason = r, gateway.Connecting, wifi.FailureNone
	})
}

func (c *client) fails(reason wifi.Failure) {
	c.change(func(s *gateway.Snapshot) {
		s.Turn++
		s.Owner, s.Status, s.Reason = gateway.Requester{}, gateway.Failed, reason
	})
}

func (c *client) connected() {
	c.change(func(s *gateway.Snapshot) {
		s.Turn++
		s.Owner, s.Status, s.Reason = gateway.Requester{}, gateway.Connected, wifi.FailureNone
	})
}

func (c *client) address(text string) {
	c.change(func(s *gateway.Snapshot) {
		s.Addresses = wifi.Addresses{}
		switch a := netip.MustParseAddr(text); {
		case a.Is4():
			s.Addresses.IPv4 = a
		default:
			s.Addresses.IPv6 = a
		}
	})
}

// packet returns a command.
func packet(command Command, data string) string {
	p := append([]byte{byte(command), byte(len(data))}, data...)
	return string(append(p, checksum(p)))
}

func wifiPacket(ssid, password string) string {
	return packet(CommandWifi, string(rune(len(ssid)))+ssid+string(rune(len(password)))+password)
}

// write writes a piece of a command.
func (c *client) write(central gatt.Central, piece string) error {
	c.t.Helper()
	value := []byte(piece)
	err := c.find(CommandUUID).Write(gatt.Request{Central: central, MTU: 517}, value)
	if len(value) > 0 && slices.Max(value) != 0 {
		c.t.Error("what was written is still in memory")
	}
	return err
}

func (c *client) ok(central gatt.Central, piece string) {
	c.t.Helper()
	if err := c.write(central, piece); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) read(central gatt.Central, uuid string) []byte {
	c.t.Helper()
	value, err := c.find(uuid).Read(gatt.Request{Central: central})
	if err != nil {
		c.t.Fatal(err)
	}
	return value
}

// told fails the test unless this is all that was notified, in this order, and can be read.
func (c *client) told(want ...string) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Equal(c.notified, want) {
		c.t.Errorf("notified %q, want %q", c.notified, want)
	}
	c.notified = nil
	for _, w := range want {
		name, value, _ := strings.Cut(w, " ")
		uuid := map[string]string{"state": StateUUID, "error": ErrorUUID}[name]
		if last := lastOf(want, name); uuid != "" && last == w && fmt.Sprintf("%x", c.read(phone, uuid)) != value {
			c.t.Errorf("%s reads % x after %s was notified", name, c.read(phone, uuid), value)
		}
	}
}

func lastOf(list []string, name string) (last string) {
	for _, s := range list {
		if strings.HasPrefix(s, name) {
			last = s
		}
	}
	return last
}

// shows fails the test unless this is the state.
func (c *client) shows(want State) {
	c.t.Helper()
	if got := c.read(phone, StateUUID); !bytes.Equal(got, []byte{byte(want)}) {
		c.t.Errorf("state % x, want %d", got, want)
	}
}

// asked fails the test unless this is all that the gateway was asked for.
func (c *client) asked(want ...string) {
	c.t.Helper()
	if !slices.Equal(c.control.asked, want) {
		c.t.Errorf("the gateway was asked for %q, want %q", c.control.asked, want)
	}
	c.control.asked = nil
}

// result returns what is told as the result of a command.
func result(command Command, strings ...string) string {
	return fmt.Sprintf("result %x", encode(command, strings...))
}

func open(until time.Time) func(*gateway.Snapshot) {
	return func(s *gateway.Snapshot) { s.Window = until }
}
