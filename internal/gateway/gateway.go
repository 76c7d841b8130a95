// Package gateway is what can be known of the gateway and what can be asked of it:
// the vocabulary that the daemon, the phone protocols, the journal and the D-Bus
// interface share. The daemon publishes a Snapshot after each step; whoever tells
// anyone anything is an Observer that compares two of them; whoever asks for
// anything is a Requester and uses Control.
package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Snapshot is all that is known of the gateway at one moment. It holds no secret and
// never changes once it is published; what it points to does not either.
type Snapshot struct {
	Status  Status
	Phase   Phase
	Turn    uint64       // counts the statuses that were shown: CONNECTING after CONNECTING is another turn
	Since   time.Time    // when the turn began
	Reason  wifi.Failure // why the last attempt failed, or FailureNoAddress while CONNECTED
	Message string       // why the status and the reason are as they are, for a person
	Next    string       // what happens next without anybody's doing, for a person

	Owner     Requester     // whose CONNECT is being carried out; nobody: it is the gateway's own attempt, or none
	Trying    Trying        // the latest attempt; the zero value after an ERASE
	Network   *wifi.Network // the joined one, as it is now; nil: none
	Joined    time.Time     // when it was joined
	Addresses wifi.Addresses

	Country wifi.Country // where the gateway is: configured, else as a phone has written; empty: neither

	WifiInterface string // that joins them, such as wlan0; empty: there is none, or it is not known yet
	WifiBackend   string // who keeps the networks that are joined: wpa_supplicant or networkmanager; empty: not known yet
	WifiProblem   string // why no network can be joined, and what to do; empty: one can
	Advertising   Advertising
	Centrals      []gatt.Central // that are connected, oldest first

	Access  Access    // the configuration's, which never changes
	Open    bool      // Open says that phones may find and provision the gateway now.
	Window  time.Time // Window is until when the door that a person has opened stays open; zero: nobody has.
	Leaving bool      // the door is closed, and a phone may still read how its attempt ends

	Code         Code // the code on the label
	CodeRequired bool // phones that have not proved it are refused, whichever protocol they speak

	Identify bool // the gateway is to show which one it is, for a person who looks for it
}

// Busy reports whether a request of r has to wait for somebody else's attempt.
func (s *Snapshot) Busy(r Requester) bool {
	return s.Owner.Known() && s.Owner != r && !r.IsOperator()
}

// Trying is an attempt to join.
type Trying struct {
	SSID     wifi.SSID
	Security wifi.Security
	Proven   bool   // the credentials have joined the network before
	Begun    uint64 // number of the attempt once its join has begun; 0: it has not yet
}

// Advertising is whether phones can find the gateway.
type Advertising struct {
	Wanted  bool
	Adapter string // the adapter it is advertised on, such as hci0; empty: it is not
	Problem string // why it is not advertised; empty: it is
}

// Observer is told of every published Snapshot, in order, by the daemon's loop:
// Changed must not block. before is the Snapshot that the previous call had as now.
type Observer interface {
	Changed(before, now *Snapshot)
}

// ErrBusy is the answer to a request that cannot be taken now: another central's
// attempt runs, or the gateway does not keep up.
var ErrBusy = errors.New("busy")

// ErrConfigured is the answer to a request to change what the configuration fixes.
var ErrConfigured = errors.New("the configuration says otherwise")

// ErrNobody is the answer to a request whose requester is not known.
var ErrNobody = errors.New("the requester is not known")

// ErrShut is the answer to a phone that asks for anything while the door is shut.
var ErrShut = errors.New("the door is shut")

// ErrNotAllowed is the answer to a request that only root on the gateway may make.
var ErrNotAllowed = errors.New("only an operator may ask for this")

// Control is what can be asked of the gateway. Its methods may be called from any
// goroutine; all but Scan return at once.
type Control interface {
	// Snapshot returns the latest one.
	Snapshot() *Snapshot

	// Busy reports whether a request of r would be answered ErrBusy because of
	// somebody else's attempt.
	Busy(r Requester) bool

	// Connect starts an attempt with c, which is the gateway's from now on and is
	// wiped. Credentials that no network can have are accepted, and fail. It
	// returns ErrBusy, ErrShut or ErrNobody if the request is refused.
	Connect(r Requester, c wifi.Credentials) error

	// Erase starts to erase everything: stored credentials, the network, the bonds.
	// An operator's ends every attempt. It returns ErrBusy, ErrShut or ErrNobody if
	// the request is refused.
	Erase(r Requester) error

	// SetCountry has the radio work by the rules of a country, also after a restart. It
	// returns ErrConfigured if the configuration names another one, ErrBusy, ErrShut or
	// ErrNobody if the request is refused.
	SetCountry(r Requester, c wifi.Country) error

	// Open opens a window for d, which is ShortestWindow to LongestWindow, or 0 for the
	// configuration's: phones may find and provision the gateway, whatever the access. A
	// window that is open ends d from now. It returns ErrNotAllowed unless r is an
	// operator, ErrBusy while the daemon is starting or ending.
	Open(r Requester, d time.Duration) error

	// Close ends the window; one that is not open is no error. A phone whose attempt runs
	// still learns how it ends. The errors are those of Open.
	Close(r Requester) error

	// Identify has the gateway show for a while which one it is, by its LED and
	// wifiprovd-identify.target. It returns ErrNobody or ErrBusy if the request is refused.
	Identify(r Requester) error

	// Prepare says that a Connect to ssid is likely to come.
	Prepare(ssid wifi.SSID)

	// Refresh has the joined network looked at for a coming Snapshot: its signal
	// changes all the time.
	Refresh()

	// Scan returns the networks that can be heard, one per SSID. Each caller has
	// its own answer.
	Scan(ctx context.Context) ([]wifi.Offer, error)
}
