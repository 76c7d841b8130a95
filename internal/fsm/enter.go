package fsm

import (
	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// The ways into a phase of an attempt. Each shows the status that belongs to it.

// join joins what is stored.
func (a *Attempt) join(why string, out *output) {
	a.Phase, a.Target, a.Link = gateway.Joining, a.Stored.own(), false
	a.Number++
	a.Timer.stop(RetryTimer, out)
	if out.Status != gateway.Connecting {
		out.show(gateway.Connecting, wifi.FailureNone, why, "connected, or failed with a reason")
	}
	out.do(Join{a.Number, a.Target})
}

func (a *Attempt) online(out *output) {
	a.Phase, a.Owner, a.Tries = gateway.Online, gateway.Requester{}, 0
	out.show(gateway.Connected, wifi.FailureNone, "the network is joined", nextOnline)
}

// lost shows that the link is gone, and joins again soon.
func (a *Attempt) lost(detail string, out *output) {
	a.Phase, a.Owner, a.Tries = gateway.Waiting, gateway.Requester{}, 0
	out.show(gateway.Provisioned, wifi.FailureNone, detail, "next attempt in "+ReconnectAfter.String())
	a.Timer.start(RetryTimer, ReconnectAfter, out)
}

// fail shows FAILED for a while, then goes on with what is stored or joined.
func (a *Attempt) fail(reason wifi.Failure, detail string, out *output) {
	a.Owner = gateway.Requester{}
	if !a.Stored.Any() {
		a.rest(gateway.Failed, reason, detail, out)
		return
	}
	a.Phase = gateway.Holding
	next, hold := "another attempt after a pause", HoldFailed
	switch {
	case a.Link:
		next = "the stored network stays joined"
	case a.Tries == 0:
		next, hold = "back to the stored network", HoldBack
	}
	out.show(gateway.Failed, reason, detail, next)
	a.Timer.start(RetryTimer, hold, out)
}

// rest waits for a phone.
func (a *Attempt) rest(status gateway.Status, reason wifi.Failure, why string, out *output) {
	a.Phase, a.Owner = gateway.Resting, gateway.Requester{}
	out.show(status, reason, why, "waiting for a phone")
}

func (a *Attempt) dropCandidate(out *output) {
	a.Stored.Candidate = 0
	out.do(DropCandidate{})
}
