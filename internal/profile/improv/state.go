package improv

import (
	"net/netip"
	"strings"
	"sync"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/profile"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// State is what phones read of the gateway.
type State byte

// The states of the specification.
const (
	AuthorizationRequired State = 1
	Authorized            State = 2
	Provisioning          State = 3
	Provisioned           State = 4
)

// Error is why the latest command, or the latest attempt, has failed.
type Error byte

// The errors of the specification.
const (
	ErrorNone            Error = 0
	ErrorInvalidPacket   Error = 1
	ErrorUnknownCommand  Error = 2
	ErrorUnableToConnect Error = 3
	ErrorNotAuthorized   Error = 4
	ErrorBadHostname     Error = 5
	ErrorUnknown         Error = 0xFF
)

// AddressMark stands in the configured URL for the gateway's address.
const AddressMark = "{address}"

// attempt is what a CONNECT of this protocol has come to.
type attempt struct {
	central gatt.Central // whose it is; empty: there is none
	begun   bool         // a Snapshot has shown it
	joined  bool         // the network is joined: only the address for the URL is missing
}

func (a attempt) isOf(r gateway.Requester) bool {
	return r.Known() && r == gateway.Phone(a.central)
}

// progress is how provisioning goes, and what phones are told of it.
type progress struct {
	address   string // of the page to open next, as configured
	authorize bool   // a person has to open the door first
	calls     *profile.PerCentral[call]

	stateChanged, errorChanged, resultChanged gatt.Notifier

	mu      sync.Mutex
	now     *gateway.Snapshot // that changed was told last
	state   State
	failure Error
	attempt attempt
	done    bool // a phone has provisioned since a person has opened the door
}

// changed takes in the next Snapshot. The result and the error come before the state, so that
// whoever sees the state can read them.
func (p *progress) changed(before, now *gateway.Snapshot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if before == nil {
		before = &gateway.Snapshot{}
	}
	p.now = now
	if before.Window.IsZero() && !now.Window.IsZero() {
		p.done = false
	}
	switch {
	case p.attempt.isOf(now.Owner):
		p.attempt.begun = true
	case before.Owner.Known() && !now.Owner.Known():
		p.ended(now.Status == gateway.Connected)
	}
	if now.Owner.Known() && before.Owner != now.Owner {
		p.setError(ErrorNone)
	}
	p.finish()
	if state := p.stateNow(); state != p.state {
		p.state = state
		p.stateChanged.Send([]byte{byte(state)})
	}
}

// ended: the attempt of some phone has.
func (p *progress) ended(joined bool) {
	mine := p.attempt.begun
	p.attempt.joined = mine && joined
	if joined {
		p.done = true
		return
	}
	if mine {
		p.attempt = attempt{}
	}
	p.setError(ErrorUnableToConnect)
}

// finish answers a CONNECT of this protocol that has succeeded, once the URL is known.
func (p *progress) finish() {
	if !p.attempt.joined {
		return
	}
	url, known := p.url()
	switch {
	case p.now.Status != gateway.Connected:
		p.setError(ErrorUnableToConnect) // the link was lost before there was an address
	case !known:
		return
	case url == "":
		p.result(p.attempt.central, encode(CommandWifi))
	default:
		p.result(p.attempt.central, encode(CommandWifi, url))
	}
	p.attempt = attempt{}
}

// url returns what the phone is to open next, empty for nothing; known is false as long as the
// address for it may still come.
func (p *progress) url() (url string, known bool) {
	if !strings.Contains(p.address, AddressMark) {
		return p.address, true
	}
	address := p.now.Addresses.IPv4
	if !address.IsValid() {
		address = p.now.Addresses.IPv6
	}
	switch {
	case address.IsValid():
		return strings.ReplaceAll(p.address, AddressMark, host(address)), true
	case p.now.Reason == wifi.FailureNoAddress:
		return "", true
	}
	return "", false
}

// host returns an address as a URL has it (RFC 3986, 3.2.2).
func host(a netip.Addr) string {
	if a = a.WithZone(""); a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}

// stateNow follows from the latest Snapshot. A gateway that is on a network is provisioned,
// also if it needs authorization: clients look for those that are not. Whoever opens the door
// of one means to provision it anew.
func (p *progress) stateNow() State {
	switch now := p.now; {
	case now.Owner.Known(), p.attempt.joined:
		return Provisioning
	case now.Status == gateway.Connected && (now.Window.IsZero() || p.done):
		return Provisioned
	case !now.Open, p.authorize && now.Window.IsZero():
		return AuthorizationRequired
	}
	return Authorized
}

// authorized reports whether c may change something: the one whose attempt runs may replace it.
func (p *progress) authorized(c gatt.Central) bool {
	return p.state == Authorized || p.state == Provisioning && p.now.Owner == gateway.Phone(c)
}

// setError shows e. The same error again is another one.
func (p *progress) setError(e Error) {
	if e == ErrorNone && p.failure == ErrorNone {
		return
	}
	p.failure = e
	p.errorChanged.Send([]byte{byte(e)})
}

// begin notes that c is about to ask for an attempt, so that none of its Snapshots is missed;
// false: c may not.
func (p *progress) begin(c gatt.Central) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.authorized(c) {
		return false
	}
	p.attempt = attempt{central: c, begun: p.now.Owner == gateway.Phone(c)}
	return true
}

// asked: the gateway has answered c. The Snapshot of an attempt that is accepted has come by
// now; if it did not show one, the credentials were such as no network can have.
func (p *progress) asked(c gatt.Central, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	unseen := p.attempt.central == c && !p.attempt.begun
	if unseen {
		p.attempt = attempt{}
	}
	switch {
	case p.now.Busy(gateway.Phone(c)):
	case err != nil:
		p.setError(ErrorUnknown)
	case unseen:
		p.setError(ErrorUnableToConnect)
	}
}

// mayChange reports whether c may change something.
func (p *progress) mayChange(c gatt.Central) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.authorized(c)
}

// fail shows why c's command has failed, unless another phone's attempt runs: BlueZ notifies
// every subscriber, and that phone's client would take the error for its own.
func (p *progress) fail(c gatt.Central, e Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.now.Busy(gateway.Phone(c)) {
		p.setError(e)
	}
}

// answer keeps the result of c's command and notifies it, as fail does.
func (p *progress) answer(c gatt.Central, packet []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.result(c, packet)
}

func (p *progress) result(c gatt.Central, packet []byte) {
	p.calls.Look(c, func(kept *call) { kept.result = packet })
	if !p.now.Busy(gateway.Phone(c)) {
		p.resultChanged.Send(packet)
	}
}

func (p *progress) shown() (State, Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state, p.failure
}
