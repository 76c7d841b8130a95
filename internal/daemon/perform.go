package daemon

import (
	"context"
	"fmt"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/fsm"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// eraseGrace leaves a phone that wrote ERASE the time to read IDLE: removing its bond
// disconnects it.
const eraseGrace = time.Second

// perform starts an action. What is slow is left to attempts and bonds, which post
// events.
func (l *loop) perform(action fsm.Action) {
	switch a := action.(type) {
	case fsm.Refuse: // step has seen it
	case fsm.Try:
		l.try(a)
	case fsm.Join:
		l.attempts.joinStored(l.beginAttempt(), a.Attempt, a.ID)
	case fsm.CancelJoin:
		l.cancel()
		l.attempts.leave(l.ctx)
	case fsm.Promote:
		l.attempts.promote(a.Attempt, a.ID, l.hint())
	case fsm.Remember:
		l.attempts.remember(a.ID, l.hint())
	case fsm.DropCandidate:
		l.attempts.dropCandidate()
	case fsm.Erase:
		l.attempts.erase(l.ctx, a.Attempt)
	case fsm.ForgetBonds:
		l.bonds.removeErasedAfter(l.ctx, eraseGrace)
	case fsm.Disconnect:
		l.cfg.Peripheral.DisconnectAll()
	case fsm.StartTimer:
		l.stopTimer(a.Kind)
		l.timers[a.Kind] = time.AfterFunc(a.After, func() {
			l.post(func(l *loop) { l.step(fsm.TimerFired{Kind: a.Kind, ID: a.ID}) })
		})
	case fsm.StopTimer:
		l.stopTimer(a.Kind)
	default:
		panic(fmt.Sprintf("internal error: the daemon cannot perform %T", action))
	}
}

func (l *loop) stopTimer(kind fsm.TimerKind) {
	if t := l.timers[kind]; t != nil {
		t.Stop()
	}
}

// try hands the credentials of the request over to the attempt.
func (l *loop) try(a fsm.Try) {
	c := l.request
	l.request = wifi.Credentials{}
	l.attempts.try(l.beginAttempt(), a.Attempt, c)
}

// beginAttempt ends the attempt that may be running and returns the context of the
// next one, which queues behind it.
func (l *loop) beginAttempt() context.Context {
	l.cancel()
	ctx, cancel := context.WithCancel(l.ctx)
	l.cancel = cancel
	return ctx
}

// hint tells where the joined network was found.
func (l *loop) hint() wifi.Hint {
	if l.draft.Network == nil {
		return wifi.Hint{}
	}
	return l.draft.Network.Hint()
}
