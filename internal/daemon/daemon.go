// Package daemon runs the state machine: one loop takes what happened, asks
// internal/fsm what follows, has it done by the ports, and publishes a Snapshot to
// the observers. The loop is the only writer of the state and never blocks.
package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Config is what a Daemon needs.
type Config struct {
	Log            *slog.Logger
	Store          Store
	Networks       Networks
	Peripheral     Peripheral
	Pairing        gatt.Pairing   // bonds that are weaker are removed
	ConnectTimeout time.Duration  // for one attempt to join
	AddressTimeout time.Duration  // for an IP address after that
	Access         gateway.Access // when phones may find the gateway
	Window         time.Duration  // for how long a person opens the door who does not say
	Country        wifi.Country   // configured: phones cannot change it; empty: none

	// Unblock lifts what keeps the radios from sending, now that the country is known. It
	// may be nil.
	Unblock func(context.Context) error

	Watchdog time.Duration // within which Alive has to be called again; 0: never
	Alive    func()        // called by the loop as long as it turns
}

// askTimeout bounds how long a request waits for the loop. The loop never blocks, so
// the deadline is only met when the daemon is ending or wedged.
const askTimeout = 5 * time.Second

// inboxLen is far above what can be under way at once.
const inboxLen = 64

// Daemon is the gateway: what can be asked of it (gateway.Control), and what its
// neighbours report to it. Its methods may be called from any goroutine.
type Daemon struct {
	cfg    Config
	inbox  chan func(*loop) // in the order in which things happened
	links  chan wifi.Link   // the latest one, for the goroutine that follows it
	done   chan struct{}    // closed when Run returns
	latest atomic.Pointer[gateway.Snapshot]
}

var _ gateway.Control = (*Daemon)(nil)

// New returns a daemon that waits for Run.
func New(cfg Config) *Daemon {
	d := &Daemon{cfg: cfg, inbox: make(chan func(*loop), inboxLen), links: make(chan wifi.Link, 1), done: make(chan struct{})}
	d.latest.Store(&gateway.Snapshot{
		Message: "wifiprovd starts", Next: "the store is read", Since: time.Now(),
		WifiProblem: notYet, Advertising: gateway.Advertising{Problem: notYet}, Access: cfg.Access,
	})
	return d
}

// Run serves until ctx ends. The observers are told of each Snapshot, one after the
// other.
func (d *Daemon) Run(ctx context.Context, observers ...gateway.Observer) error {
	defer close(d.done)
	group, ctx := errgroup.WithContext(ctx)
	l := newLoop(ctx, d, observers)
	group.Go(func() error { return l.attempts.work.run(ctx) })
	group.Go(func() error { return l.bonds.work.run(ctx) })
	group.Go(func() error { return d.followLinks(ctx) })
	group.Go(func() error { l.run(ctx); return nil })
	return group.Wait()
}

// post has f run by the loop, unless that has ended.
func (d *Daemon) post(f func(*loop)) {
	select {
	case d.inbox <- f:
	case <-d.done:
	}
}

// ask is post for requests: it returns what the loop answers.
func (d *Daemon) ask(request func(*loop) error) error {
	timeout := time.NewTimer(askTimeout)
	defer timeout.Stop()
	reply := make(chan error, 1)
	select {
	case d.inbox <- func(l *loop) { reply <- request(l) }:
	case <-d.done:
		return gateway.ErrBusy
	case <-timeout.C:
		return gateway.ErrBusy
	}
	select {
	case err := <-reply:
		return err
	case <-d.done:
		return gateway.ErrBusy
	}
}

// Snapshot implements gateway.Control.
func (d *Daemon) Snapshot() *gateway.Snapshot { return d.latest.Load() }

// Busy implements gateway.Control.
func (d *Daemon) Busy(r gateway.Requester) bool { return d.Snapshot().Busy(r) }

// Connect implements gateway.Control.
func (d *Daemon) Connect(r gateway.Requester, c wifi.Credentials) error {
	err := gateway.ErrNobody
	if r.Known() {
		err = d.ask(func(l *loop) error { return l.connect(r, c) })
	}
	if err != nil {
		c.Wipe()
	}
	return err
}

// Erase implements gateway.Control.
func (d *Daemon) Erase(r gateway.Requester) error {
	if !r.Known() {
		return gateway.ErrNobody
	}
	if c := r.Central(); c != "" {
		d.cfg.Log.Info(fmt.Sprintf("ERASE requested by %s", c), "event", "erase-requested", "central", c)
	}
	return d.ask(func(l *loop) error { return l.erase(r) })
}

// SetCountry implements gateway.Control.
func (d *Daemon) SetCountry(r gateway.Requester, c wifi.Country) error {
	switch {
	case !r.Known():
		return gateway.ErrNobody
	case d.cfg.Country != "" && d.cfg.Country != c:
		return gateway.ErrConfigured
	}
	return d.ask(func(l *loop) error { return l.attempts.setCountry(l, r, c) })
}

// Prepare implements gateway.Control.
func (d *Daemon) Prepare(ssid wifi.SSID) { d.cfg.Networks.Prepare(ssid) }

// Refresh implements gateway.Control.
func (d *Daemon) Refresh() { d.post((*loop).refresh) }

// Scan implements gateway.Control.
func (d *Daemon) Scan(ctx context.Context) ([]wifi.Offer, error) { return d.cfg.Networks.Scan(ctx) }

// OnlineElsewhere reports whether another interface than the Wi-Fi's has a network.
func (d *Daemon) OnlineElsewhere(online bool) {
	d.post(func(l *loop) { onlineElsewhere(l, online) })
}

// Code reports what there is of the code on the label, and whether phones must prove it,
// whichever protocol they speak.
func (d *Daemon) Code(code gateway.Code, required bool) {
	d.post(func(l *loop) {
		l.draft.Code, l.draft.CodeRequired = code, required
		l.publish()
	})
}

// Connected reports a central. It has come to provision, most likely.
func (d *Daemon) Connected(c gatt.Central) {
	d.post(func(l *loop) { l.centralConnected(c) })
	d.cfg.Networks.Prepare("")
}

// Disconnected reports that a central has left.
func (d *Daemon) Disconnected(c gatt.Central) { d.post(func(l *loop) { l.centralDisconnected(c) }) }

// Bonded reports a bond that was made with this gateway, or is used.
func (d *Daemon) Bonded(b gatt.Bond) { d.post(func(l *loop) { l.bonded(b) }) }

// OnAir reports that phones can find the gateway on adapter.
func (d *Daemon) OnAir(adapter string) { d.post(func(l *loop) { l.onAir(adapter) }) }

// OffAir reports why phones cannot find the gateway.
func (d *Daemon) OffAir(problem string) { d.post(func(l *loop) { l.offAir(problem) }) }

// WifiUsable reports the interface that joins networks, who keeps them, and why none can be
// joined; empty: one can.
func (d *Daemon) WifiUsable(iface, backend, problem string) {
	d.post(func(l *loop) { l.wifiUsable(iface, backend, problem) })
}

// Addresses reports what the Wi-Fi interface has.
func (d *Daemon) Addresses(a wifi.Addresses) { d.post(func(l *loop) { l.addressed(a) }) }
