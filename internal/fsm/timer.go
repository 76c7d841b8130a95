package fsm

import (
	"fmt"
	"time"
)

// TimerKind tells the machine's timers apart.
type TimerKind uint8

// The timers.
const (
	RetryTimer       TimerKind = 0 // ends Holding and Waiting
	AdvertisingTimer TimerKind = 1 // switches advertising off or on
	AddressTimer     TimerKind = 2 // ends the wait for an IP address
	WindowTimer      TimerKind = 3 // ends a stage of the window that a person has opened
)

var timerNames = [...]string{"retry", "advertising", "address", "window"}

func (k TimerKind) String() string {
	if int(k) < len(timerNames) {
		return timerNames[k]
	}
	return fmt.Sprintf("unknown (%d)", k)
}

// Timer is a region's timer. One that was stopped or started anew may still fire, with
// an ID of before.
type Timer struct {
	ID   uint64
	Runs bool
}

func (t *Timer) start(kind TimerKind, after time.Duration, out *output) {
	t.ID++
	t.Runs = true
	out.do(StartTimer{Kind: kind, ID: t.ID, After: after})
}

func (t *Timer) stop(kind TimerKind, out *output) {
	if t.Runs {
		t.Runs = false
		out.do(StopTimer{kind})
	}
}

// fired reports whether event is that this timer has run out, which it can but once.
func (t *Timer) fired(kind TimerKind, event Event) bool {
	e, ok := event.(TimerFired)
	fired := ok && t.Runs && e.Kind == kind && e.ID == t.ID
	t.Runs = t.Runs && !fired
	return fired
}
