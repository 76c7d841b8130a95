package daemon

import "context"

// queueLen is far above what the state machine can have under way as long as phones
// are refused at maxBacklog: a full queue is an internal error.
const queueLen = 64

// worker does slow work in order, one piece at a time.
type worker chan func()

func newWorker() worker { return make(worker, queueLen) }

// do queues work and never blocks.
func (w worker) do(work func()) {
	if !w.try(work) {
		panic("internal error: a worker's queue is full")
	}
}

// try queues work, unless the queue is full.
func (w worker) try(work func()) bool {
	select {
	case w <- work:
		return true
	default:
		return false
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
