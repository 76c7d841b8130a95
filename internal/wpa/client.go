// Package wpa joins Wi-Fi networks through wpa_supplicant's D-Bus interface
// (fi.w1.wpa_supplicant1, described in hostap's doc/dbus.doxygen), and tells why one
// could not be joined.
//
// The network interface belongs to the Client alone: networks that anybody else
// configured in wpa_supplicant for it are removed by Join and Leave.
//
// One goroutine, that of Run, owns all that is known: the owner. It follows the
// signals, and never waits for an answer of another program. Everybody else posts to
// it, waits for a condition that it evaluates after each change (await), or reads the
// view that it publishes.
package wpa

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/nm"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Config is what a Client needs to know.
type Config struct {
	// Interface returns the name of the network interface, as in wlan0, and if there is none,
	// why. It is called from any goroutine, each time that the interface is looked for.
	Interface func() (name, missing string)
	Backend   Backend
	ScanIdle  bool // scan now and then while no network is joined

	// Stored reports whether a network is stored. While none is, a profile of ours in
	// NetworkManager is of an earlier run, and removed. It may be nil.
	Stored func() bool

	Bus string // the message bus's address; empty: the system bus
	Log *slog.Logger
}

// times are how long to wait for what.
type times struct {
	answer     time.Duration // one answer of wpa_supplicant
	firstRetry time.Duration // between two looks for wpa_supplicant or the interface; doubles
	lastRetry  time.Duration // up to this
	busyRadio  time.Duration // a busy radio, unless its scan ends before
	start      time.Duration // wpa_supplicant to begin with an access point heard before
	again      time.Duration // an access point that did not answer, before it is tried again
	release    time.Duration // what NetworkManager takes along when it lets go of the interface
	loss       time.Duration // a broken connection to come back before it counts as lost
	idleFirst  time.Duration // without a network, until the first scan that nobody asked for
	idlePause  time.Duration // between two of those; less than knownAge
}

var defaultTimes = times{
	answer:     5 * time.Second,
	firstRetry: 500 * time.Millisecond,
	lastRetry:  5 * time.Second,
	busyRadio:  500 * time.Millisecond,
	start:      3 * time.Second,
	again:      time.Second,
	release:    2 * time.Second,
	loss:       2 * time.Second,
	idleFirst:  10 * time.Second,
	idlePause:  150 * time.Second,
}

// Client is one network interface, driven through wpa_supplicant. Its methods may be
// called from any goroutine.
type Client struct {
	cfg   Config
	times times
	sysfs string // where it is mounted

	inbox *inbox
	ended chan struct{}        // closed when Run has ended
	view  atomic.Pointer[view] // never nil
	turns chan *turn           // holds the turn while nobody has it

	country atomic.Pointer[wifi.Country] // nil: left as it is
}

// view is what anybody may know at any moment. It is immutable.
type view struct {
	dev     *device     // nil: wpa_supplicant or the interface is not there
	problem string      // why networks cannot be joined; empty: they can, and dev is not nil
	backend Backend     // who keeps the networks
	manager *nm.Manager // of the interface; nil: Run has not begun, or has ended
	scans   *scans
}

// iface returns the name of the interface, empty if there has been none yet.
func (v *view) iface() string {
	if v.manager == nil {
		return ""
	}
	return v.manager.Interface()
}

// scans are those that the next Leave ends.
type scans struct {
	ctx context.Context
	end context.CancelFunc
}

func newScans() *scans {
	ctx, end := context.WithCancel(context.Background())
	return &scans{ctx, end}
}

// turn is the right to add and remove networks and to scan. It carries what one holder
// has to tell the next.
type turn struct {
	joined bool      // there was a Join before
	link   *Link     // whose network is in wpa_supplicant
	called wifi.SSID // the last network that was heard only when a scan called its name
	heard  time.Time // when the last scan for all networks ended
	sought wifi.SSID // the last network that a scan on all frequencies called
	asked  time.Time // when that was

	// With NetworkManager:
	kept   wifi.ID   // the target whose profile it keeps; 0: none, or one of an earlier run
	before nm.Device // what it was on before the trials that have failed since
}

// hasHeard reports whether, in the last minutes, a scan on all frequencies has heard all
// access points called ssid.
func (t *turn) hasHeard(ssid wifi.SSID) bool {
	return time.Since(t.heard) < knownAge || t.sought == ssid && time.Since(t.asked) < knownAge
}

// New returns a Client. Nothing works until Run is called.
func New(cfg Config) *Client {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	c := &Client{
		cfg: cfg, times: defaultTimes, sysfs: "/sys",
		inbox: newInbox(), ended: make(chan struct{}), turns: make(chan *turn, 1),
	}
	c.view.Store(&view{problem: "wpa_supplicant has not been looked for yet", scans: newScans()})
	c.turns <- &turn{}
	return c
}

// Run keeps hold of wpa_supplicant and the interface, however often they go and come
// back. It returns nil when ctx ends, and an error when the message bus is lost. It
// may be called once.
//
// usable is called whenever networks can be joined (problem is empty) or cannot be
// joined any more, and when the reason changes; problem tells a person the reason
// and what to do. iface is the interface; empty: there is none. It must return soon.
func (c *Client) Run(ctx context.Context, usable func(iface, backend, problem string)) error {
	defer close(c.ended)
	conn, signals, err := c.dial(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	defer func() { _ = conn.Close() }()
	o := newOwner(ctx, c, conn, usable)
	defer o.end()
	// The connection ends with ctx, and may do so before the owner's own context does.
	if err := o.serve(signals); ctx.Err() == nil {
		return err
	}
	return nil
}

// Check finds out, without waiting for it, whether wpa_supplicant still answers. While
// it does not, networks cannot be joined, which Run's usable tells.
func (c *Client) Check() { c.inbox.post((*owner).ping) }

// Look has the interface looked for again: it may have got another name, or another one may
// have come in its place.
func (c *Client) Look() {
	c.inbox.post(func(o *owner) {
		o.trouble.retry, o.trouble.moved = backoff{}, o.station != nil
	})
}

// Prepare says that a Join of ssid is likely to come or, if ssid is empty, of a network
// that is not known yet: a central has connected. It returns at once. Meanwhile the
// Client scans, unless it did a moment ago, so that Join finds fresh results; a Join
// waits for that scan, a Leave ends it.
func (c *Client) Prepare(ssid wifi.SSID) {
	c.inbox.post(func(o *owner) { o.ahead.prepare(o, ssid) })
}

// usable reports whether networks can be joined with dev.
func (v *view) usable(dev *device) bool { return v.dev == dev && v.problem == "" }

// isGone reports whether wpa_supplicant or the interface has gone since dev was there.
func (c *Client) isGone(dev *device) bool { return c.view.Load().dev != dev }

// take waits for the turn; give gives it back.
func (c *Client) take(ctx context.Context) (*turn, error) {
	select {
	case t := <-c.turns:
		return t, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *Client) give(t *turn) { c.turns <- t }

// on makes the owner run f with what is known of dev, unless dev has gone.
func (c *Client) on(dev *device, f func(*station)) {
	c.inbox.post(func(o *owner) {
		if s := o.station; s != nil && s.dev == dev {
			f(s)
		}
	})
}
