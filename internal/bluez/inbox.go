package bluez

import "sync"

// maxCalls bounds the method calls that wait. A central has one request in
// flight at a time on each of its ATT bearers.
const maxCalls = 64

// inbox is what the loop has to do next, in order.
type inbox struct {
	ready chan struct{} // holds a token when there is something to take

	mu    sync.Mutex
	queue []func()
	calls int
}

func newInbox() *inbox { return &inbox{ready: make(chan struct{}, 1)} }

// post makes the loop run f after everything posted before.
func (b *inbox) post(f func()) {
	b.mu.Lock()
	b.queue = append(b.queue, f)
	b.mu.Unlock()
	b.wake()
}

// postCall is post for what another program asks for; it refuses and returns
// false when too many calls wait.
func (b *inbox) postCall(f func()) bool {
	b.mu.Lock()
	full := b.calls >= maxCalls
	if !full {
		b.calls++
		b.queue = append(b.queue, func() {
			b.mu.Lock()
			b.calls--
			b.mu.Unlock()
			f()
		})
	}
	b.mu.Unlock()
	if !full {
		b.wake()
	}
	return !full
}

func (b *inbox) wake() {
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// take returns everything that waits.
func (b *inbox) take() []func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	queue := b.queue
	b.queue = nil
	return queue
}
