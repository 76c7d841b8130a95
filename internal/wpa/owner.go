package wpa

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
	"github.com/wifiprovd/wifiprovd/internal/nm"
)

// owner is the goroutine of Run, with all that belongs to it.
type owner struct {
	*Client
	ctx    context.Context // ends with Run
	stop   context.CancelFunc
	conn   *dbus.Conn
	tell   func(iface, backend, problem string) // Run's usable
	others sync.WaitGroup                       // goroutines that the owner has started

	waiters []func() (over bool)
	asking  bool // a question is out; signals wait

	station *station // nil: wpa_supplicant or the interface is not there
	link    *Link    // the connection that the last Join made; nil: none, or it was told lost
	manager manager
	trouble trouble
	ahead   ahead
	sweep   bool // a Leave found nobody to ask: networks are still to be removed
}

func newOwner(ctx context.Context, c *Client, conn *dbus.Conn, usable func(iface, backend, problem string)) *owner {
	ctx, stop := context.WithCancel(ctx)
	o := &owner{Client: c, ctx: ctx, stop: stop, conn: conn, tell: usable,
		manager: manager{Manager: nm.New(conn, "", c.times.answer)}, trouble: trouble{missing: c.view.Load().problem}}
	name, none := c.cfg.Interface()
	o.trouble.found(&o.manager, name, none, c.times)
	o.manager.stale = true
	return o
}

// serve runs until ctx ends or the message bus is lost.
func (o *owner) serve(signals <-chan *dbus.Signal) error {
	o.advance()
	for {
		heard := signals
		if o.asking {
			heard = nil // what the answer says is taken in before what came after it
		}
		select {
		case <-o.ctx.Done():
			return nil
		case signal, ok := <-heard:
			if !ok {
				if o.ctx.Err() != nil {
					return nil
				}
				return msgbus.ErrLost
			}
			o.runPosts() // those from before the signal, whose cause they may be
			o.receive(signal)
		case <-o.inbox.ready:
			o.runPosts()
		case <-o.alarm():
		}
		o.settle(time.Now())
		o.advance()
	}
}

func (o *owner) runPosts() {
	for _, f := range o.inbox.take() {
		f(o)
		o.settle(time.Now())
	}
}

// settle does what follows from a change, or from the time.
func (o *owner) settle(now time.Time) {
	if o.manager.letGo(now) {
		o.trouble.retry = backoff{} // what NetworkManager took along is back soon
	}
	o.manager.askAgain(now)
	o.publish()
	o.watchLink(now)
	o.ahead.plan(o, now)
	o.waiters = slices.DeleteFunc(o.waiters, func(over func() bool) bool { return over() })
}

// alarm returns a channel that delivers when the time alone changes something; nil, if
// it does not.
func (o *owner) alarm() <-chan time.Time {
	var first time.Time
	sooner := func(at time.Time) {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	sooner(o.manager.released)
	sooner(o.manager.ask)
	sooner(o.ahead.idle)
	if o.station == nil && !o.asking {
		sooner(o.trouble.retry.at)
	}
	if o.link != nil && !o.link.downSince.IsZero() {
		sooner(o.link.downSince.Add(o.times.loss))
	}
	if first.IsZero() {
		return nil
	}
	return time.After(time.Until(first))
}

// question asks other programs, in a goroutine of its own. The owner runs what it
// returns.
type question func(ctx context.Context) (answer func())

// advance asks the next question, unless one is out.
func (o *owner) advance() {
	if o.asking {
		return
	}
	ask := o.next()
	if ask == nil {
		return
	}
	o.asking = true
	o.others.Go(func() {
		answer := ask(o.ctx)
		o.inbox.post(func(o *owner) {
			o.asking = false
			answer()
		})
	})
}

// next returns what has to be asked next; nil: nothing.
func (o *owner) next() question {
	switch {
	case o.manager.stale:
		o.manager.stale = false
		return o.askManager()
	case o.station == nil && time.Now().Before(o.trouble.retry.at):
		return nil
	case o.station == nil:
		return o.attach()
	case o.trouble.moved:
		return o.trouble.move(o)
	case o.station.incomplete != nil:
		return o.complete()
	case o.sweep && !o.manager.handsOff(o.cfg):
		return o.sweepNetworks()
	}
	return nil
}

// publish publishes what anybody may know, and tells Run's caller when it is news.
func (o *owner) publish() {
	before := o.view.Load()
	now := view{problem: o.problem(), backend: o.manager.backend(), manager: o.manager.Manager, scans: before.scans}
	if o.station != nil {
		now.dev = o.station.dev
	}
	if now.problem == "" && o.sweep {
		now.problem = before.problem // until what a Leave left behind is removed
	}
	if now == *before {
		return
	}
	o.view.Store(&now)
	same := now.backend == before.backend && before.manager != nil && now.manager.Interface() == before.manager.Interface()
	if now.problem == before.problem && (now.problem != "" || same) {
		return
	}
	o.tell(now.manager.Interface(), string(now.backend), now.problem)
	if now.problem == "" {
		o.ahead.lookLate(o)
	}
}

// end waits for all that the owner has started, and leaves nobody waiting.
func (o *owner) end() {
	o.stop()
	o.others.Wait()
	o.unlink()
	o.view.Store(&view{problem: errEnded.Error(), scans: o.view.Load().scans})
}
