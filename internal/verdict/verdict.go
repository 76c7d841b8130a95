// Package verdict tells why wpa_supplicant did not join a network, from the few things
// that it says about it: states, status codes and reason codes. It is pure, so that
// every back-end on top of wpa_supplicant can feed it: one that drives wpa_supplicant,
// or one that only listens to its signals while another program drives it.
//
// The states are those of wpa_supplicant's State property (hostap,
// doc/dbus.doxygen). The codes are those of IEEE 802.11-2020, tables 9-49 (reason
// codes) and 9-50 (status codes).
package verdict

import (
	"fmt"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Change is what one signal of wpa_supplicant says about an interface.
type Change struct {
	State    string // empty: not changed
	Auth     *int32 // AuthStatusCode, table 9-50; nil: not changed
	Assoc    *int32 // AssocStatusCode, the same table
	Reason   *int32 // DisconnectReason, table 9-49; negative: this side ended the connection
	Mismatch bool   // PskMismatch or SaePasswordMismatch (wpa_supplicant 2.11 and later)
}

// Verdict is what a failed try to connect means.
type Verdict struct {
	Failure wifi.Failure
	Detail  string // for a person; it names the code
	weight  weight
}

// weight is how much a verdict counts.
type weight int

const (
	passing weight = iota // the next try may well succeed
	likely                // final when the next try says the same
	certain               // final
)

// Attempt follows wpa_supplicant from the moment it is told to join a network until
// it is connected, or until it is certain that it never will be. wpa_supplicant tries
// on and on; each try ends with a Verdict. The zero value, with its exported fields
// set, is ready to use. It is not safe for concurrent use.
type Attempt struct {
	Protected bool // the network has a password
	SAE       bool // WPA3 is used wherever the access point has it

	try     try
	tries   int     // that have ended
	verdict Verdict // of the last one that ended, or the final one
	final   bool
}

// try is what was heard of one try.
type try struct {
	state    string // the last one before it ended; empty: it has not begun
	auth     *int32
	assoc    *int32
	reason   *int32
	mismatch bool
}

// rank orders the states on the way to a connection. Any other state ends a try.
var rank = map[string]int{
	"authenticating":  1,
	"associating":     2,
	"associated":      3,
	"4way_handshake":  4,
	"group_handshake": 5,
	"completed":       6,
}

// State returns the state of the try that is running, empty if none is.
func (a *Attempt) State() string { return a.try.state }

// Connected reports whether the connection stands.
func (a *Attempt) Connected() bool { return a.try.state == "completed" }

// Begun reports whether wpa_supplicant has tried the access point.
func (a *Attempt) Begun() bool { return a.try.state != "" || a.tries > 0 }

// Verdict returns the verdict on the last try that ended, with FailureNone if none has
// ended yet. final tells that further tries would end the same way.
func (a *Attempt) Verdict() (v Verdict, final bool) { return a.verdict, a.final }

// Observe takes in a change. wpa_supplicant sends DisconnectReason and AssocStatusCode
// before the state changes, but AuthStatusCode along with it: codes that come with a
// state that ends a try belong to that try.
func (a *Attempt) Observe(ch Change) {
	next := rank[ch.State]
	begins := next > 0 && (a.try.state == "" || next < rank[a.try.state])
	if begins {
		if a.try.state != "" {
			a.try.add(ch)
			a.end()
		}
		a.try = try{state: ch.State}
	} else if next > 0 {
		a.try.state = ch.State
	}
	if a.try.state == "" {
		return // about an earlier connection
	}
	a.try.add(ch)
	if ch.State != "" && next == 0 {
		a.end()
	}
}

func (t *try) add(ch Change) {
	if ch.Auth != nil {
		t.auth = ch.Auth
	}
	if ch.Assoc != nil {
		t.assoc = ch.Assoc
	}
	if ch.Reason != nil {
		t.reason = ch.Reason
	}
	t.mismatch = t.mismatch || ch.Mismatch
}

// end judges the try that has ended, unless a final verdict stands already.
func (a *Attempt) end() {
	a.tries++
	if !a.final {
		before := a.verdict.Failure
		a.verdict = judge(a.try, a.Protected, a.SAE)
		a.final = a.verdict.weight == certain || a.verdict.weight == likely && a.verdict.Failure == before
	}
	a.try = try{}
}

// judge says what it means that a try has ended.
func judge(t try, protected, sae bool) Verdict {
	switch {
	case t.mismatch && (t.reason == nil || *t.reason != -reasonInactivity):
		// wpa_supplicant reports a mismatch for every handshake that was cut, even by
		// an access point that went out of reach (reason -4).
		return Verdict{wifi.FailureWrongPassword, "wpa_supplicant found that the password does not match", certain}
	case t.state == "4way_handshake" && protected:
		return judgeHandshake(t)
	case t.state == "authenticating":
		return judgeAuthentication(t, sae)
	case t.assoc != nil && *t.assoc == statusAuthTimeout && protected:
		return Verdict{wifi.FailureWrongPassword,
			"wrong password, or the access point refused: this radio (brcmfmac?) does not tell which", likely}
	case t.assoc != nil && *t.assoc != 0:
		return Verdict{wifi.FailureRefused, "the access point refused the association: " + statusText(*t.assoc), likely}
	case t.reason != nil && *t.reason > 0:
		return Verdict{wifi.FailureRefused, "the access point ended the connection: " + ReasonText(*t.reason), likely}
	}
	return Verdict{wifi.FailureTimedOut, fmt.Sprintf("the access point stopped answering (state %s)", t.state), passing}
}

// judgeHandshake judges a try that ended in the 4-way handshake (WPA2). The station
// proves its key in message 2; an access point cannot tell a wrong key from a lost
// message, so it repeats message 1 and gives up with reason 15, with reason 2, or in
// silence.
func judgeHandshake(t try) Verdict {
	reason := int32(0)
	if t.reason != nil {
		reason = *t.reason
	}
	switch reason {
	case reason4WayTimeout, reasonPrevAuthInvalid:
		return Verdict{wifi.FailureWrongPassword, "the access point does not accept the password: " + ReasonText(reason), certain}
	case -reasonDifferentIE:
		return Verdict{wifi.FailureRefused, "the access point offers other security in the handshake than in its beacons", likely}
	case 0, -reasonInactivity, -reasonLeaving:
		return Verdict{wifi.FailureTimedOut, "the access point stopped answering during the WPA2 handshake; is the signal too weak?", passing}
	}
	return Verdict{wifi.FailureWrongPassword, "most likely a wrong password: the access point cut the WPA2 handshake: " + ReasonText(reason), likely}
}

// judgeAuthentication judges a try that ended in authentication: SAE proves the
// password there (IEEE 802.11-2020, 12.4), and access points turn stations away there.
func judgeAuthentication(t try, sae bool) Verdict {
	if t.auth == nil {
		return Verdict{wifi.FailureTimedOut, "the access point does not answer; is the signal too weak?", passing}
	}
	switch status := *t.auth; {
	case sae && (status == statusChallengeFail || status == statusUnspecified):
		return Verdict{wifi.FailureWrongPassword, "the access point does not accept the password: " + statusText(status), certain}
	case sae && (status == 0 || status == statusHashToElement):
		// It answered the commit message, then found that the confirm does not match.
		return Verdict{wifi.FailureWrongPassword, "the access point fell silent when the password was to be confirmed (WPA3)", certain}
	case status == 0:
		return Verdict{wifi.FailureTimedOut, "the access point stopped answering (state authenticating)", passing}
	default:
		return Verdict{wifi.FailureRefused, "the access point refused the authentication: " + statusText(status), likely}
	}
}
