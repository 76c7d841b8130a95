package bluez

import "time"

// The pause after a failed step doubles from firstPause to longestPause.
const (
	firstPause   = 250 * time.Millisecond
	longestPause = 30 * time.Second
)

// step is one slow thing to do on the way to being on the air.
type step struct {
	what string       // register the advertisement
	do   func() error // in a goroutine of its own
	done func()       // in the loop, when do has succeeded
}

// steps runs one step at a time, and backs off when one fails.
type steps struct {
	loop     *loop
	running  *step // nil: none
	ending   bool  // no more steps
	failures int   // in a row
	pause    alarm // until the next try
}

// idle reports whether a step may be run.
func (s *steps) idle() bool { return s.running == nil && !s.ending && !s.pause.set() }

// run runs next; finished is called in the loop with its outcome.
func (s *steps) run(next *step, finished func(*step, error)) {
	s.running = next
	s.loop.workers.Go(func() {
		err := next.do()
		s.loop.post(func() { finished(next, err) })
	})
}

// end takes in the outcome of a step. It returns false if the step was given up.
func (s *steps) end(finished *step, err error) bool {
	if finished != s.running {
		return false
	}
	s.running = nil
	if err == nil {
		s.failures = 0
		return true
	}
	s.pause.start(min(firstPause<<min(s.failures, 10), longestPause), func() {})
	s.failures++
	return true
}

// startOver gives up the step that runs and the pause: what they were for has changed.
func (s *steps) startOver() {
	s.pause.stop()
	s.running, s.failures = nil, 0
}
