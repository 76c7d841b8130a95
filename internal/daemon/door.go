package daemon

import (
	"fmt"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/fsm"
	"github.com/wifiprovd/wifiprovd/internal/gateway"
)

// identifyFor is how long the gateway shows which one it is: long enough to walk up to it.
const identifyFor = 15 * time.Second

// Open implements gateway.Control.
func (d *Daemon) Open(r gateway.Requester, window time.Duration) error {
	if window == 0 {
		window = d.cfg.Window
	}
	switch {
	case !r.IsOperator():
		return gateway.ErrNotAllowed
	case window < gateway.ShortestWindow || window > gateway.LongestWindow:
		return fmt.Errorf("a window of %s: it may be %s to %s", window, gateway.ShortestWindow, gateway.LongestWindow)
	}
	return d.ask(func(l *loop) error {
		if l.state.Attempt.Phase == gateway.Starting {
			return gateway.ErrBusy
		}
		l.step(fsm.WindowOpened{For: window})
		return nil
	})
}

// Close implements gateway.Control.
func (d *Daemon) Close(r gateway.Requester) error {
	if !r.IsOperator() {
		return gateway.ErrNotAllowed
	}
	return d.ask(func(l *loop) error {
		l.step(fsm.WindowClosed{})
		return nil
	})
}

// Identify implements gateway.Control.
func (d *Daemon) Identify(r gateway.Requester) error {
	if !r.Known() {
		return gateway.ErrNobody
	}
	return d.ask(func(l *loop) error {
		switch {
		case !admits(l, r):
			return gateway.ErrShut
		case !l.draft.Identify:
			identify(l, true)
			time.AfterFunc(identifyFor, func() { d.post(func(l *loop) { identify(l, false) }) })
		}
		return nil
	})
}

func identify(l *loop, on bool) {
	l.draft.Identify = on
	l.publish()
}

// admits reports whether a request of r may be taken: a phone's only while the door is
// open. The profiles' services are guarded, too; this holds for all there will be.
func admits(l *loop, r gateway.Requester) bool { return r.IsOperator() || l.Snapshot().MayWrite() }

// draftDoor brings the draft up to date with the door.
func draftDoor(l *loop) {
	door, closed := l.state.Door, l.cfg.Access.Closed()
	switch a := &l.draft.Advertising; {
	case !door.Advertising && l.state.Attempt.Phase != gateway.Starting:
		*a = gateway.Advertising{Problem: closed}
	case a.Problem == closed:
		a.Problem = notYet
	}
	l.draft.Advertising.Wanted = door.Advertising
	l.draft.Open, l.draft.Leaving = door.Open(), door.Stage == fsm.Leaving
	if door.Stage != fsm.Opened && door.Stage != fsm.Ending {
		l.draft.Window = time.Time{}
	}
}

// noteWindow notes until when the window is open that actions have opened, or go on with.
func noteWindow(l *loop, actions []fsm.Action) {
	for _, action := range actions {
		if start, ok := action.(fsm.StartTimer); ok && start.Kind == fsm.WindowTimer {
			l.draft.Window = time.Now().Add(start.After)
		}
	}
}

func onlineElsewhere(l *loop, online bool) {
	switch {
	case online && !l.state.Door.Elsewhere:
		l.step(fsm.OnlineElsewhere{})
	case !online && l.state.Door.Elsewhere:
		l.step(fsm.OfflineElsewhere{})
	}
}
