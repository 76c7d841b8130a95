// Package led shows the gateway's state on an LED of the kernel (Documentation/leds/
// leds-class.rst), for whoever stands before the box.
package led

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
)

// failedFor is how long a failure is shown at least: the gateway itself goes on sooner.
const failedFor = 3 * time.Second

// pattern is for how long the LED is on, off, on ... before it begins anew; a single one: it
// stays on.
type pattern []time.Duration

// The patterns. Only those that blink wake the processor.
var (
	off        = pattern{}
	on         = pattern{0}
	open       = pattern{time.Second, time.Second}
	connecting = pattern{100 * time.Millisecond, 100 * time.Millisecond}
	failed     = pattern{150 * time.Millisecond, 150 * time.Millisecond, 150 * time.Millisecond, time.Second}
	identify   = pattern{50 * time.Millisecond, 50 * time.Millisecond}
)

// state is what the LED is to show.
type state struct {
	pattern  pattern
	failedAt time.Time // when the last attempt failed
}

// at returns the pattern for now, and when to ask again; zero: when the state changes.
func (s state) at(now time.Time) (pattern, time.Duration) {
	left := s.failedAt.Add(failedFor).Sub(now)
	if left <= 0 || same(s.pattern, identify) {
		return s.pattern, 0
	}
	return failed, left
}

func same(a, b pattern) bool { return len(a) == len(b) && (len(a) == 0 || a[0] == b[0]) }

// of returns the pattern that belongs to a Snapshot. A window that a person has opened
// comes before a failure: it says that the press of the button was noticed.
func of(s *gateway.Snapshot) pattern {
	switch {
	case s.Identify:
		return identify
	case s.Status == gateway.Connecting:
		return connecting
	case !s.Window.IsZero():
		return open
	case s.Status == gateway.Failed:
		return failed
	case s.Status == gateway.Connected:
		return on
	case s.Open:
		return open
	}
	return off
}

// LED is an Observer that shows the state on an LED while Run runs.
type LED struct {
	folder string
	log    *slog.Logger
	states chan state // the latest one
	last   state      // of Changed
	broken bool       // of Run: it cannot be written
}

// New returns the LED called name, below root, which is empty for /.
func New(name, root string, log *slog.Logger) *LED {
	return &LED{folder: filepath.Join(root, "/sys/class/leds", name), log: log, states: make(chan state, 1)}
}

// Changed implements gateway.Observer.
func (l *LED) Changed(before, now *gateway.Snapshot) {
	next := state{of(now), l.last.failedAt}
	switch {
	case now.Turn == before.Turn:
	case now.Status == gateway.Failed:
		next.failedAt = time.Now()
	case now.Owner.Known():
		next.failedAt = time.Time{} // another attempt of a phone
	}
	if same(next.pattern, l.last.pattern) && next.failedAt.Equal(l.last.failedAt) {
		return
	}
	l.last = next
	select {
	case <-l.states:
	default:
	}
	l.states <- next
}

// Run shows the states until ctx ends, and then leaves the LED to whom it belonged before.
func (l *LED) Run(ctx context.Context) error {
	former := l.trigger()
	l.write("trigger", "none")
	defer func() { l.write("brightness", "0"); l.write("trigger", former) }()
	bright := l.read("max_brightness")
	var now state
	for {
		shown, again := now.at(time.Now())
		next, ok := l.play(ctx, shown, bright, again)
		switch {
		case ctx.Err() != nil:
			return nil
		case ok:
			now = next
		}
	}
}

// play plays a pattern until there is another state, which it returns, or until the time is
// over; 0: it never is.
func (l *LED) play(ctx context.Context, p pattern, bright string, until time.Duration) (next state, ok bool) {
	var over <-chan time.Time
	if until > 0 {
		timer := time.NewTimer(until)
		defer timer.Stop()
		over = timer.C
	}
	steps := time.NewTimer(time.Hour)
	defer steps.Stop()
	for i := 0; ; i++ {
		value := "0"
		if len(p) > 0 && i%2 == 0 {
			value = bright
		}
		l.write("brightness", value)
		var step <-chan time.Time
		if len(p) > 1 {
			steps.Reset(p[i%len(p)])
			step = steps.C
		}
		select {
		case <-ctx.Done():
			return state{}, false
		case next = <-l.states:
			return next, true
		case <-over:
			return state{}, false
		case <-step:
		}
	}
}

// trigger returns what drives the LED, which sysfs shows in brackets.
func (l *LED) trigger() string {
	_, rest, _ := strings.Cut(l.read("trigger"), "[")
	name, _, ok := strings.Cut(rest, "]")
	if !ok {
		return "none"
	}
	return name
}

func (l *LED) read(file string) string {
	text, _ := os.ReadFile(filepath.Join(l.folder, file))
	return strings.TrimSpace(string(text))
}

// write writes a file of the LED. That it cannot be written is told once, and does no harm.
func (l *LED) write(file, value string) {
	f, err := os.OpenFile(filepath.Join(l.folder, file), os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(value)
		_ = f.Close()
	}
	switch {
	case err != nil && !l.broken:
		l.log.Warn(fmt.Sprintf("the LED cannot be written; is there %s, and does the unit have "+
			"ReadWritePaths=%[1]s (systemctl edit wifiprovd)?", l.folder), "err", err)
	case err == nil && l.broken:
		l.log.Info("the LED can be written again")
	}
	l.broken = err != nil
}
