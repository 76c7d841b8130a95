package fsm

import (
	"fmt"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// How long the machine waits, and for what.
const (
	HoldFailed     = 3 * time.Second  // FAILED stays this long, so that a phone can read it
	ReconnectAfter = time.Second      // a lost link is PROVISIONED this long, then CONNECTING
	FirstRetry     = 10 * time.Second // the pause doubles with each failure ...
	LongestRetry   = 5 * time.Minute  // ... up to this
	AdvertiseAfter = 10 * time.Second // advertising goes on this long after CONNECTED ...
	AdvertiseLost  = time.Minute      // ... and comes back when the link is lost for this long
)

// handle is the whole table: first by event, then by phase. What is not expected
// in a phase goes through ignore.
func (t *transition) handle(event Event) {
	switch e := event.(type) {
	case Started:
		t.started(e)
	case ConnectRequested:
		t.connectRequested(e)
	case EraseRequested:
		t.eraseRequested(e)
	case Saved:
		if t.expects(Saving, e.Attempt) {
			t.saved(e)
		}
	case Joined:
		if t.expects(Joining, e.Attempt) {
			t.joined(e)
		}
	case JoinFailed:
		if t.expects(Joining, e.Attempt) {
			t.joinFailed(e.Failure, e.Detail)
		}
	case Promoted:
		if t.expects(Promoting, e.Attempt) {
			t.promoted(e)
		}
	case Erased:
		if t.expects(Erasing, e.Attempt) {
			t.erased(e)
		}
	case LinkLost:
		t.linkLost(e)
	case WifiAvailable:
		t.wifiAvailable()
	case AddressBound:
		t.Bound = true
	case AddressLost:
		t.Bound = false
	case TimerFired:
		t.timerFired(e)
	default:
		panic(fmt.Sprintf("internal error: fsm has no transition for %T", event))
	}
}

// expects reports whether the outcome of attempt is what the machine waits for;
// everything else is late and dropped.
func (t *transition) expects(phase Phase, attempt uint64) bool {
	return t.Phase == phase && t.Attempt == attempt
}

func (t *transition) started(e Started) {
	if t.Phase != Starting {
		return
	}
	t.Stored = e.Stored
	t.Advertising = true
	t.do(Advertise{On: true})
	if t.Stored.Active && t.Stored.Candidate {
		// An attempt was cut off before it proved anything: the network that did stands.
		t.dropCandidate()
	}
	if !t.Stored.Any() {
		t.rest(Idle, wifi.FailureNone, "no stored credentials")
		return
	}
	t.join(t.storedSlot(), "credentials are stored")
}

func (t *transition) connectRequested(e ConnectRequested) {
	if t.Phase == Starting || t.Phase == Promoting || t.Phase == Erasing || t.BusyFor(e.Central) {
		t.do(Refuse{})
		return
	}
	t.abandon()
	if err := e.Credentials.Validate(); err != nil {
		t.fail(wifi.FailureInvalidCredentials, err.(*wifi.Error).Detail)
		return
	}
	t.Phase, t.Owner = Saving, e.Central
	t.Attempt++
	t.do(SaveCandidate{Attempt: t.Attempt, Credentials: e.Credentials})
	t.publish(Connecting, wifi.FailureNone, "a phone asked to connect", "the new credentials are stored, then tried")
}

func (t *transition) eraseRequested(e EraseRequested) {
	switch {
	case t.Phase == Starting || e.Central != "" && t.BusyFor(e.Central):
		t.do(Refuse{})
	case t.Phase == Erasing:
	case t.Phase == Promoting:
		t.EraseWanted = true
	default:
		t.erase()
	}
}

func (t *transition) erase() {
	t.EraseWanted = false
	t.abandonJoin()
	t.stopTimer(RetryTimer)
	t.Phase, t.Owner = Erasing, ""
	t.Attempt++
	t.do(Erase{Attempt: t.Attempt})
}

func (t *transition) saved(e Saved) {
	if e.Failure != wifi.FailureNone {
		if t.Stored.Active {
			t.dropCandidate() // an earlier one may still be there
		}
		t.fail(e.Failure, "the credentials could not be stored: "+e.Detail)
		return
	}
	t.Stored.Candidate = true
	t.Tries = 0
	t.join(Candidate, "the new credentials are stored")
}

func (t *transition) joined(e Joined) {
	t.Link = true
	if t.Slot == Candidate {
		t.Phase = Promoting
		t.do(Promote{Attempt: t.Attempt, Network: e.Network})
		return
	}
	t.do(Remember{Network: e.Network})
	t.online()
}

func (t *transition) promoted(e Promoted) {
	switch {
	case t.EraseWanted:
		t.Stored = Stored{Active: true}
		t.erase()
	case e.Failure != wifi.FailureNone:
		// CONNECTED must survive a power cut. This would not: go back to what does.
		t.Link = false
		t.do(CancelJoin{})
		if t.Stored.Active {
			t.dropCandidate()
		} else {
			t.Tries++ // the candidate is stored, and all there is
		}
		t.fail(e.Failure, "the credentials could not be stored: "+e.Detail)
	case !t.Link:
		t.Stored = Stored{Active: true}
		t.lost("the link was lost right after the join")
	default:
		t.Stored, t.Slot = Stored{Active: true}, Active
		t.online()
	}
}

// joinFailed ends an attempt. A candidate stays only if nothing else is stored
// and trying again can help.
func (t *transition) joinFailed(failure wifi.Failure, detail string) {
	wasCandidate := t.Slot == Candidate
	if wasCandidate && (t.Stored.Active || !retryHelps(failure)) {
		t.dropCandidate()
	}
	if wasCandidate && t.Stored.Active {
		t.Tries = 0 // back to the active network without a pause
	} else {
		t.Tries++
	}
	t.fail(failure, detail)
}

// retryHelps reports whether the same credentials may work later.
func retryHelps(f wifi.Failure) bool {
	switch f {
	case wifi.FailureNotFound, wifi.FailureRefused, wifi.FailureTimedOut, wifi.FailureHardware, wifi.FailureInternal:
		return true
	}
	return false
}

// erased ends an ERASE, whoever asked for it.
func (t *transition) erased(e Erased) {
	if e.Failure != wifi.FailureNone {
		t.fail(e.Failure, "the stored credentials could not be erased: "+e.Detail)
		return
	}
	t.Stored, t.Link, t.Tries = Stored{}, false, 0
	t.Advertising = true
	t.stopTimer(AdvertisingTimer)
	t.do(Advertise{On: true})
	t.rest(Idle, wifi.FailureNone, "everything was erased")
	t.do(ForgetBonds{})
}

func (t *transition) linkLost(e LinkLost) {
	t.Link = false
	if t.Phase == Online {
		t.lost(e.Detail)
	}
}

func (t *transition) lost(detail string) {
	t.Phase, t.Owner, t.Tries = Waiting, "", 0
	t.publish(Provisioned, wifi.FailureNone, detail, "next attempt in "+ReconnectAfter.String())
	t.startTimer(RetryTimer, ReconnectAfter)
}

func (t *transition) wifiAvailable() {
	switch {
	case t.Phase == Waiting:
		t.join(t.storedSlot(), "the Wi-Fi is available again")
	case t.Phase == Holding && t.Reason == wifi.FailureHardware:
		t.Tries = 0 // FAILED is still shown for its time, but no pause follows
	}
}

func (t *transition) timerFired(e TimerFired) {
	if e.ID != t.Timer[e.Kind] {
		return // stopped or started anew since
	}
	switch e.Kind {
	case AdvertisingTimer:
		t.Advertising = !t.Advertising
		t.do(Advertise{On: t.Advertising})
		return
	case AddressTimer:
		t.noAddress()
		return
	}
	switch t.Phase {
	case Holding:
		t.resume()
	case Waiting:
		t.join(t.storedSlot(), "the pause is over")
	}
}

// resume goes on after FAILED was shown.
func (t *transition) resume() {
	switch {
	case t.Link:
		t.online()
	case t.Tries == 0:
		t.join(t.storedSlot(), "back to the stored network")
	default:
		pause := Pause(t.Tries) - HoldFailed
		t.Phase = Waiting
		t.publish(Provisioned, t.Reason, fmt.Sprintf("%d failed in a row", t.Tries), "next attempt in "+pause.String())
		t.startTimer(RetryTimer, pause)
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
