package bluez

import (
	"sync"
	"time"
)

// The pause after a failed step doubles from firstPause to longestPause.
const (
	firstPause   = 250 * time.Millisecond
	longestPause = 30 * time.Second
)

// lastStepTime is how long the step that runs when Run is to end may take.
const lastStepTime = 2 * time.Second

// step is one slow thing to do on the way to being on the air.
type step struct {
	what string       // register advertisement
	do   func() error // in a goroutine of its own
	done func()       // in the loop, when do has succeeded
}

// steps runs one step at a time.
type steps struct {
	running  sync.WaitGroup
	busy     bool
	ending   bool        // no more steps
	failures int         // in a row
	pause    *time.Timer // until the next try
	round    int         // of what runs; an outcome of an earlier round is old news
}

// advance starts the next step, if there is one and nothing is in the way.
func (p *Peripheral) advance() {
	if p.steps.busy || p.steps.ending || p.steps.pause != nil {
		return
	}
	next := p.next()
	if next == nil {
		return
	}
	p.steps.busy = true
	round := p.steps.round
	p.steps.running.Go(func() {
		err := next.do()
		p.inbox.post(func() { p.finished(round, next, err) })
	})
}

func (p *Peripheral) finished(round int, s *step, err error) {
	if round != p.steps.round {
		return
	}
	p.steps.busy = false
	if err != nil {
		p.retry(s.what, err)
		return
	}
	p.steps.failures = 0
	s.done()
	p.settle()
}

// retry says what went wrong and tries again after a pause.
func (p *Peripheral) retry(what string, err error) {
	pause := min(firstPause<<min(p.steps.failures, 10), longestPause)
	p.steps.failures++
	p.registration.advertised = false // nobody knows how far the step came
	p.trouble(what + ": " + plain(err).Error())
	round := p.steps.round
	p.steps.pause = time.AfterFunc(pause, func() {
		p.inbox.post(func() {
			if round == p.steps.round {
				p.steps.pause = nil
				p.advance()
			}
		})
	})
}

// startOver forgets the step that runs and the pause: what they were for has
// changed.
func (p *Peripheral) startOver() {
	if p.steps.pause != nil {
		p.steps.pause.Stop()
	}
	p.steps.round++
	p.steps.busy, p.steps.pause, p.steps.failures = false, nil, 0
}
