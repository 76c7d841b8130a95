// Package fsm is the provisioning state machine: a pure function from a state and
// an event to the next state and the actions to take. It has no clock, no I/O, no
// goroutine and no logger; time comes in as TimerFired, the outcome of a slow
// action as an event that carries the action's attempt number.
package fsm

import (
	"fmt"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Status is what a phone reads. The values are those of the GATT contract.
type Status uint8

// The statuses of the contract.
const (
	Idle        Status = 0 // no stored credentials
	Provisioned Status = 1 // credentials are stored, the link is down, a retry is scheduled
	Connecting  Status = 2 // an attempt is running
	Connected   Status = 3 // associated and authenticated
	Failed      Status = 4 // the last attempt failed
)

var statusNames = [...]string{"IDLE", "PROVISIONED", "CONNECTING", "CONNECTED", "FAILED"}

func (s Status) String() string { return name(statusNames[:], int(s)) }

// Phase is what the machine is doing; several phases can show the same Status.
type Phase uint8

// The phases. Each one has exactly one thing it waits for.
const (
	Starting  Phase = iota // for Started
	Resting                // for a phone: nothing is stored
	Saving                 // for the store to hold the candidate
	Joining                // for wpa_supplicant
	Promoting              // for the store to make the joined candidate active
	Online                 // for nothing: the network is joined
	Holding                // for the hold timer: FAILED is shown long enough to be read
	Waiting                // for the retry timer, or the radio's return
	Erasing                // for the store to be empty
)

var phaseNames = [...]string{"starting", "resting", "saving", "joining", "promoting", "online", "holding", "waiting", "erasing"}

func (p Phase) String() string { return name(phaseNames[:], int(p)) }

// Slot names one of the two credentials the store can hold.
type Slot uint8

// The slots.
const (
	Active    Slot = iota // joined at least once
	Candidate             // not proved yet
)

func (s Slot) String() string { return name([]string{"active", "candidate"}, int(s)) }

func name(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("unknown (%d)", i)
}

// Stored tells which credentials the store holds.
type Stored struct{ Active, Candidate bool }

// Any reports whether the store holds credentials.
func (s Stored) Any() bool { return s.Active || s.Candidate }

// State is all the machine knows. The zero State waits for Started. It holds no
// credentials, only where they are.
type State struct {
	Phase       Phase
	Status      Status
	Reason      wifi.Failure // why the last attempt failed, until the next one, or FailureNoAddress while Connected; FailureNone otherwise
	Stored      Stored
	Slot        Slot   // the credentials in use while Joining, Promoting and Online
	Link        bool   // a network is joined
	Owner       string // the central whose CONNECT is being carried out; empty for the gateway's own attempts
	Attempt     uint64 // number of the latest slow action; outcomes of earlier ones are dropped
	Timer       [timers]uint64
	Tries       int  // attempts of the gateway's own that failed in a row
	EraseWanted bool // ERASE came while Promoting

	// KeepAdvertising is the configuration's bluetooth.keep_after_connect.
	KeepAdvertising bool
	Advertising     bool

	// AddressTimeout is the configuration's wifi.address_timeout.
	AddressTimeout time.Duration
	Bound          bool // the Wi-Fi interface has an IP address
}

// lacksAddress reports whether the machine waits for an IP address.
func (s State) lacksAddress() bool { return s.Status == Connected && !s.Bound }

// BusyFor reports whether writes of central are to be answered In Progress,
// because an attempt that another central asked for is running.
func (s State) BusyFor(central string) bool {
	return s.Owner != "" && s.Owner != central
}

// Step returns the state after event and the actions to take, in order.
func Step(s State, event Event) (State, []Action) {
	t := &transition{State: s}
	t.handle(event)
	t.advertising(s.Status)
	t.address(s)
	return t.State, t.actions
}

// transition is a step under way.
type transition struct {
	State
	actions []Action
}

func (t *transition) do(actions ...Action) { t.actions = append(t.actions, actions...) }
