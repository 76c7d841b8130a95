package wpa

import (
	"context"
	"errors"
	"sync"
)

// errEnded: Run has ended.
var errEnded = errors.New("the Wi-Fi back-end has ended")

// inbox is what the owner is asked to do, in order. It stays short: the owner never
// blocks, and nobody posts in a loop.
type inbox struct {
	ready chan struct{} // holds a token when there is something to take

	mu    sync.Mutex
	queue []func(*owner)
}

func newInbox() *inbox { return &inbox{ready: make(chan struct{}, 1)} }

// post makes the owner run f after everything posted before, and before any signal
// that arrives later.
func (b *inbox) post(f func(*owner)) {
	b.mu.Lock()
	b.queue = append(b.queue, f)
	b.mu.Unlock()
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// take returns everything that waits.
func (b *inbox) take() []func(*owner) {
	b.mu.Lock()
	defer b.mu.Unlock()
	queue := b.queue
	b.queue = nil
	return queue
}

// await returns what look returns as soon as that is true. The owner calls look now and
// after each change.
func await[T any](ctx context.Context, c *Client, look func(*owner) (T, bool)) (T, error) {
	found := make(chan T, 1)
	c.inbox.post(func(o *owner) {
		o.waiters = append(o.waiters, func() (over bool) {
			if ctx.Err() != nil {
				return true
			}
			value, ok := look(o)
			if ok {
				found <- value
			}
			return ok
		})
	})
	var none T
	select {
	case value := <-found:
		return value, nil
	case <-ctx.Done():
		return none, ctx.Err()
	case <-c.ended:
		return none, errEnded
	}
}

// awaitUntil is await for a condition alone.
func awaitUntil(ctx context.Context, c *Client, cond func(*owner) bool) error {
	_, err := await(ctx, c, func(o *owner) (struct{}, bool) { return struct{}{}, cond(o) })
	return err
}
