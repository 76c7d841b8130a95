package fsm

import (
	"time"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Event is something that happened. Its String says no secret.
type Event interface{ event() }

// The events.
type (
	// Started comes once, first: the store was read.
	Started struct{ Stored Stored }

	// ConnectRequested is a CONNECT that Central wrote, with what it had staged.
	ConnectRequested struct {
		Central     string
		Credentials wifi.Credentials
	}

	// EraseRequested is an ERASE that Central wrote. Without a central it is the
	// operator's, who may end the attempt of any central.
	EraseRequested struct{ Central string }

	// Saved is the outcome of SaveCandidate. Failure is FailureNone on success.
	Saved struct {
		Attempt uint64
		Failure wifi.Failure
		Detail  string
	}

	// Joined is the good outcome of Join.
	Joined struct {
		Attempt uint64
		Network wifi.Network
	}

	// JoinFailed is the other one.
	JoinFailed struct {
		Attempt uint64
		Failure wifi.Failure
		Detail  string
	}

	// Promoted is the outcome of Promote.
	Promoted struct {
		Attempt uint64
		Failure wifi.Failure
		Detail  string
	}

	// Erased is the outcome of Erase.
	Erased struct {
		Attempt uint64
		Failure wifi.Failure
		Detail  string
	}

	// LinkLost: the joined network is gone.
	LinkLost struct{ Detail string }

	// WifiAvailable: wpa_supplicant and the radio are back.
	WifiAvailable struct{}

	// AddressBound: the Wi-Fi interface has an IP address.
	AddressBound struct{}

	// AddressLost: it has none any more.
	AddressLost struct{}

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
func (Joined) event()           {}
func (JoinFailed) event()       {}
func (Promoted) event()         {}
func (Erased) event()           {}
func (LinkLost) event()         {}
func (WifiAvailable) event()    {}
func (AddressBound) event()     {}
func (AddressLost) event()      {}
func (TimerFired) event()       {}

// TimerKind tells the machine's timers apart; there is at most one of a kind.
type TimerKind uint8

// The timers.
const (
	RetryTimer       TimerKind = 0 // ends Holding and Waiting
	AdvertisingTimer TimerKind = 1 // switches advertising off or on
	AddressTimer     TimerKind = 2 // ends the wait for an IP address

	timers = 3
)

func (k TimerKind) String() string { return name([]string{"retry", "advertising", "address"}, int(k)) }

// Action is something to do. Actions are carried out in order; slow ones answer
// with exactly one event that carries their attempt.
type Action interface{ action() }

// The actions.
type (
	// Refuse answers the request that is being handled In Progress. A request
	// without Refuse is accepted.
	Refuse struct{}

	// Publish shows Status to phones and in the journal.
	Publish struct {
		Status Status
		Reason wifi.Failure
		Why    string // why it is so
		Next   string // what happens next
	}

	// Explain shows another Reason for the same status.
	Explain struct {
		Status Status
		Reason wifi.Failure
		Why    string // why it is so
		Next   string // what happens next
	}

	// SaveCandidate stores the credentials beside the active ones; answered by Saved.
	SaveCandidate struct {
		Attempt     uint64
		Credentials wifi.Credentials
	}

	// DropCandidate removes the candidate from the store.
	DropCandidate struct{}

	// Join joins the network in Slot; answered by Joined or JoinFailed. A running
	// Join is ended first.
	Join struct {
		Attempt uint64
		Slot    Slot
	}

	// CancelJoin ends a running Join and leaves its network.
	CancelJoin struct{}

	// Promote makes the candidate active, durably; answered by Promoted.
	Promote struct {
		Attempt uint64
		Network wifi.Network
	}

	// Remember keeps where the active network was found.
	Remember struct{ Network wifi.Network }

	// Erase empties the store, then leaves the network; answered by Erased.
	Erase struct{ Attempt uint64 }

	// ForgetBonds removes the bonds made with this device.
	ForgetBonds struct{}

	// StartTimer starts the timer of its kind anew.
	StartTimer struct {
		Kind  TimerKind
		ID    uint64
		After time.Duration
	}

	// StopTimer stops the timer of its kind.
	StopTimer struct{ Kind TimerKind }

	// Advertise switches advertising on or off.
	Advertise struct{ On bool }
)

func (Refuse) action()        {}
func (Publish) action()       {}
func (Explain) action()       {}
func (SaveCandidate) action() {}
func (DropCandidate) action() {}
func (Join) action()          {}
func (CancelJoin) action()    {}
func (Promote) action()       {}
func (Remember) action()      {}
func (Erase) action()         {}
func (ForgetBonds) action()   {}
func (StartTimer) action()    {}
func (StopTimer) action()     {}
func (Advertise) action()     {}
