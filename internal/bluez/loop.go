package bluez

import (
	"sync"
	"time"
)

// maxCalls bounds the method calls that wait. A central has one request in flight at a
// time on each of its ATT bearers.
const maxCalls = 64

// loop is what the goroutine that owns all state has to do next, in order.
type loop struct {
	ready   chan struct{}  // holds a token when there is something to take
	workers sync.WaitGroup // goroutines that wait for BlueZ and post what it says

	mu    sync.Mutex
	queue []func()
	calls int
}

func newLoop() *loop { return &loop{ready: make(chan struct{}, 1)} }

// post makes the loop run f after everything posted before.
func (l *loop) post(f func()) {
	l.mu.Lock()
	l.queue = append(l.queue, f)
	l.mu.Unlock()
	l.wake()
}

// postCall is post for what another program asks for; it refuses and returns false when
// too many calls wait.
func (l *loop) postCall(f func()) bool {
	l.mu.Lock()
	full := l.calls >= maxCalls
	if !full {
		l.calls++
		l.queue = append(l.queue, func() {
			l.mu.Lock()
			l.calls--
			l.mu.Unlock()
			f()
		})
	}
	l.mu.Unlock()
	if !full {
		l.wake()
	}
	return !full
}

func (l *loop) wake() {
	select {
	case l.ready <- struct{}{}:
	default:
	}
}

// take returns everything that waits.
func (l *loop) take() []func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	queue := l.queue
	l.queue = nil
	return queue
}

// alarm makes the loop run a function after a while, unless it is stopped before. It
// belongs to the loop's goroutine.
type alarm struct {
	loop  *loop
	timer *time.Timer // nil: not set
}

// start sets the alarm, anew if it is set.
func (a *alarm) start(after time.Duration, f func()) {
	a.stop()
	var timer *time.Timer
	timer = time.AfterFunc(after, func() {
		a.loop.post(func() {
			if a.timer == timer { // it was neither stopped nor set anew since
				a.timer = nil
				f()
			}
		})
	})
	a.timer = timer
}

func (a *alarm) stop() {
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
}

func (a *alarm) set() bool { return a.timer != nil }
