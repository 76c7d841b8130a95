package espressif

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/profile"
)

// A guess is a proof that was checked and is wrong: all that a stranger can learn of the code, one
// in 2^59. Addresses cost an attacker nothing, so what counts is the number over all of them:
// budget guesses, of which one comes back every refill, which is 10 an hour on average. Who
// spends them keeps phones with the right code out, too: no one can tell them apart before the
// proof. So a person at the gateway, or root, can lift it: while a window is open (the button,
// wifiprovctl open) a guess comes back every refillOpen, more than the radio lets anybody try. An
// attacker cannot open one.
//
// Each central has to wait after wrong codes as well, twice as long each time, so that one does not
// spend them all.
const (
	budget     = 10
	refill     = 6 * time.Minute
	refillOpen = 500 * time.Millisecond

	freeGuesses    = 2 // of a central, before it has to wait: people mistype
	firstLockout   = 2 * time.Second
	longestLockout = time.Minute
	lockoutForget  = time.Hour
	maxLockouts    = 64 // centrals that are remembered
)

// guesses bounds how often the code may be guessed.
type guesses struct {
	log     *slog.Logger
	central *profile.PerCentral[lockout]

	mu     sync.Mutex
	left   float64
	since  time.Time // when left was right
	locked bool      // none is left, which the journal was told
}

// lockout is how long a central has to wait.
type lockout struct {
	wrong int // in a row
	until time.Time
}

func newGuesses(log *slog.Logger) *guesses {
	return &guesses{
		log: log, left: budget, since: time.Now(),
		central: profile.NewPerCentral(maxLockouts, lockoutForget, func() lockout { return lockout{} }, nil),
	}
}

// may reports whether c may prove something now. open: a person has opened the door.
func (g *guesses) may(c gatt.Central, open bool) bool {
	waits := false
	g.central.Look(c, func(l *lockout) { waits = time.Now().Before(l.until) })
	g.mu.Lock()
	defer g.mu.Unlock()
	g.count(open)
	if g.left < 1 && !g.locked {
		g.locked = true
		g.log.Warn(fmt.Sprintf("too many wrong codes: phones are refused until %s from now, or until a person opens the door"+
			" (the button, or wifiprovctl open)", refill), "event", "code-locked")
	}
	return g.left >= 1 && !waits
}

// take is may for a proof that has come: it takes a guess, which right gives back.
func (g *guesses) take(c gatt.Central, open bool) bool {
	if !g.may(c, open) {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left--
	return true
}

// count brings left up to now. The lock must be held.
func (g *guesses) count(open bool) {
	every := refill
	if open {
		every = refillOpen
	}
	now := time.Now()
	g.left = min(budget, g.left+float64(now.Sub(g.since))/float64(every))
	g.since = now
	if g.locked && g.left >= 1 {
		g.locked = false
		g.log.Info("phones may prove the code again", "event", "code-allowed")
	}
}

// wrong: c's proof was.
func (g *guesses) wrong(c gatt.Central) {
	wrong := 0
	g.central.Update(c, func(l *lockout) {
		l.wrong++
		wrong = l.wrong
		if n := l.wrong - freeGuesses; n >= 0 {
			l.until = time.Now().Add(min(firstLockout<<min(n, 10), longestLockout))
		}
	})
	g.log.Warn(fmt.Sprintf("a phone gave a wrong code: %s", c), "event", "code-wrong", "central", c, "count", wrong)
}

// right: c's proof was, and is no guess.
func (g *guesses) right(c gatt.Central) {
	g.central.Drop(c)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left = min(budget, g.left+1)
}
