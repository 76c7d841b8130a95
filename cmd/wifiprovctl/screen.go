package main

import (
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"
)

// How often the screen shows that something is still going on: in place on a terminal, elsewhere
// in a line of its own, the first one after patience.
const (
	drawEvery = 200 * time.Millisecond
	patience  = 2 * time.Second
	sayEvery  = 5 * time.Second
)

// screen shows each step with the seconds since the start, and what goes on between two steps.
type screen struct {
	out      io.Writer
	terminal bool
	start    time.Time

	printing sync.Mutex // held while out is written to

	changing sync.Mutex // guards stop
	stop     func()     // ends the drawing that doing began
}

func newScreen(out io.Writer, terminal bool) *screen {
	return &screen{out: out, terminal: terminal, start: time.Now(), stop: func() {}}
}

// step shows that something was done.
func (s *screen) step(format string, args ...any) {
	s.idle()
	s.line(fmt.Sprintf(format, args...), "\n")
}

// doing shows that something is going on, until the next step.
func (s *screen) doing(format string, args ...any) {
	text := fmt.Sprintf(format, args...) + " ..."
	quit, done := make(chan struct{}), make(chan struct{})
	s.replace(func() {
		close(quit)
		<-done
	})
	go func() {
		defer close(done)
		s.draw(text, quit)
	}()
}

func (s *screen) draw(text string, quit <-chan struct{}) {
	wait, again, end := patience, sayEvery, "\n"
	if s.terminal {
		wait, again, end = 0, drawEvery, ""
	}
	for {
		select {
		case <-quit:
			if s.terminal {
				s.print("\r\x1b[K")
			}
			return
		case <-time.After(wait):
		}
		s.line(text, end)
		wait = again
	}
}

// idle ends what doing began.
func (s *screen) idle() { s.replace(func() {}) }

func (s *screen) replace(stop func()) {
	s.changing.Lock()
	defer s.changing.Unlock()
	s.stop()
	s.stop = stop
}

func (s *screen) line(text, end string) {
	begin := ""
	if s.terminal {
		begin = "\r\x1b[K"
	}
	s.print(fmt.Sprintf("%s%6.1f s  %s%s", begin, time.Since(s.start).Seconds(), text, end))
}

func (s *screen) print(text string) {
	s.printing.Lock()
	defer s.printing.Unlock()
	_, _ = io.WriteString(s.out, text)
}

// quote quotes a name from the air or the command line and escapes all that could deceive a reader
// or a terminal.
func (s *screen) quote(name string) string {
	if s.terminal {
		return strconv.Quote(name)
	}
	return strconv.QuoteToASCII(name)
}
