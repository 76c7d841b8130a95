package fsm

import (
	"fmt"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// alphabet is every kind of event, with the outcomes that make a difference.
var alphabet = []any{
	connect, invalid, other, erase, EraseRequested{"B"}, EraseRequested{},
	saved{}, saved{wifi.FailureInternal}, joined{},
	failed{wifi.FailureWrongPassword}, failed{wifi.FailureNotFound}, failed{wifi.FailureHardware},
	promoted{}, promoted{wifi.FailureInternal}, erased{}, erased{wifi.FailureInternal},
	LinkLost{"gone"}, WifiAvailable{}, retry{}, advertTime{}, noAddress{}, AddressBound{}, AddressLost{},
	Saved{Attempt: 1 << 60}, Joined{Attempt: 1 << 60}, Promoted{Attempt: 1 << 60}, Erased{Attempt: 1 << 60}, TimerFired{RetryTimer, 1 << 60},
}

// world checks what must hold whatever happens.
type world struct{ t *testing.T }

func (w *world) check(before, after State, event Event, actions []Action) {
	fail := func(format string, args ...any) {
		w.t.Helper()
		w.t.Fatalf("%s in %s/%s: %s\nactions: %v", kind(event), before.Phase, before.Status, fmt.Sprintf(format, args...), actions)
	}
	slow := 0
	for _, a := range actions {
		switch a := a.(type) {
		case Promote:
			if _, ok := event.(Joined); !ok {
				fail("the candidate becomes active without having been joined")
			}
			slow++
		case SaveCandidate, Join, Erase:
			slow++
		case Publish:
			if a.Why == "" || a.Next == "" {
				fail("a status without why or next")
			}
			if a.Status != Provisioned && (a.Status == Failed) != (a.Reason != wifi.FailureNone) {
				fail("status %s with reason %s", a.Status, a.Reason)
			}
		}
		if e, ok := a.(Explain); ok && (e.Why == "" || e.Next == "" || e.Status != before.Status || e.Status != Connected) {
			fail("explained %v", e)
		}
		if strings.Contains(fmt.Sprintf("%v %+v", a, a), canary) {
			fail("a secret is printed")
		}
	}
	switch {
	case slow > 1:
		fail("more than one slow action at once")
	case after.Status == Idle && after.Stored.Any() && after.Phase != Starting:
		fail("IDLE with credentials stored")
	case (after.Status == Provisioned || after.Status == Connected) && !after.Stored.Any():
		fail("%s with nothing stored", after.Status)
	case before.Stored.Active && !after.Stored.Active && !isErased(event):
		fail("the active network was lost")
	case after.Status == Connected && after.Reason != wifi.FailureNone && (after.Reason != wifi.FailureNoAddress || after.Bound):
		fail("CONNECTED with reason %s, bound %v", after.Reason, after.Bound)
	case after.Status == Connected && !after.Bound && after.Reason == wifi.FailureNone && !w.waits(before, after, actions):
		fail("nothing ends the wait for an address")
	case after.Phase == Waiting && after.Link, after.Phase == Online && !after.Link:
		fail("phase %s, link %v", after.Phase, after.Link)
	case (after.Phase == Waiting || after.Phase == Holding) && after.Phase != before.Phase && !starts(actions):
		fail("nothing ends phase %s", after.Phase)
	}
}

// waits reports whether the timer of the address runs: it does since before, or it
// was started.
func (w *world) waits(before, after State, actions []Action) bool {
	if before.lacksAddress() && before.Timer[AddressTimer] == after.Timer[AddressTimer] {
		return true
	}
	return slices.ContainsFunc(actions, func(a Action) bool { s, ok := a.(StartTimer); return ok && s.Kind == AddressTimer })
}

func isErased(e Event) bool { _, ok := e.(Erased); return ok }

func starts(actions []Action) bool {
	for _, a := range actions {
		if s, ok := a.(StartTimer); ok && s.Kind == RetryTimer {
			return true
		}
	}
	return false
}

func FuzzInvariants(f *testing.F) {
	f.Add([]byte{0, 0, 5, 7, 11})
	f.Add([]byte{1, 7, 0, 5, 8, 17, 7, 15, 17, 9})
	f.Add([]byte{3, 7, 3, 13, 18, 16, 17})
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) == 0 {
			return
		}
		w := &world{t: t}
		start := Started{Stored{Active: script[0]&1 != 0, Candidate: script[0]&2 != 0}}
		s, _ := Step(State{KeepAdvertising: script[0]&4 != 0}, start)
		for _, b := range script[1:] {
			event := concrete(s, alphabet[int(b)%len(alphabet)])
			next, actions := Step(s, event)
			w.check(s, next, event, actions)
			s = next
		}
	})
}

// explore visits every reachable state, counters aside, and returns the phases
// that each event leads to from each phase.
func explore(t *testing.T) map[Phase]map[string]map[string]bool {
	table := map[Phase]map[string]map[string]bool{}
	key := func(s State) State { s.Attempt, s.Timer = 0, [timers]uint64{}; s.Tries = min(s.Tries, 2); return s }
	seen := map[State]bool{}
	queue := []State{{KeepAdvertising: true}, {}}
	events := append([]any{none, active, Started{Stored{Candidate: true}}, Started{Stored{Active: true, Candidate: true}}}, alphabet...)
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		for _, h := range events {
			event := concrete(s, h)
			next, actions := Step(s, event)
			(&world{t: t}).check(s, next, event, actions)
			label := "–"
			if next.Phase != s.Phase || len(actions) > 0 {
				label = next.Phase.String() + " (" + next.Status.String() + ")"
			}
			if len(actions) > 0 && kind(actions[0]) == "Refuse" {
				label = "In Progress"
			}
			row := table[s.Phase]
			if row == nil {
				row = map[string]map[string]bool{}
				table[s.Phase] = row
			}
			if row[kind(event)] == nil {
				row[kind(event)] = map[string]bool{}
			}
			row[kind(event)][label] = true
			if !seen[key(next)] {
				seen[key(next)] = true
				queue = append(queue, next)
			}
		}
	}
	return table
}

// TestStateTable compares docs/states.md with what the code does; go test -update
// writes it anew.
func TestStateTable(t *testing.T) {
	table := explore(t)
	var out strings.Builder
	out.WriteString("# The state machine\n\nGenerated from `internal/fsm` by its test (`go test ./internal/fsm -update`): for every phase, where\neach event can lead. The status in parentheses is what a phone reads. \"In Progress\" is the answer to a\nrequest that has to wait. Events without a row for a phase change nothing there.\n")
	for phase := Starting; phase <= Erasing; phase++ {
		fmt.Fprintf(&out, "\n## %s\n\n| Event | Leads to |\n|---|---|\n", phase)
		var events []string
		for e := range table[phase] {
			events = append(events, e)
		}
		sort.Strings(events)
		for _, e := range events {
			var targets []string
			for target := range table[phase][e] {
				if target != "–" {
					targets = append(targets, target)
				}
			}
			sort.Strings(targets)
			if len(targets) > 0 {
				fmt.Fprintf(&out, "| %s | %s |\n", e, strings.Join(targets, ", "))
			}
		}
	}
	compare(t, filepath.Join("..", "..", "docs", "states.md"), out.String())
}
