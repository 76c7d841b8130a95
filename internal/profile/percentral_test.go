package profile

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

const idle = time.Minute

// rig is a PerCentral of secrets, and those that were wiped.
type rig struct {
	*PerCentral[string]
	t *testing.T

	mu    sync.Mutex
	wiped []string
}

// inBubble runs test in fake time, with room for three centrals.
func inBubble(t *testing.T, test func(*rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t}
		r.PerCentral = NewPerCentral(3, idle, func() string { return "fresh" },
			func(s *string) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.wiped = append(r.wiped, *s)
			})
		test(r)
	})
}

func (r *rig) set(c gatt.Central, secret string) {
	r.Update(c, func(s *string) { *s = secret })
}

// expect fails the test unless want, as central=secret, is kept of A to E, and these were
// wiped since the last call.
func (r *rig) expect(want []string, wiped ...string) {
	r.t.Helper()
	synctest.Wait()
	var kept []string
	for _, c := range []gatt.Central{"", "A", "B", "C", "D", "E"} {
		r.Look(c, func(s *string) { kept = append(kept, fmt.Sprintf("%s=%s", c, *s)) })
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(kept, want) || !slices.Equal(r.wiped, wiped) {
		r.t.Errorf("kept %q, wiped %q; want %q, %q", kept, r.wiped, want, wiped)
	}
	r.wiped = nil
}

func TestPerCentralStartsFresh(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.expect(nil)
		r.Update("A", func(s *string) { *s += " and changed" })
		r.Update("A", func(s *string) { *s += " twice" })
		r.expect([]string{"A=fresh and changed twice"})
	})
}

func TestPerCentralIsBoundedInNumber(t *testing.T) {
	inBubble(t, func(r *rig) {
		for _, c := range []gatt.Central{"", "A", "B", "", "C", "D"} { // "" twice: A is the oldest
			r.set(c, "secret "+string(c))
			time.Sleep(time.Nanosecond)
		}
		r.expect([]string{"=secret ", "C=secret C", "D=secret D"}, "secret A", "secret B")
		time.Sleep(idle - 3)
		r.expect([]string{"C=secret C", "D=secret D"}, "secret ") // those replaced left the others their time
	})
}

func TestPerCentralIsBoundedInTime(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.set("A", "a")
		r.set("B", "b")
		time.Sleep(idle - 1)
		r.Look("A", func(*string) {}) // is no use
		r.set("B", "b again")
		r.expect([]string{"A=a", "B=b again"})
		time.Sleep(time.Nanosecond)
		r.expect([]string{"B=b again"}, "a")
		time.Sleep(idle - 1)
		r.expect(nil, "b again")
	})
}

// The timer of what was dropped does not end what the central has kept since.
func TestPerCentralDrop(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.Drop("A")
		r.expect(nil)
		r.set("A", "first")
		first := r.kept["A"]
		r.set("B", "other")
		time.Sleep(idle / 2)
		r.Drop("A")
		r.expect([]string{"B=other"}, "first")
		r.set("A", "second")
		time.Sleep(idle / 2)
		r.expire("A", first) // its timer had fired, and waited for the lock
		r.expect([]string{"A=second"}, "other")
		time.Sleep(idle / 2)
		r.expect(nil, "second")
	})
}

// What is in use when its time is over stays.
func TestPerCentralInUseDoesNotExpire(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.set("A", "first")
		r.Update("A", func(s *string) {
			time.Sleep(idle)
			*s = "second"
		})
		r.expect([]string{"A=second"})
		time.Sleep(idle)
		r.expect(nil, "second")
	})
}

func TestPerCentralWithoutSecrets(t *testing.T) {
	p := NewPerCentral(1, time.Hour, func() int { return 7 }, nil)
	for _, c := range []gatt.Central{"A", "B"} {
		p.Update(c, func(n *int) {
			if *n != 7 {
				t.Errorf("%d is not fresh", *n)
			}
			*n = 8
		})
	}
	p.Drop("B")
	p.Look("B", func(n *int) { t.Errorf("%d was dropped", *n) })
}
