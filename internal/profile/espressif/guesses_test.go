package espressif

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/srp"
)

// flood guesses for d, as often as it is let, from another address each time, and returns how
// many guesses were checked.
func flood(g *guesses, d time.Duration, open bool) (checked int) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		c := gatt.Central(fmt.Sprintf("AA:BB:CC:%06d", time.Now().UnixMilli()/100%1000000))
		if g.take(c, open) {
			g.wrong(c)
			checked++
		}
	}
	return checked
}

// Over a long time there are 10 guesses an hour, whatever the attacker's addresses.
func TestGuessesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		g := r.profile.lock.guesses
		const hours = 5
		if n := flood(g, hours*time.Hour, false); n > budget+10*hours || n < 10*hours {
			t.Errorf("%d guesses in %d hours", n, hours)
		}
		if n := strings.Count(r.log.String(), "event=code-locked"); n == 0 || n > 11*hours {
			t.Errorf("the journal is told %d times", n)
		}
		time.Sleep(2 * time.Hour)
	})
}

// While an attacker floods, the owner gets in as soon as the door is opened.
func TestOwnerGetsInWhileFlooded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		flood(r.profile.lock.guesses, 61*time.Minute, false)
		if _, err := r.prove(phone1, code); err == nil {
			t.Fatal("the attacker has not spent the guesses")
		}
		r.change(func(s *gateway.Snapshot) { s.Window = time.Now().Add(5 * time.Minute) })
		began := time.Now()
		for try := 0; ; try++ {
			flood(r.profile.lock.guesses, time.Second, true)
			if _, err := r.prove(phone1, code); err == nil {
				break
			}
			if time.Since(began) > time.Minute {
				t.Fatalf("not in within a minute, after %d tries", try)
			}
		}
		if n := flood(r.profile.lock.guesses, 5*time.Minute, true); n > 5*60*2+budget {
			t.Errorf("%d guesses in a window of 5 minutes", n)
		}
		r.profile.Gone(phone1)
		time.Sleep(2 * time.Hour)
	})
}

// One central waits twice as long after each wrong code, at most a minute; others do not wait for
// it, and a right code ends it.
func TestCentralWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var waits []time.Duration
		asks := srp.NewClient("wifiprov", nil)
		for range 9 {
			began := time.Now()
			for {
				_, err := r.hello(phone1, asks)
				if err == nil {
					break
				}
				time.Sleep(100 * time.Millisecond)
			}
			waits = append(waits, time.Since(began).Round(500*time.Millisecond))
			r.profile.lock.guesses.wrong(phone1)
		}
		want := "[0s 500ms 2s 4s 8s 16s 32s 1m0s 1m0s]"
		if got := fmt.Sprint(waits); got != want {
			t.Errorf("waits %s, want %s", got, want)
		}
		if _, err := r.prove(phone2, code); err != nil {
			t.Errorf("another phone: %v", err)
		}
		time.Sleep(longestLockout)
		r.session(phone1)
		time.Sleep(helloPause)
		r.session(phone1)
		r.profile.Gone(phone1)
		r.profile.Gone(phone2)
		time.Sleep(2 * time.Hour)
	})
}

// A right code costs no guess.
func TestRightIsNoGuess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for range 2 * budget {
			r.session(phone1)
			r.profile.Gone(phone1)
		}
	})
}
