// Package wpa joins a Wi-Fi network through wpa_supplicant's D-Bus interface
// (fi.w1.wpa_supplicant1, described in hostap's doc/dbus.doxygen), and tells
// why it could not.
//
// The network interface belongs to the Client alone: networks that anybody else
// configured in wpa_supplicant for it are removed by Join and Leave.
package wpa

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// How long to wait. Variables only so that a test can shorten them.
var (
	dialTimeout = 10 * time.Second       // to connect to the message bus
	callTimeout = 5 * time.Second        // for one answer of wpa_supplicant
	firstRetry  = 500 * time.Millisecond // between two looks for wpa_supplicant or the interface, growing
	lastRetry   = 5 * time.Second        // to this
	scanPause   = 500 * time.Millisecond // for a busy radio, unless its scan ends before
	startWithin = 3 * time.Second        // for wpa_supplicant to begin with an access point heard before
	releaseTime = 2 * time.Second        // after NetworkManager, for what it takes along
	lostAfter   = 2 * time.Second        // without the connection, until it counts as lost
)

// Options are what a Client needs to know.
type Options struct {
	Interface string // network interface, as in wlan0
	Country   string // ISO 3166-1 alpha-2; empty: left as it is
	Log       *slog.Logger

	// OnLost is called once when the connection that the last Join made is
	// lost, never after a later Join or Leave began. Roaming and rekeying are
	// not a loss. detail is for a person.
	OnLost func(detail string)

	// OnAvailable is called when networks can be joined (up) or cannot be
	// joined any more, and when the reason why not changes. detail tells a
	// person the reason and what to do.
	OnAvailable func(up bool, detail string)

	// Dial returns a message bus connection of the Client's own, with
	// dbus.NewSequentialSignalHandler. nil: the system bus.
	Dial func(ctx context.Context) (*dbus.Conn, error)
}

// Client is one network interface, driven through wpa_supplicant. The callbacks
// in its Options must return soon and must not call the Client.
type Client struct {
	opts Options
	sys  string // where sysfs is mounted

	poke   chan struct{} // makes Run look at link again
	checks chan struct{} // makes Run ask whether wpa_supplicant answers

	pinging  sync.Mutex // held by the one that asks
	released backoff    // of Run alone: until NetworkManager has let go of the interface

	op      chan struct{} // held by whoever adds and removes networks
	joined  bool          // guarded by op: there was a Join before
	current *link         // guarded by op: whose network is in wpa_supplicant
	called  wifi.SSID     // guarded by op: heard only when LookFor called it by its name

	notify sync.Mutex // held while OnLost runs; taken before mu

	mu        sync.Mutex
	changed   chan struct{} // closed and replaced whenever what follows changes
	dev       *device       // nil: wpa_supplicant or the interface is not there
	down      string        // why networks cannot be joined; empty: they can
	managed   bool          // by NetworkManager: hands off
	sweep     bool          // networks are to be removed as soon as dev is there, and nobody else manages it
	attempt   *attempt      // the running Join's, follows dev's state
	link      *link         // the connection that the last Join made
	looked    time.Time     // when the last Look began
	lookedFor time.Time     // when the last LookFor began
	stopLook  func()        // ends whichever runs, or the last Around; nil: there was none
	heard     time.Time     // when the last scan of theirs ended
}

// New returns a Client. It does nothing until Run is called.
func New(opts Options) *Client {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.OnLost == nil {
		opts.OnLost = func(string) {}
	}
	if opts.OnAvailable == nil {
		opts.OnAvailable = func(bool, string) {}
	}
	if opts.Dial == nil {
		opts.Dial = dialSystemBus
	}
	return &Client{
		opts:    opts,
		sys:     "/sys",
		op:      make(chan struct{}, 1),
		poke:    make(chan struct{}, 1),
		checks:  make(chan struct{}, 1),
		changed: make(chan struct{}),
		down:    "wpa_supplicant has not been looked for yet",
	}
}

// Run keeps hold of wpa_supplicant and the interface, however often they go and
// come back. It returns nil when ctx ends, and an error when the message bus is
// lost.
func (c *Client) Run(ctx context.Context) error {
	conn, signals, err := c.connect(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	defer func() { _ = conn.Close() }()
	defer c.drop("Run has ended")

	var tidy sync.WaitGroup
	defer tidy.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()

	retry := &backoff{}
	c.checkManager(ctx, conn)
	c.attachOrRetry(ctx, conn, retry)
	for {
		select {
		case <-ctx.Done():
			return nil
		case signal, ok := <-signals:
			if !ok {
				if ctx.Err() != nil {
					return nil
				}
				return errors.New("the connection to the message bus is lost")
			}
			c.receive(ctx, conn, signal, retry)
		case <-retry.timer():
			c.attachOrRetry(ctx, conn, retry)
		case <-c.checks:
			tidy.Go(func() { c.ping(ctx, conn) })
		case <-c.released.timer():
			c.released.stop()
			c.setManaged(ctx, false)
			retry.reset()
		case <-c.poke:
		case <-c.lossTimer():
		}
		if lost := c.checkLink(); lost != nil {
			tidy.Go(func() { c.forget(ctx, lost) })
		}
		if c.missing() {
			retry.start()
		}
	}
}

// receive acts on a signal.
func (c *Client) receive(ctx context.Context, conn *dbus.Conn, signal *dbus.Signal, retry *backoff) {
	c.followManager(ctx, conn, signal)
	if c.handle(ctx, signal) {
		retry.reset()
		c.attachOrRetry(ctx, conn, retry)
	}
}

// connect connects to the message bus and subscribes to wpa_supplicant's signals.
func (c *Client) connect(ctx context.Context) (*dbus.Conn, <-chan *dbus.Signal, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to the message bus: %w", err)
	}
	signals := make(chan *dbus.Signal, 64)
	conn.Signal(signals)
	if err := subscribe(ctx, conn); err != nil {
		_ = conn.Close()
		return nil, nil, fmt.Errorf("subscribe to wpa_supplicant's signals: %w", err)
	}
	return conn, signals, nil
}

// dial connects with a deadline, which dbus.ConnectSystemBus does not have.
func (c *Client) dial(ctx context.Context) (*dbus.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	type result struct {
		conn *dbus.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		conn, err := c.opts.Dial(ctx)
		done <- result{conn, err}
	}()
	select {
	case r := <-done:
		return r.conn, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.err == nil {
				_ = r.conn.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

func dialSystemBus(context.Context) (*dbus.Conn, error) {
	return dbus.ConnectSystemBus(dbus.WithSignalHandler(dbus.NewSequentialSignalHandler()))
}

// wait returns nil as soon as cond is true. cond runs with c.mu held.
func (c *Client) wait(ctx context.Context, cond func() bool) error {
	for {
		c.mu.Lock()
		ok, changed := cond(), c.changed
		c.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// broadcast wakes up everybody in wait. c.mu is held.
func (c *Client) broadcast() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// backoff is a timer with growing pauses.
type backoff struct {
	pause time.Duration
	t     *time.Timer
}

func (b *backoff) reset() { b.stop(); b.pause = 0 }

func (b *backoff) stop() {
	if b.t != nil {
		b.t.Stop()
		b.t = nil
	}
}

// start sets the timer, unless it is set.
func (b *backoff) start() {
	if b.t == nil {
		b.pause = min(max(2*b.pause, firstRetry), lastRetry)
		b.t = time.NewTimer(b.pause)
	}
}

// timer returns a channel that never delivers while the timer is not set.
func (b *backoff) timer() <-chan time.Time {
	if b.t == nil {
		return nil
	}
	return b.t.C
}
