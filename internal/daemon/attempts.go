package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/fsm"
	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// leaveTimeout bounds how long the back-end may take to leave a network.
const leaveTimeout = 10 * time.Second

// maxBacklog is how much work may wait before phones are refused: each request leaves
// some.
const maxBacklog = 8

// attempts does the slow part of the attempts to join, in the order in which the
// machine asked for it, and posts how each piece ended. A CONNECT is stored and
// joined by one goroutine, without the loop in between.
type attempts struct {
	*Daemon
	work worker
}

func newAttempts(d *Daemon) *attempts { return &attempts{d, newWorker()} }

// behind reports whether so much waits that requests are refused.
func (a *attempts) behind() bool { return len(a.work) >= maxBacklog }

// tell hands an event to the machine.
func (a *attempts) tell(event fsm.Event) { a.post(func(l *loop) { l.step(event) }) }

func (a *attempts) ended(number uint64, err error) {
	failure, detail := describe(err)
	a.tell(fsm.Ended{Attempt: number, Failure: failure, Detail: detail})
}

// describe turns an error into what an event carries.
func describe(err error) (wifi.Failure, string) {
	var e *wifi.Error
	switch {
	case err == nil:
		return wifi.FailureNone, ""
	case errors.As(err, &e) && e.Err == nil:
		return e.Failure, e.Detail
	case errors.As(err, &e):
		return e.Failure, fmt.Sprintf("%s: %v", e.Detail, e.Err)
	}
	return wifi.FailureInternal, err.Error()
}

// try stores c as the candidate, and then joins it. c is wiped.
func (a *attempts) try(ctx context.Context, number uint64, c wifi.Credentials) {
	a.work.do(func() {
		defer c.Wipe()
		if ctx.Err() != nil {
			return // the machine has turned to something else
		}
		id, err := a.cfg.Store.SaveCandidate(c)
		if err != nil {
			a.ended(number, err)
			return
		}
		a.tell(fsm.Saved{Attempt: number, ID: id})
		a.join(ctx, number, wifi.Target{ID: id, Credentials: c})
	})
}

// joinStored joins a network of the store.
func (a *attempts) joinStored(ctx context.Context, number uint64, id wifi.ID) {
	a.work.do(func() {
		if ctx.Err() != nil {
			return
		}
		target, err := a.cfg.Store.Target(id)
		if err != nil {
			a.ended(number, fmt.Errorf("read the stored credentials: %w", err))
			return
		}
		defer target.Wipe()
		a.join(ctx, number, target)
	})
}

func (a *attempts) join(ctx context.Context, number uint64, t wifi.Target) {
	trying := gateway.Trying{SSID: t.Credentials.SSID, Security: t.Credentials.Security, Proven: t.Proven, Begun: number}
	a.post(func(l *loop) { l.joining(trying) })
	ctx, cancel := context.WithTimeout(ctx, a.cfg.ConnectTimeout)
	defer cancel()
	link, err := a.cfg.Networks.Join(ctx, t)
	if err != nil {
		a.joinFailed(number, t.Credentials, err)
		return
	}
	network, err := link.Network(ctx)
	if err != nil {
		a.ended(number, err)
		return
	}
	a.post(func(l *loop) { l.joined(number, link, network) })
}

// joinFailed tells the journal, beside the reason, what makes a wrong password look
// mistyped. The password itself is tried as it was written, and never changed.
func (a *attempts) joinFailed(number uint64, c wifi.Credentials, err error) {
	failure, detail := describe(err)
	if doubt := c.Doubt(); doubt != "" && (failure == wifi.FailureWrongPassword || failure == wifi.FailureRefused) {
		detail += "; " + doubt
	}
	a.tell(fsm.Ended{Attempt: number, Failure: failure, Detail: detail})
}

// promote notes that the candidate was joined.
func (a *attempts) promote(number uint64, id wifi.ID, h wifi.Hint) {
	a.work.do(func() { a.ended(number, a.cfg.Store.Prove(id, h)) })
}

func (a *attempts) remember(id wifi.ID, h wifi.Hint) {
	a.inStore("cannot save the network's last access point and channel", func() error { return a.cfg.Store.Remember(id, h) })
}

func (a *attempts) dropCandidate() {
	a.inStore("cannot drop the candidate from the store", a.cfg.Store.DropCandidate)
}

// inStore does work whose outcome nothing waits for.
func (a *attempts) inStore(complaint string, work func() error) {
	a.work.do(func() {
		if err := work(); err != nil {
			a.cfg.Log.Error(complaint, "err", err)
		}
	})
}

// erase empties the store, then leaves the network. If the store cannot be emptied,
// nothing else changes either.
func (a *attempts) erase(ctx context.Context, number uint64) {
	a.work.do(func() {
		err := a.cfg.Store.Erase()
		if err == nil {
			a.post(func(l *loop) { countryIs(l, a.cfg.Country) })
			a.leaveNow(ctx, true)
		}
		a.ended(number, err)
	})
}

// leave leaves the network.
func (a *attempts) leave(ctx context.Context) { a.work.do(func() { a.leaveNow(ctx, false) }) }

// leaveErased leaves the network after an ERASE that was cut off before it did.
func (a *attempts) leaveErased(ctx context.Context) { a.work.do(func() { a.leaveNow(ctx, true) }) }

// leaveNow leaves the network and, after an ERASE, notes that in the store: if it
// fails, the next start tries again.
func (a *attempts) leaveNow(ctx context.Context, erased bool) {
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	if err := a.cfg.Networks.Leave(ctx); err != nil {
		a.cfg.Log.Warn("cannot leave the network", "err", err)
		return
	}
	if !erased {
		return
	}
	if err := a.cfg.Store.Left(); err != nil {
		a.cfg.Log.Error("cannot note in the store that the network was left", "err", err)
	}
}
