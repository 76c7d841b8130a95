package daemon

import "context"

// queueLen is far above what the state machine can have under way: a full queue
// means that a worker is stuck beyond its deadlines.
const queueLen = 64

// worker does slow work in order, one piece at a time.
type worker chan func()

func newWorker() worker { return make(worker, queueLen) }

// do queues work and never blocks.
func (w worker) do(work func()) {
	select {
	case w <- work:
	default:
		panic("internal error: a worker's queue is full")
	}
}

// run works until ctx ends.
func (w worker) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case work := <-w:
			work()
		}
	}
}
