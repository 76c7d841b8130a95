// Package fsm is the provisioning state machine: a pure function from a state and
// an event to the next state and the actions to take. It has no clock, no I/O, no
// goroutine, no logger and no secret; time comes in as TimerFired, the outcome of a
// slow action as an event that carries the attempt's number.
//
// Its regions do not know each other: the attempt decides what is shown; the door and the
// wait for an address follow what is shown.
package fsm

import (
	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// State is all the machine knows. The zero State waits for Started.
type State struct {
	Shown   Shown
	Attempt Attempt
	Door    Door
	Address Address
}

// Shown is what phones and operators are told. One step shows at most one status.
type Shown struct {
	Status  gateway.Status
	Reason  wifi.Failure // why the last attempt failed, until the next one, or FailureNoAddress while Connected
	Message string       // why it is so, for a person
	Next    string       // what happens next without anybody's doing, for a person
	Turn    uint64       // counts the statuses shown; another reason for the same status is no turn
}

// BusyFor reports whether a request of r has to wait for somebody else's attempt.
func (s State) BusyFor(r gateway.Requester) bool { return s.Attempt.busyFor(r) }

// Step returns the state after event and the actions to take, in order.
func Step(s State, event Event) (State, []Action) {
	before := s.Shown
	out := &output{Shown: before}
	owned := s.Attempt.Owner.Known()
	s.Attempt.handle(event, out)
	s.Door.handle(event, attempted{
		started: out.Turn > 0 && before.Turn == 0, before: before.Status, now: out.Status,
		owned: s.Attempt.Owner.Known(), ended: owned && !s.Attempt.Owner.Known(), joined: s.Attempt.Phase == gateway.Online,
	}, out)
	s.Address.handle(event, before, out)
	s.Shown = out.Shown
	return s, out.actions
}

// output is what the regions show and do in a step.
type output struct {
	Shown
	actions []Action
}

func (o *output) do(actions ...Action) { o.actions = append(o.actions, actions...) }

// show shows a status.
func (o *output) show(status gateway.Status, reason wifi.Failure, message, next string) {
	o.Shown = Shown{Status: status, Reason: reason, Message: message, Next: next, Turn: o.Turn + 1}
}

// explain shows another reason for the same status.
func (o *output) explain(reason wifi.Failure, message, next string) {
	o.Reason, o.Message, o.Next = reason, message, next
}
