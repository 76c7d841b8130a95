package fsm

import (
	"fmt"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// How long the machine waits, and for what.
const (
	HoldFailed     = 3 * time.Second        // FAILED stays this long, so that a phone can read it
	HoldBack       = 100 * time.Millisecond // it stays this long when there is a network to go back to: others need that
	ReconnectAfter = time.Second            // a lost link is PROVISIONED this long, then CONNECTING
	FirstRetry     = 10 * time.Second
	LongestRetry   = 5 * time.Minute // the pause doubles with each failure, up to this
)

// nextOnline is what comes next while a network is joined.
const nextOnline = "nothing, until the link is lost or a phone asks"

// Stored tells which networks the store holds, 0 for none: the one that was joined
// before, and the candidate, which was not yet.
type Stored struct{ Proven, Candidate wifi.ID }

// Any reports whether the store holds a network.
func (s Stored) Any() bool { return s != Stored{} }

// own is what the gateway joins by itself.
func (s Stored) own() wifi.ID {
	if s.Proven != 0 {
		return s.Proven
	}
	return s.Candidate
}

// Attempt is what is being done about a network.
type Attempt struct {
	Phase       gateway.Phase
	Stored      Stored
	Target      wifi.ID           // that is being joined or is joined, while Joining, Promoting and Online
	Link        bool              // a network is joined
	Owner       gateway.Requester // whose CONNECT is being carried out; nobody: the gateway's own attempt, or none
	Number      uint64            // of the latest slow action; outcomes of earlier ones are dropped
	Tries       int               // attempts of the gateway's own that failed in a row
	EraseWanted bool              // ERASE came while Promoting
	Timer       Timer
}

func (a *Attempt) busyFor(r gateway.Requester) bool { return a.Owner.Known() && a.Owner != r }

// handle is the whole table of the region: first by event, then by phase. What is not
// expected in a phase changes nothing.
func (a *Attempt) handle(event Event, out *output) {
	switch e := event.(type) {
	case Started:
		a.started(e, out)
	case ConnectRequested:
		a.connectRequested(e, out)
	case EraseRequested:
		a.eraseRequested(e, out)
	case Saved:
		a.saved(e)
	case Ended:
		a.ended(e, out)
	case LinkLost:
		a.linkLost(e, out)
	case WifiAvailable:
		a.wifiAvailable(out)
	case TimerFired:
		a.timerFired(e, out)
	case AddressBound, AddressLost, WindowOpened, WindowClosed, OnlineElsewhere, OfflineElsewhere, PhoneCame, PhonesLeft:
	default:
		panic(fmt.Sprintf("internal error: fsm has no transition for %T", event))
	}
}

func (a *Attempt) started(e Started, out *output) {
	if a.Phase != gateway.Starting {
		return
	}
	if e.Problem != "" {
		a.rest(gateway.Failed, wifi.FailureInternal, e.Problem, out)
		return
	}
	a.Stored = e.Stored
	if a.Stored.Proven != 0 && a.Stored.Candidate != 0 {
		// An attempt was cut off before it proved anything: the proven network stands.
		a.dropCandidate(out)
	}
	if !a.Stored.Any() {
		a.rest(gateway.Idle, wifi.FailureNone, "no stored credentials", out)
		return
	}
	a.join("credentials are stored", out)
}

func (a *Attempt) connectRequested(e ConnectRequested, out *output) {
	switch a.Phase {
	case gateway.Starting, gateway.Promoting, gateway.Erasing:
		out.do(Refuse{})
		return
	}
	if !e.By.Known() || a.busyFor(e.By) {
		out.do(Refuse{})
		return
	}
	a.abandon(out)
	if e.Invalid != "" {
		a.fail(wifi.FailureInvalidCredentials, e.Invalid, out)
		return
	}
	a.Phase, a.Owner = gateway.Saving, e.By
	a.Number++
	out.do(Try{a.Number})
	out.show(gateway.Connecting, wifi.FailureNone, "a phone asked to connect", "the new credentials are stored, then tried")
}

// abandon ends whatever is under way, to make room for a request. The link of a
// network that is joined stays.
func (a *Attempt) abandon(out *output) {
	a.cancelJoin(out)
	if (a.Phase == gateway.Saving || a.Phase == gateway.Joining) && a.Owner.Known() {
		a.dropCandidate(out)
	}
	a.Timer.stop(RetryTimer, out)
}

// cancelJoin ends a join that runs, or that follows the write of the store.
func (a *Attempt) cancelJoin(out *output) {
	if a.Phase == gateway.Joining || a.Phase == gateway.Saving {
		a.Link = false // the network that was joined was left, or may have been
		out.do(CancelJoin{})
	}
}

func (a *Attempt) eraseRequested(e EraseRequested, out *output) {
	switch {
	case a.Phase == gateway.Starting, !e.By.Known(), !e.By.IsOperator() && a.busyFor(e.By):
		out.do(Refuse{})
	case a.Phase == gateway.Erasing:
	case a.Phase == gateway.Promoting:
		a.EraseWanted = true
	default:
		a.erase(out)
	}
}

func (a *Attempt) erase(out *output) {
	a.EraseWanted = false
	a.cancelJoin(out)
	a.Timer.stop(RetryTimer, out)
	a.Phase, a.Owner = gateway.Erasing, gateway.Requester{}
	a.Number++
	out.do(Erase{a.Number})
}

// saved: the candidate is stored, and its join goes on.
func (a *Attempt) saved(e Saved) {
	if a.Phase != gateway.Saving || e.Attempt != a.Number {
		return
	}
	a.Stored.Candidate = e.ID
	a.Phase, a.Target, a.Link, a.Tries = gateway.Joining, e.ID, false, 0
}

// ended takes the outcome of the slow action that the phase waits for. What belongs to
// an earlier one is late and dropped.
func (a *Attempt) ended(e Ended, out *output) {
	if e.Attempt != a.Number {
		return
	}
	switch a.Phase {
	case gateway.Saving:
		if e.Failure != wifi.FailureNone { // success comes after Saved
			a.saveFailed(e, out)
		}
	case gateway.Joining:
		if e.Failure == wifi.FailureNone {
			a.joined(out)
		} else {
			a.joinFailed(e, out)
		}
	case gateway.Promoting:
		a.promoted(e, out)
	case gateway.Erasing:
		a.erased(e, out)
	}
}

func (a *Attempt) saveFailed(e Ended, out *output) {
	if a.Stored.Proven != 0 {
		a.dropCandidate(out) // an earlier one may still be there
	}
	a.fail(e.Failure, "the credentials could not be stored: "+e.Detail, out)
}

func (a *Attempt) joined(out *output) {
	a.Link = true
	if a.Target == a.Stored.Candidate {
		a.Phase = gateway.Promoting
		out.do(Promote{a.Number, a.Target})
		return
	}
	out.do(Remember{a.Target})
	a.online(out)
}

// joinFailed ends an attempt. A candidate stays only if nothing else is stored and
// another attempt may succeed.
func (a *Attempt) joinFailed(e Ended, out *output) {
	wasCandidate := a.Target == a.Stored.Candidate
	if wasCandidate && (a.Stored.Proven != 0 || !retryHelps(e.Failure)) {
		a.dropCandidate(out)
	}
	if wasCandidate && a.Stored.Proven != 0 {
		a.Tries = 0 // back to the proven network without a pause
	} else {
		a.Tries++
	}
	a.fail(e.Failure, e.Detail, out)
}

// retryHelps reports whether the same credentials may work later.
func retryHelps(f wifi.Failure) bool {
	switch f {
	case wifi.FailureNotFound, wifi.FailureRefused, wifi.FailureTimedOut, wifi.FailureHardware, wifi.FailureInternal:
		return true
	}
	return false
}

func (a *Attempt) promoted(e Ended, out *output) {
	switch {
	case a.EraseWanted:
		a.Stored = Stored{Proven: a.Target}
		a.erase(out)
	case e.Failure != wifi.FailureNone:
		// CONNECTED must survive a power cut. This would not: go back to what does.
		a.Link = false
		out.do(CancelJoin{})
		if a.Stored.Proven != 0 {
			a.dropCandidate(out)
		} else {
			a.Tries++ // the candidate is stored, and all there is
		}
		a.fail(e.Failure, "the credentials could not be stored: "+e.Detail, out)
	case !a.Link:
		a.Stored = Stored{Proven: a.Target}
		a.lost("the link was lost right after the join", out)
	default:
		a.Stored = Stored{Proven: a.Target}
		a.online(out)
	}
}

// erased ends an ERASE, whoever asked for it.
func (a *Attempt) erased(e Ended, out *output) {
	if e.Failure != wifi.FailureNone {
		a.fail(e.Failure, "the stored credentials could not be erased: "+e.Detail, out)
		return
	}
	a.Stored, a.Link, a.Tries = Stored{}, false, 0
	a.rest(gateway.Idle, wifi.FailureNone, "everything was erased", out)
	out.do(ForgetBonds{})
}

func (a *Attempt) linkLost(e LinkLost, out *output) {
	a.Link = false
	if a.Phase == gateway.Online {
		a.lost(e.Detail, out)
	}
}

func (a *Attempt) wifiAvailable(out *output) {
	switch {
	case a.Phase == gateway.Waiting:
		a.join("the Wi-Fi is available again", out)
	case a.Phase == gateway.Holding && out.Reason == wifi.FailureHardware:
		a.Tries = 0 // FAILED is still shown for its time, but no pause follows
	}
}

func (a *Attempt) timerFired(e TimerFired, out *output) {
	if !a.Timer.fired(RetryTimer, e) {
		return
	}
	switch a.Phase {
	case gateway.Holding:
		a.resume(out)
	case gateway.Waiting:
		a.join("the pause is over", out)
	}
}

// resume goes on after FAILED was shown.
func (a *Attempt) resume(out *output) {
	switch {
	case a.Link:
		a.online(out)
	case a.Tries == 0:
		a.join("back to the stored network", out)
	default:
		pause := Pause(a.Tries) - HoldFailed
		a.Phase = gateway.Waiting
		out.show(gateway.Provisioned, out.Reason, fmt.Sprintf("%d failed in a row", a.Tries), "next attempt in "+pause.String())
		a.Timer.start(RetryTimer, pause, out)
	}
}

// Pause returns how long the machine waits after tries failures in a row.
func Pause(tries int) time.Duration {
	pause := FirstRetry
	for ; tries > 1 && pause < LongestRetry; tries-- {
		pause *= 2
	}
	return min(pause, LongestRetry)
}
