// Package daemon runs the state machine: one loop takes events, asks internal/fsm
// what to do, and has it done by the ports: wpa_supplicant, the store, BlueZ,
// systemd. The loop is the only writer of the state and never blocks.
package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wifiprovd/wifiprovd/internal/bluez"
	"github.com/wifiprovd/wifiprovd/internal/fsm"
	"github.com/wifiprovd/wifiprovd/internal/netaddr"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
	"github.com/wifiprovd/wifiprovd/internal/wpa"
)

// Supplicant joins networks; internal/wpa is one.
type Supplicant interface {
	// Join returns the network it joined, or an error that carries a wifi.Failure.
	Join(ctx context.Context, r wpa.Request) (wifi.Network, error)
	// Watch allows LinkLost to be told of what Join has joined.
	Watch()
	// Leave disconnects and removes what Join added.
	Leave(ctx context.Context) error
	// Look scans ahead of a Join that is likely to come.
	Look(ctx context.Context)
	// LookFor does so for one network, if it was not heard of lately.
	LookFor(ctx context.Context, ssid wifi.SSID)
	// Around returns the networks that can be heard.
	Around(ctx context.Context) ([]wifi.Offer, error)
	// Current returns the network that is joined, as it is now.
	Current(ctx context.Context) (wifi.Network, error)
	// Check finds out whether wpa_supplicant still answers, without waiting for it.
	Check()
}

// Peripheral is the gateway's Bluetooth LE side; internal/bluez is one.
type Peripheral interface {
	// Advertise switches advertising on or off, without waiting for it.
	Advertise(on bool)
	// Check finds out whether bluetoothd still answers, without waiting for it.
	Check()
	// RemoveBond deletes the keys shared with a central. No such bond is no error.
	RemoveBond(ctx context.Context, b bluez.Bond) error
}

// Config is what a Daemon needs.
type Config struct {
	Log             *slog.Logger
	Store           Store
	Supplicant      Supplicant
	Peripheral      Peripheral
	Publish         func(fsm.Status, wifi.Failure) // shows the status to phones, without waiting for it
	Report          func(Report)                   // shows operators the state, without waiting for it; may be nil
	Trying          func(wifi.SSID)                // tells them which network is tried; may be nil
	PublishReason   func(wifi.Failure)             // shows another reason for the same status, as Publish does
	Details         Details                        // shows phones the network, and what else is around
	CentralGone     func(address string)           // tells the profiles that a central has left
	ConnectTimeout  time.Duration                  // for one attempt to join
	AddressTimeout  time.Duration                  // for an IP address after that
	KeepAdvertising bool                           // after CONNECTED
	Name            string                         // what is advertised
	Security        string                         // the security mode, by its name in the configuration
}

// Deadlines of slow work.
const (
	leaveTimeout = 10 * time.Second
	lookTimeout  = 15 * time.Second
	bondTimeout  = 15 * time.Second
	askTimeout   = 5 * time.Second
)

// Daemon is the loop with its state.
type Daemon struct {
	Config
	vault    vault
	notify   notifier
	events   chan fsm.Event
	requests chan request
	findable chan struct{} // the advertisement is up
	bound    chan netaddr.State
	seen     chan wifi.Network // the joined network, as it is now
	done     chan struct{}     // closed when Run returns

	// Of the loop alone.
	state      fsm.State
	timers     map[fsm.TimerKind]*time.Timer
	cancelJoin context.CancelFunc
	joined     bool // since the daemon has started
	reported   Report
	network    joinedNetwork

	snapshot   atomic.Pointer[fsm.State]
	latestSSID atomic.Pointer[wifi.SSID] // of the latest attempt
	refreshed  atomic.Int64              // when the joined network was looked at last, ns after the start
	centrals   atomic.Int32              // that are connected
	eraser     atomic.Pointer[string]    // who wrote the last ERASE
	storeWork  worker
	wifiWork   worker
	bondWork   worker
}

// New returns a daemon that Run starts.
func New(c Config) *Daemon {
	d := &Daemon{
		Config:     c,
		vault:      vault{store: c.Store},
		notify:     notifier{log: c.Log},
		events:     make(chan fsm.Event, queueLen),
		requests:   make(chan request),
		findable:   make(chan struct{}, queueLen),
		bound:      make(chan netaddr.State, queueLen),
		seen:       make(chan wifi.Network, queueLen),
		done:       make(chan struct{}),
		timers:     map[fsm.TimerKind]*time.Timer{},
		cancelJoin: func() {},
		storeWork:  newWorker(),
		wifiWork:   newWorker(),
		bondWork:   newWorker(),
	}
	d.state.KeepAdvertising, d.state.AddressTimeout = c.KeepAdvertising, c.AddressTimeout
	d.network.settled = time.NewTimer(0)
	d.network.settled.Stop()
	d.state.Bound = true // until the kernel says otherwise
	first := d.state
	d.snapshot.Store(&first)
	return d
}

// Run reads the store and serves until ctx ends. A store that must not be used is
// an error.
func (d *Daemon) Run(ctx context.Context) error {
	stored, leave, err := d.vault.stored()
	if err != nil {
		return fmt.Errorf("read the stored credentials: %w", err)
	}
	defer close(d.done)
	group, ctx := errgroup.WithContext(ctx)
	for _, w := range []worker{d.storeWork, d.wifiWork, d.bondWork} {
		group.Go(func() error { return w.run(ctx) })
	}
	if leave {
		d.wifiWork.do(func() { d.leaveErased(ctx) })
	}
	group.Go(func() error { return d.loop(ctx, stored) })
	return group.Wait()
}

func (d *Daemon) loop(ctx context.Context, stored fsm.Stored) error {
	ticks, stop := watchdogTicks(d.Log)
	defer stop()
	defer d.notify.stopping()
	late := time.NewTimer(readyAtLatest)
	defer late.Stop()
	d.step(ctx, fsm.Started{Stored: stored})
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-d.events:
			d.disown(ctx, event)
			d.step(ctx, event)
		case r := <-d.requests:
			d.answer(ctx, r)
		case <-d.findable:
			d.advertised(ctx)
		case state := <-d.bound:
			d.addressed(ctx, state, d.network.former)
		case <-d.network.settled.C:
			d.addressed(ctx, d.network.addresses, leased(d.network.former))
		case network := <-d.seen:
			d.refresh(network)
		case <-late.C:
			d.lateReady()
		case <-ticks:
			d.notify.watchdog()
			d.Peripheral.Check()
			d.Supplicant.Check()
		}
	}
}

// step is the only place where the state changes. It reports whether the event,
// if it was a request, is accepted.
func (d *Daemon) step(ctx context.Context, event fsm.Event) (accepted bool) {
	before := d.state
	next, actions := fsm.Step(d.state, event)
	d.state = next
	d.snapshot.Store(&next)
	d.Log.Debug(fmt.Sprintf("%T %v: %s to %s", event, event, before.Phase, next.Phase))
	d.followLink(event)
	accepted = !slices.Contains(actions, fsm.Action(fsm.Refuse{}))
	if e, ok := event.(fsm.ConnectRequested); ok && accepted {
		d.latestSSID.Store(&e.Credentials.SSID)
	}
	for _, action := range actions {
		d.perform(ctx, action)
	}
	d.tellOperators()
	return accepted
}
