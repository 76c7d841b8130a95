package native

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/profile"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const (
	phone  = "AA:BB:CC:00:00:01"
	phone2 = "AA:BB:CC:00:00:02"
	secret = "correct horse battery"
)

const (
	connect = string(rune(ControlConnect))
	erase   = string(rune(ControlErase))
)

var _ profile.Profile = (*Profile)(nil)

// recorder is a Control that remembers what it was asked for.
type recorder struct {
	gateway.Control // panics when it is asked for more

	busyFor   gatt.Central // whose attempt runs; empty: none
	answer    error
	asked     []string
	prepared  []wifi.SSID
	taken     []wifi.Credentials
	refreshed int

	mu    sync.Mutex
	scans int
	ends  chan scanned // what the scans that run return
}

type scanned struct {
	found []wifi.Offer
	err   error
}

func (d *recorder) Busy(r gateway.Requester) bool {
	return d.busyFor != "" && d.busyFor != r.Central()
}

func (d *recorder) Prepare(ssid wifi.SSID) { d.prepared = append(d.prepared, ssid) }

func (d *recorder) Connect(r gateway.Requester, c wifi.Credentials) error {
	d.asked = append(d.asked, fmt.Sprintf("connect %s %s %s %q", r, c.SSID, c.Security, c.Passphrase.Bytes()))
	d.taken = append(d.taken, c)
	return d.answer
}

func (d *recorder) Erase(r gateway.Requester) error {
	d.asked = append(d.asked, fmt.Sprintf("erase %s", r))
	return d.answer
}

func (d *recorder) SetCountry(r gateway.Requester, c wifi.Country) error {
	d.asked = append(d.asked, fmt.Sprintf("country %s %s", r, c))
	return d.answer
}

func (d *recorder) Refresh() { d.refreshed++ }

func (d *recorder) Scan(ctx context.Context) ([]wifi.Offer, error) {
	d.mu.Lock()
	d.scans++
	d.mu.Unlock()
	select {
	case end := <-d.ends:
		return end.found, end.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// notification is what a subscriber has received.
type notification struct {
	uuid  string
	value []byte
}

// client writes and reads as phones do, and is subscribed to everything.
type client struct {
	t        testing.TB
	control  *recorder
	programs *programs
	profile  *Profile
	log      bytes.Buffer
	now      *gateway.Snapshot

	mu       sync.Mutex
	notified []notification
}

func newClient(t testing.TB) *client {
	c := &client{t: t, control: &recorder{ends: make(chan scanned)}, now: &gateway.Snapshot{}}
	c.programs = &programs{answers: make(chan programAnswer)}
	log := slog.New(slog.NewTextHandler(&c.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c.profile = New(Config{
		Control: c.control,
		Scans:   profile.NewScanner(c.control.Scan, log),
		Device:  Device{Name: "a \"gateway\"", Model: "board\x00\x1b", Version: "v1", Security: "encrypt"},
		Pairing: gatt.Encrypt,
		Log:     log,
		Deliver: c.programs.deliver,
	})
	for _, ch := range c.characteristics() {
		if ch.Notify != nil {
			ch.Notify.Bind(func(v []byte) {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.notified = append(c.notified, notification{ch.UUID, v})
			})
		}
	}
	return c
}

func (c *client) characteristics() (all []*gatt.Characteristic) {
	for _, s := range c.profile.Services() {
		all = append(all, s.Characteristics...)
	}
	return all
}

func (c *client) find(uuid string) *gatt.Characteristic {
	c.t.Helper()
	list := c.characteristics()
	i := slices.IndexFunc(list, func(ch *gatt.Characteristic) bool { return ch.UUID == uuid })
	if i < 0 {
		c.t.Fatalf("there is no %s", uuid)
	}
	return list[i]
}

func (c *client) write(central gatt.Central, uuid, value string) error {
	c.t.Helper()
	return c.find(uuid).Write(gatt.Request{Central: central, MTU: 23}, []byte(value))
}

// ok writes values, given as UUID and value in turn, which must all be accepted.
func (c *client) ok(central gatt.Central, writes ...string) {
	c.t.Helper()
	for i := 0; i < len(writes); i += 2 {
		if err := c.write(central, writes[i], writes[i+1]); err != nil {
			c.t.Fatalf("%s: %v", writes[i], err)
		}
	}
}

// read reads like a phone with an MTU of 23: in pieces of 22 bytes.
func (c *client) read(central gatt.Central, uuid string) []byte {
	c.t.Helper()
	var whole []byte
	for {
		value, err := c.find(uuid).Read(gatt.Request{Central: central, Offset: uint16(len(whole))})
		if err != nil || len(value) > gatt.MaxValue || len(value) < len(whole) {
			c.t.Fatalf("read %s at %d: %d bytes, %v", uuid, len(whole), len(value), err)
		}
		piece := value[len(whole):]
		if len(piece) < 22 {
			return append(whole, piece...)
		}
		whole = append(whole, piece[:22]...)
	}
}

// change publishes the next Snapshot, which differs from the one before by change.
func (c *client) change(change func(*gateway.Snapshot)) {
	before, now := c.now, *c.now
	change(&now)
	c.now = &now
	c.profile.Changed(before, c.now)
}

// turn publishes a new turn.
func (c *client) turn(status gateway.Status, reason wifi.Failure) {
	c.change(func(s *gateway.Snapshot) { s.Turn, s.Status, s.Reason = s.Turn+1, status, reason })
}

// asked fails the test unless this is all that the gateway was asked for.
func (c *client) asked(want ...string) {
	c.t.Helper()
	if !slices.Equal(c.control.asked, want) {
		c.t.Errorf("the gateway was asked for %q, want %q", c.control.asked, want)
	}
	c.control.asked = nil
}

// told fails the test unless this is all that was notified, in this order.
func (c *client) told(want ...notification) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if fmt.Sprint(c.notified) != fmt.Sprint(want) {
		c.t.Errorf("notified %v, want %v", c.notified, want)
	}
	c.notified = nil
}

// staged returns what central has staged. The password is not a copy.
func (c *client) staged(central gatt.Central) (staged wifi.Credentials) {
	c.profile.staged.Look(central, func(s *wifi.Credentials) { staged = *s })
	return staged
}

// held returns the password that central has staged, not a copy.
func (c *client) held(central gatt.Central) []byte { return c.staged(central).Passphrase.Bytes() }

// scans fails the test unless so many scans were started since the beginning. In a bubble.
func (c *client) scans(want int) {
	c.t.Helper()
	synctest.Wait()
	c.control.mu.Lock()
	defer c.control.mu.Unlock()
	if c.control.scans != want {
		c.t.Errorf("%d scans, want %d", c.control.scans, want)
	}
}

// scanned ends the scan that runs. In a bubble.
func (c *client) scanned(found []wifi.Offer, err error) {
	c.control.ends <- scanned{found, err}
	synctest.Wait()
}

// sleep lets fake time pass, and what is due in it happen.
func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
