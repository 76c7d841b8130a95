package fsm

import (
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Event is something that happened.
type Event interface{ event() }

// The events.
type (
	// Started comes once, first: the store was read. Problem says why it cannot be
	// used, and what to do; empty: it can.
	Started struct {
		Stored  Stored
		Problem string
	}

	// ConnectRequested is a CONNECT. Invalid says why no network can have what was
	// given; empty: one can.
	ConnectRequested struct {
		By      gateway.Requester
		Invalid string
	}

	// EraseRequested is an ERASE. The operator's ends anybody's attempt.
	EraseRequested struct{ By gateway.Requester }

	// Saved is half of Try: the candidate is stored as ID, and its join has begun.
	Saved struct {
		Attempt uint64
		ID      wifi.ID
	}

	// Ended is the outcome of Try, Join, Promote or Erase. Failure is FailureNone on
	// success; Detail tells a person why it is not.
	Ended struct {
		Attempt uint64
		Failure wifi.Failure
		Detail  string
	}

	// LinkLost: the joined network is gone.
	LinkLost struct{ Detail string }

	// WifiAvailable: networks can be joined again.
	WifiAvailable struct{}

	// AddressBound: the Wi-Fi interface has an IP address.
	AddressBound struct{}

	// AddressLost: it has none any more.
	AddressLost struct{}

	// WindowOpened: a person has opened the door for a while.
	WindowOpened struct{ For time.Duration }

	// WindowClosed: a person has closed it.
	WindowClosed struct{}

	// OnlineElsewhere: another interface than the Wi-Fi's has a network.
	OnlineElsewhere struct{}

	// OfflineElsewhere: none has any more.
	OfflineElsewhere struct{}

	// PhoneCame: a phone has connected.
	PhoneCame struct{}

	// PhonesLeft: no phone is connected any more.
	PhonesLeft struct{}

	// TimerFired: the timer that StartTimer started with this ID has run out.
	TimerFired struct {
		Kind TimerKind
		ID   uint64
	}
)

func (Started) event()          {}
func (ConnectRequested) event() {}
func (EraseRequested) event()   {}
func (Saved) event()            {}
func (Ended) event()            {}
func (LinkLost) event()         {}
func (WifiAvailable) event()    {}
func (AddressBound) event()     {}
func (AddressLost) event()      {}
func (WindowOpened) event()     {}
func (WindowClosed) event()     {}
func (OnlineElsewhere) event()  {}
func (OfflineElsewhere) event() {}
func (PhoneCame) event()        {}
func (PhonesLeft) event()       {}
func (TimerFired) event()       {}

// Action is something to do. Actions are carried out in order; those that carry an
// attempt are slow, and end with exactly one Ended of that number.
type Action interface{ action() }

// The actions.
type (
	// Refuse answers the request that is being handled In Progress. A request
	// without Refuse is accepted.
	Refuse struct{}

	// Try stores the credentials of the request as the candidate, which Saved tells,
	// and then joins it. A running join is ended first.
	Try struct{ Attempt uint64 }

	// Join joins a stored network. A running join is ended first.
	Join struct {
		Attempt uint64
		ID      wifi.ID
	}

	// CancelJoin ends a running Try or Join and leaves its network.
	CancelJoin struct{}

	// Promote notes, durably, that ID is proven, in place of the network that was.
	Promote struct {
		Attempt uint64
		ID      wifi.ID
	}

	// Remember keeps where the network was found.
	Remember struct{ ID wifi.ID }

	// DropCandidate removes the network that is not proven from the store.
	DropCandidate struct{}

	// Erase empties the store, then leaves the network.
	Erase struct{ Attempt uint64 }

	// ForgetBonds removes the bonds made with this device.
	ForgetBonds struct{}

	// Disconnect disconnects all phones.
	Disconnect struct{}

	// StartTimer starts the timer of its kind anew.
	StartTimer struct {
		Kind  TimerKind
		ID    uint64
		After time.Duration
	}

	// StopTimer stops the timer of its kind.
	StopTimer struct{ Kind TimerKind }
)

func (Refuse) action()        {}
func (Try) action()           {}
func (Join) action()          {}
func (CancelJoin) action()    {}
func (Promote) action()       {}
func (Remember) action()      {}
func (DropCandidate) action() {}
func (Erase) action()         {}
func (ForgetBonds) action()   {}
func (Disconnect) action()    {}
func (StartTimer) action()    {}
func (StopTimer) action()     {}
