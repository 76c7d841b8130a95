package fsm

import (
	"fmt"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// nextOnline is what comes next while a network is joined.
const nextOnline = "nothing, until the link is lost or a phone asks"

// The ways into a phase. Each publishes the status that belongs to it.

func (t *transition) join(slot Slot, why string) {
	t.Phase, t.Slot, t.Link = Joining, slot, false
	t.Attempt++
	t.stopTimer(RetryTimer)
	if t.Status != Connecting {
		t.publish(Connecting, wifi.FailureNone, why, "connected, or failed with a reason")
	}
	t.do(Join{Attempt: t.Attempt, Slot: slot})
}

func (t *transition) online() {
	t.Phase, t.Owner, t.Tries = Online, "", 0
	t.publish(Connected, wifi.FailureNone, "the network is joined", nextOnline)
}

// fail shows FAILED for a while, then goes on with what is stored or joined.
func (t *transition) fail(reason wifi.Failure, detail string) {
	t.Owner = ""
	if !t.Stored.Any() {
		t.rest(Failed, reason, detail)
		return
	}
	t.Phase = Holding
	next := "another attempt after a pause"
	switch {
	case t.Link:
		next = "the stored network stays joined"
	case t.Tries == 0:
		next = "back to the stored network"
	}
	t.publish(Failed, reason, detail, next)
	t.startTimer(RetryTimer, HoldFailed)
}

func (t *transition) rest(status Status, reason wifi.Failure, why string) {
	t.Phase, t.Owner = Resting, ""
	t.publish(status, reason, why, "waiting for a phone")
}

func (t *transition) publish(status Status, reason wifi.Failure, why, next string) {
	t.Status, t.Reason = status, reason
	t.do(Publish{Status: status, Reason: reason, Why: why, Next: next})
}

// abandon ends whatever is under way, to make room for a request. The link of a
// network that is joined stays.
func (t *transition) abandon() {
	t.abandonJoin()
	if (t.Phase == Saving || t.Phase == Joining) && t.Owner != "" {
		t.dropCandidate()
	}
	t.stopTimer(RetryTimer)
}

func (t *transition) abandonJoin() {
	if t.Phase == Joining {
		t.do(CancelJoin{})
	}
}

func (t *transition) dropCandidate() {
	t.Stored.Candidate = false
	t.do(DropCandidate{})
}

// storedSlot is what the gateway joins by itself.
func (t *transition) storedSlot() Slot {
	if t.Stored.Active {
		return Active
	}
	return Candidate
}

func (t *transition) startTimer(kind TimerKind, after time.Duration) {
	t.Timer[kind]++
	t.do(StartTimer{Kind: kind, ID: t.Timer[kind], After: after})
}

// advertising carries out keep_after_connect: false. Advertising ends a while
// after CONNECTED, and begins again when the link stays lost.
func (t *transition) advertising(before Status) {
	if t.KeepAdvertising || before == t.Status {
		return
	}
	switch {
	case t.Status == Connected && t.Advertising:
		t.startTimer(AdvertisingTimer, AdvertiseAfter)
	case t.Status == Connected, before == Connected && t.Advertising:
		t.stopTimer(AdvertisingTimer)
	case before == Connected:
		t.startTimer(AdvertisingTimer, AdvertiseLost)
	}
}

// address waits for an IP address while the status is Connected, and stops when it
// comes, or when the link goes. The address itself is the work of others.
func (t *transition) address(before State) {
	switch {
	case t.lacksAddress() && !before.lacksAddress():
		t.startTimer(AddressTimer, t.AddressTimeout)
	case before.lacksAddress() && !t.lacksAddress():
		t.stopTimer(AddressTimer)
		if t.Status == Connected && t.Reason == wifi.FailureNoAddress {
			t.explain(wifi.FailureNone, "an address came", nextOnline)
		}
	}
}

// noAddress says that no IP address came. The link stays: one may come yet.
func (t *transition) noAddress() {
	if t.lacksAddress() && t.Reason == wifi.FailureNone {
		t.explain(wifi.FailureNoAddress, fmt.Sprintf("no address from the network within %s", t.AddressTimeout),
			"the link stays; a later address ends this")
	}
}

func (t *transition) explain(reason wifi.Failure, why, next string) {
	t.Reason = reason
	t.do(Explain{Status: t.Status, Reason: reason, Why: why, Next: next})
}

func (t *transition) stopTimer(kind TimerKind) {
	t.Timer[kind]++
	t.do(StopTimer{kind})
}
