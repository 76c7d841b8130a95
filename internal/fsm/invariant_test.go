package fsm

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// happening makes an event of the latest attempt or timer of a state.
type happening func(State) Event

func event(e Event) happening { return func(State) Event { return e } }

func ended(f wifi.Failure) happening {
	return func(s State) Event { return Ended{Attempt: s.Attempt.Number, Failure: f, Detail: "detail"} }
}

var (
	phoneA = gateway.Phone(gatt.Central("A"))
	phoneB = gateway.Phone(gatt.Central("B"))
)

// alphabet is every kind of event, with the outcomes that make a difference. The fuzz
// corpus names them by their place.
var alphabet = []happening{
	event(ConnectRequested{By: phoneA}), event(ConnectRequested{By: phoneA, Invalid: "invalid"}), event(ConnectRequested{By: phoneB}),
	event(EraseRequested{phoneA}), event(EraseRequested{phoneB}), event(EraseRequested{gateway.Operator()}),
	func(s State) Event { return Saved{Attempt: s.Attempt.Number, ID: 2} }, ended(wifi.FailureInternal), ended(wifi.FailureNone),
	ended(wifi.FailureWrongPassword), ended(wifi.FailureNotFound), ended(wifi.FailureHardware),
	ended(wifi.FailureNone), ended(wifi.FailureInternal), ended(wifi.FailureNone), ended(wifi.FailureInternal),
	event(LinkLost{"gone"}), event(WifiAvailable{}),
	func(s State) Event { return TimerFired{RetryTimer, s.Attempt.Timer.ID} },
	func(s State) Event { return TimerFired{AdvertisingTimer, s.Door.Timer.ID} },
	func(s State) Event { return TimerFired{AddressTimer, s.Address.Timer.ID} },
	event(AddressBound{}), event(AddressLost{}),
	event(Saved{Attempt: 1 << 60, ID: 3}), event(Ended{Attempt: 1 << 60}), event(ConnectRequested{}), event(EraseRequested{}),
	event(TimerFired{RetryTimer, 1 << 60}),
	event(WindowOpened{time.Minute}), event(WindowClosed{}), event(OnlineElsewhere{}), event(OfflineElsewhere{}), event(PhoneCame{}), event(PhonesLeft{}),
	func(s State) Event { return TimerFired{WindowTimer, s.Door.WindowTimer.ID} },
}

// check fails if a step breaks what must hold whatever happens.
func check(t *testing.T, before, after State, event Event, actions []Action) {
	t.Helper()
	if problem := broken(before, after, event, actions); problem != "" {
		t.Fatalf("%T %v in %s/%s: %s\nactions: %v\nstate: %+v", event, event, before.Attempt.Phase, before.Shown.Status, problem, actions, after)
	}
}

func broken(before, after State, event Event, actions []Action) string {
	for _, test := range []func(State, State, Event, []Action) string{brokenActions, brokenShown, brokenAttempt, brokenWait, brokenDoor} {
		if problem := test(before, after, event, actions); problem != "" {
			return problem
		}
	}
	return ""
}

func brokenActions(before, after State, event Event, actions []Action) string {
	slow := 0
	for _, a := range actions {
		switch a.(type) {
		case Promote:
			if e, ok := event.(Ended); !ok || e.Failure != wifi.FailureNone || before.Attempt.Phase != gateway.Joining {
				return "the candidate becomes proven without having been joined"
			}
			slow++
		case Try, Join, Erase:
			slow++
		}
	}
	refused := slices.Contains(actions, Action(Refuse{}))
	request, known := isRequest(event)
	switch {
	case slow > 1:
		return "more than one slow action at once"
	case refused && (before != after || len(actions) > 1):
		return "a refused request changes something"
	case request && !known && !refused:
		return "a request of nobody is accepted"
	}
	return ""
}

func isRequest(event Event) (request, known bool) {
	switch e := event.(type) {
	case ConnectRequested:
		return true, e.By.Known()
	case EraseRequested:
		return true, e.By.Known()
	}
	return false, false
}

func brokenShown(before, after State, _ Event, _ []Action) string {
	shown := after.Shown
	switch turns := shown.Turn - before.Shown.Turn; {
	case turns > 1:
		return "two statuses in one step: observers would miss one"
	case turns == 0 && shown.Status != before.Shown.Status:
		return "another status is no turn"
	case turns == 0 && shown != before.Shown && shown.Status != gateway.Connected:
		return fmt.Sprintf("explained %+v", shown)
	case shown.Turn > 0 && (shown.Message == "" || shown.Next == ""):
		return "a status without message or next"
	case shown.Status == gateway.Failed && shown.Reason == wifi.FailureNone,
		(shown.Status == gateway.Idle || shown.Status == gateway.Connecting) && shown.Reason != wifi.FailureNone:
		return fmt.Sprintf("status %s with reason %s", shown.Status, shown.Reason)
	case shown.Status == gateway.Connected && shown.Reason != wifi.FailureNone && (shown.Reason != wifi.FailureNoAddress || after.Address.Bound):
		return fmt.Sprintf("CONNECTED with reason %s, bound %v", shown.Reason, after.Address.Bound)
	}
	return ""
}

func brokenAttempt(before, after State, event Event, _ []Action) string {
	a, status := after.Attempt, after.Shown.Status
	_, isEnded := event.(Ended)
	switch {
	case status == gateway.Idle && a.Stored.Any() && a.Phase != gateway.Starting:
		return "IDLE with credentials stored"
	case (status == gateway.Provisioned || status == gateway.Connected) && !a.Stored.Any():
		return fmt.Sprintf("%s with nothing stored", status)
	case before.Attempt.Stored.Proven != 0 && a.Stored.Proven == 0 && !(isEnded && before.Attempt.Phase == gateway.Erasing):
		return "the proven network was lost"
	case a.Phase == gateway.Waiting && a.Link, a.Phase == gateway.Online && !a.Link:
		return fmt.Sprintf("phase %s, link %v", a.Phase, a.Link)
	case a.Owner.Known() && a.Phase != gateway.Saving && a.Phase != gateway.Joining && a.Phase != gateway.Promoting:
		return fmt.Sprintf("phase %s is owned", a.Phase)
	}
	return ""
}

// brokenWait: each wait has an end.
func brokenWait(_, after State, _ Event, _ []Action) string {
	waits := after.Attempt.Phase == gateway.Waiting || after.Attempt.Phase == gateway.Holding
	lacks := after.Shown.Status == gateway.Connected && !after.Address.Bound && after.Shown.Reason == wifi.FailureNone
	switch {
	case waits && !after.Attempt.Timer.Runs:
		return fmt.Sprintf("nothing ends phase %s", after.Attempt.Phase)
	case lacks && !after.Address.Timer.Runs:
		return "nothing ends the wait for an address"
	}
	return ""
}

func brokenDoor(before, after State, event Event, actions []Action) string {
	d := after.Door
	idle := after.Attempt.Phase == gateway.Resting && after.Shown.Status == gateway.Idle
	_, isOpened := event.(WindowOpened)
	held := before.Door.Stage == d.Stage && before.Door.Final && slices.ContainsFunc(actions, func(a Action) bool {
		t, ok := a.(StartTimer)
		return ok && t.Kind == WindowTimer
	})
	switch {
	case d.Access == gateway.AccessAlways && !d.Advertising && after.Shown.Turn > 0:
		return "phones cannot find the gateway, and always may"
	case d.Access == gateway.AccessOffline && !d.Advertising && idle && !d.Elsewhere && !d.Timer.Runs:
		return "IDLE, and phones cannot find the gateway"
	case d.Access == gateway.AccessWindow && d.Advertising != (d.Stage == Opened):
		return "phones find the gateway without a window"
	case (d.Stage == Opened || d.Stage == Ending) && !d.WindowTimer.Runs:
		return fmt.Sprintf("nothing ends the stage %s", d.Stage)
	case d.Stage == Leaving && !after.Attempt.Owner.Known() && !d.WindowTimer.Runs:
		return "nothing ends the stage leaving"
	case d.Stage < before.Door.Stage && d.Stage != Shut && !isOpened:
		return fmt.Sprintf("the window goes from stage %s back to %s", before.Door.Stage, d.Stage)
	case held && !isOpened:
		return "a phone puts the end of a stage off twice"
	case d.Access == gateway.AccessWindow && before.Door.Stage != Shut && d.Stage == Shut && d.Phones && !slices.Contains(actions, Action(Disconnect{})):
		return "the window is over, and phones stay connected"
	}
	return ""
}

func FuzzInvariants(f *testing.F) {
	f.Add([]byte{0, 0, 5, 7, 11})
	f.Add([]byte{1, 7, 0, 5, 8, 17, 7, 15, 17, 9})
	f.Add([]byte{3, 7, 3, 13, 18, 16, 17})
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) == 0 {
			return
		}
		start := Started{Stored: Stored{Proven: wifi.ID(script[0] & 1), Candidate: wifi.ID(script[0] & 2)}}
		s, _ := Step(State{Door: Door{Access: gateway.Access(script[0] >> 2 % 3)}}, start)
		for _, b := range script[1:] {
			e := alphabet[int(b)%len(alphabet)](s)
			next, actions := Step(s, e)
			check(t, s, next, e, actions)
			s = next
		}
	})
}

// edge is where an event led from a phase.
type edge struct {
	from  gateway.Phase
	event string
	to    string // phase (STATUS), or In Progress
	phase gateway.Phase
}

// explore visits every reachable state, counters aside, and returns all edges that
// change something.
func explore(t *testing.T) map[edge]bool {
	key := func(s State) State {
		s.Attempt.Number, s.Shown.Turn = 0, 0
		s.Attempt.Timer.ID, s.Door.Timer.ID, s.Door.WindowTimer.ID, s.Address.Timer.ID = 0, 0, 0, 0
		s.Attempt.Tries = min(s.Attempt.Tries, 2)
		return s
	}
	edges, seen := map[edge]bool{}, map[State]bool{}
	queue := []State{{}, {Door: Door{Access: gateway.AccessOffline}}, {Door: Door{Access: gateway.AccessWindow}}}
	events := append([]happening{event(Started{}), event(Started{Stored: Stored{Proven: 1}}), event(Started{Stored: Stored{Candidate: 2}}),
		event(Started{Stored: Stored{Proven: 1, Candidate: 2}}), event(Started{Problem: "problem"})}, alphabet...)
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		for _, h := range events {
			e := h(s)
			next, actions := Step(s, e)
			check(t, s, next, e, actions)
			if to, ok := leads(s, next, e, actions); ok {
				edges[edge{s.Attempt.Phase, label(e), to, next.Attempt.Phase}] = true
			}
			if !seen[key(next)] {
				seen[key(next)] = true
				queue = append(queue, next)
			}
		}
	}
	return edges
}

// leads says where a step led, and whether anybody would notice.
func leads(before, after State, e Event, actions []Action) (string, bool) {
	switch {
	case slices.Contains(actions, Action(Refuse{})):
		_, known := isRequest(e)
		return "In Progress", known
	case before.Attempt.Phase == after.Attempt.Phase && before.Shown == after.Shown &&
		before.Door.Advertising == after.Door.Advertising && before.Door.Stage == after.Door.Stage:
		return "", false
	}
	to := fmt.Sprintf("%s (%s)", after.Attempt.Phase, after.Shown.Status)
	if before.Attempt.Phase == after.Attempt.Phase && before.Shown == after.Shown {
		to = doorLeads(before.Door, after.Door)
	}
	return to, true
}

// doorLeads says what a step changed of the door alone.
func doorLeads(before, after Door) string {
	if before.Stage != after.Stage {
		return "window " + after.Stage.String()
	}
	return map[bool]string{true: "advertising on", false: "advertising off"}[after.Advertising]
}

// label names an event as a reader would.
func label(e Event) string {
	switch e := e.(type) {
	case Ended:
		if e.Failure == wifi.FailureNone {
			return "Ended well"
		}
		return "Ended with a failure"
	case TimerFired:
		return "Timer: " + e.Kind.String()
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", e), "fsm.")
}
