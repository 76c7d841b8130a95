package daemon

import (
	"context"
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/fsm"
	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// notYet is a problem that is nobody's report.
const notYet = "not yet: starting"

// loop owns the state and everything that follows from it. Only its goroutine, run,
// touches it.
type loop struct {
	*Daemon
	ctx       context.Context // ends with the daemon; for the slow work that is started here
	observers []gateway.Observer
	attempts  *attempts
	bonds     *bonds

	state     fsm.State
	draft     gateway.Snapshot // what the next Snapshot has beside the state
	timers    map[fsm.TimerKind]*time.Timer
	request   wifi.Credentials   // of the CONNECT that is being answered
	cancel    context.CancelFunc // ends the attempt that runs
	link      wifi.Link          // nil: no network is joined
	refreshed time.Time          // when the joined network was looked at last
	addresses addresses
	eraser    gatt.Central // who wrote the last ERASE that was accepted, and has not connected again since
}

func newLoop(ctx context.Context, d *Daemon, observers []gateway.Observer) *loop {
	l := &loop{
		Daemon: d, ctx: ctx, observers: observers, attempts: newAttempts(d), bonds: newBonds(d.cfg),
		draft: *d.Snapshot(), timers: map[fsm.TimerKind]*time.Timer{}, cancel: func() {},
	}
	l.state.Door.Access = d.cfg.Access
	l.state.Address = fsm.Address{Timeout: d.cfg.AddressTimeout, Bound: true} // until the kernel says otherwise
	return l
}

func (l *loop) run(ctx context.Context) {
	var ticks <-chan time.Time
	if l.cfg.Watchdog > 0 {
		ticker := time.NewTicker(l.cfg.Watchdog / 2)
		defer ticker.Stop()
		ticks = ticker.C
	}
	l.start()
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-l.inbox:
			f(l)
		case <-ticks:
			l.cfg.Alive()
			l.cfg.Peripheral.Check()
			l.cfg.Networks.Check()
		}
	}
}

// start reads the store. One that cannot be read is shown to phones as a failure: an
// ERASE may mend it, and a gateway that ended instead could not be provisioned at all.
func (l *loop) start() {
	known, leave, err := l.cfg.Store.Networks()
	started := fsm.Started{}
	if err != nil {
		started.Problem = err.Error()
	}
	for _, k := range known {
		if k.Proven {
			started.Stored.Proven = k.ID
		} else {
			started.Stored.Candidate = k.ID
		}
	}
	if leave {
		l.attempts.leaveErased(l.ctx)
	}
	l.attempts.startCountry(l)
	l.step(started)
}

// step is the only place where the state changes. It reports whether the event, if it
// was a request, is accepted. Observers are told before the actions begin.
func (l *loop) step(event fsm.Event) (accepted bool) {
	before := l.state
	next, actions := fsm.Step(l.state, event)
	l.state = next
	l.cfg.Log.Debug(fmt.Sprintf("%T %v: %s to %s", event, event, before.Attempt.Phase, next.Attempt.Phase))
	if before.Attempt.Link && !next.Attempt.Link {
		l.link = nil
		l.addresses.left()
	}
	accepted = !slices.Contains(actions, fsm.Action(fsm.Refuse{}))
	if _, ok := event.(fsm.ConnectRequested); ok && accepted {
		l.draft.Trying = gateway.Trying{SSID: l.request.SSID, Security: l.request.Security}
	}
	if next.Attempt.Number != before.Attempt.Number {
		l.draft.Trying.Begun = 0
	}
	if before.Attempt.Phase == gateway.Erasing && next.Shown.Status == gateway.Failed {
		l.eraser = "" // nothing was erased
	}
	noteWindow(l, actions)
	l.publish()
	for _, action := range actions {
		l.perform(action)
	}
	return accepted
}

// publish makes a Snapshot of the state and the draft, and tells the observers if it
// differs from the last one.
func (l *loop) publish() {
	last, shown, attempt := l.Snapshot(), l.state.Shown, l.state.Attempt
	if shown.Turn != last.Turn {
		l.draft.Since = time.Now()
	}
	if shown.Status == gateway.Idle {
		l.draft.Trying = gateway.Trying{}
	}
	draftDoor(l)
	next := l.draft
	next.Status, next.Phase, next.Turn = shown.Status, attempt.Phase, shown.Turn
	next.Owner = attempt.Owner
	if shown.Turn > 0 {
		next.Reason, next.Message, next.Next = shown.Reason, shown.Message, shown.Next
	}
	if attempt.Link {
		next.Addresses = l.addresses.own()
	} else {
		next.Network, next.Joined = nil, time.Time{}
	}
	if reflect.DeepEqual(*last, next) {
		return
	}
	l.latest.Store(&next)
	for _, o := range l.observers {
		o.Changed(last, &next)
	}
}

// connect answers a CONNECT. What it does not take is the caller's to wipe.
func (l *loop) connect(r gateway.Requester, c wifi.Credentials) error {
	switch {
	case !admits(l, r):
		return gateway.ErrShut
	case l.attempts.behind():
		return gateway.ErrBusy
	}
	l.request = c
	accepted := l.step(fsm.ConnectRequested{By: r, Invalid: c.Problem()})
	l.request.Wipe() // unless try has taken it over
	l.request = wifi.Credentials{}
	if !accepted {
		return gateway.ErrBusy
	}
	return nil
}

// erase answers an ERASE.
func (l *loop) erase(r gateway.Requester) error {
	switch {
	case !admits(l, r):
		return gateway.ErrShut
	case l.attempts.behind() || !l.step(fsm.EraseRequested{By: r}):
		return gateway.ErrBusy
	}
	l.eraser = r.Central()
	return nil
}

func (l *loop) centralConnected(c gatt.Central) {
	if l.eraser == c {
		l.eraser = "" // that was an earlier connection
	}
	l.draft.Centrals = append(slices.Clone(l.draft.Centrals), c)
	l.publish()
	l.step(fsm.PhoneCame{})
}

func (l *loop) centralDisconnected(c gatt.Central) {
	l.draft.Centrals = slices.DeleteFunc(slices.Clone(l.draft.Centrals), func(other gatt.Central) bool { return other == c })
	l.publish()
	if len(l.draft.Centrals) == 0 {
		l.step(fsm.PhonesLeft{})
		go debug.FreeOSMemory() // the next one may come in a year
	}
}

func (l *loop) bonded(b gatt.Bond) {
	b.Erased = l.eraser != "" && b.Central == l.eraser // BlueZ tells late: ERASE came over this bond
	l.bonds.note(b)
}

func (l *loop) onAir(adapter string) {
	l.draft.Advertising = gateway.Advertising{Adapter: adapter}
	l.publish()
	l.bonds.disconnectEarlier()
	l.bonds.removeStale(l.ctx)
}

func (l *loop) offAir(problem string) {
	l.draft.Advertising = gateway.Advertising{Problem: problem}
	l.publish()
}

func (l *loop) wifiUsable(iface, backend, problem string) {
	l.draft.WifiInterface, l.draft.WifiBackend, l.draft.WifiProblem = iface, backend, problem
	l.publish()
	if problem == "" {
		l.step(fsm.WifiAvailable{})
	}
}
