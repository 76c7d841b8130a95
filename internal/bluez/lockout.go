package bluez

import (
	"fmt"
	"log/slog"
	"time"
)

// Each passkey that is shown is one guess for whoever asked for it, and one in a million
// is right. After freeGuesses without a bond no more are shown for a while, to nobody:
// addresses cost an attacker nothing. The lockout doubles with each further guess, up to
// longestLockout, so that the owner's phone need not wait for long.
const (
	freeGuesses    = 3
	firstLockout   = 2 * time.Second
	longestLockout = time.Minute
	guessesForget  = time.Hour // without a guess
)

// lockout counts the passkeys that were shown since the last one was typed right.
type lockout struct {
	log     *slog.Logger
	guesses int
	last    time.Time
	pause   alarm // while it runs, no passkey is shown
}

func (l *lockout) locked() bool { return l.pause.set() }

// shown notes that a passkey is shown, and locks pairing if too many were.
func (l *lockout) shown() {
	pause := l.guess(time.Now())
	if pause == 0 {
		return
	}
	l.log.Warn(fmt.Sprintf("pairing is locked for %s: %d passkeys were shown and none was typed"+
		" right; bonded phones are still served", pause, l.guesses), "event", "pairing-locked")
	l.pause.start(pause, func() { l.allow("the lockout has ended") })
}

// guess counts a passkey that is shown at now, and returns for how long no other one may
// be.
func (l *lockout) guess(now time.Time) time.Duration {
	if now.Sub(l.last) > guessesForget {
		l.guesses = 0
	}
	l.last = now
	l.guesses++
	if l.guesses < freeGuesses {
		return 0
	}
	return min(firstLockout<<min(l.guesses-freeGuesses, 10), longestLockout)
}

// typed: a central has typed the passkey that it was shown.
func (l *lockout) typed() {
	if l.locked() {
		l.pause.stop()
		l.allow("a phone has paired")
	}
	l.guesses = 0
}

func (l *lockout) allow(because string) {
	l.log.Info("pairing is allowed again: "+because, "event", "pairing-allowed")
}
