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
	State       string // empty: not changed
	Auth        *int32 // AuthStatusCode, table 9-50; nil: not changed
	Assoc       *int32 // AssocStatusCode, the same table
	Reason      *int32 // DisconnectReason, table 9-49; negative: this side ended the connection
	PSKMismatch bool   // the signal PskMismatch (wpa_supplicant 2.11 and later)
	SAEMismatch bool   // the signal SaePasswordMismatch (later still)
}

// Verdict is what a failed try to connect means.
type Verdict struct {
	Failure wifi.Failure
	Detail  string // for a person; it names the code
	weight  weight
}

// Answered reports whether the access point has answered, so that the verdict is its own.
func (v Verdict) Answered() bool {
	return v.Failure != wifi.FailureNone && v.Failure != wifi.FailureTimedOut
}

// Together returns the verdict of several access points of one name, from those that have
// answered: the password is wrong only if all of them say so. It is the zero one if there
// are none.
func Together(answers []Verdict) (v Verdict) {
	for i, answer := range answers {
		if i == 0 || v.Failure == wifi.FailureWrongPassword {
			v = answer
		}
	}
	if len(answers) > 1 {
		v.Detail += fmt.Sprintf(" (%d access points of this name were tried)", len(answers))
	}
	return v
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
	state       string // the last one before it ended; empty: it has not begun, or was too short to show one
	auth        *int32
	assoc       *int32
	reason      *int32
	committed   bool // SAE: the access point has answered the commit message
	pskMismatch bool
	saeMismatch bool
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

// Tries returns how many tries have ended.
func (a *Attempt) Tries() int { return a.tries }

// Verdict returns the verdict on the last try that ended, with FailureNone if none has
// ended yet. final tells that further tries would end the same way.
func (a *Attempt) Verdict() (v Verdict, final bool) { return a.verdict, a.final }

// Observe takes in a change. wpa_supplicant sends DisconnectReason and AssocStatusCode
// before the state changes, but AuthStatusCode along with it: codes that come with a
// state that ends a try belong to that try.
//
// It gathers what changes within 5 ms (dbus_new_helpers.c,
// wpa_dbus_mark_property_changed). So an access point that refuses at once is heard of by
// its code alone: the states of that try are skipped.
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
	ends := ch.State != "" && next == 0
	switch {
	case a.try.state != "":
		a.try.add(ch)
	case ends && (isError(ch.Auth) || isError(ch.Assoc)):
		a.try.add(ch)
	default:
		return // about an earlier connection
	}
	if ends {
		a.end()
	}
}

// isError reports whether the access point has said no with a status code.
func isError(status *int32) bool {
	return status != nil && !accepts(*status) && *status != statusTokenRequired
}

// accepts reports whether a status code says that a message was accepted.
func accepts(status int32) bool {
	return status == 0 || status == statusHashToElement || status == statusSAEPK
}

func (t *try) add(ch Change) {
	if ch.Auth != nil {
		t.auth = ch.Auth
		t.committed = t.committed || accepts(*ch.Auth)
	}
	if ch.Assoc != nil {
		t.assoc = ch.Assoc
	}
	if ch.Reason != nil {
		t.reason = ch.Reason
	}
	t.pskMismatch = t.pskMismatch || ch.PSKMismatch
	t.saeMismatch = t.saeMismatch || ch.SAEMismatch
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

// judge says what it means that a try has ended. A password is wrong only where the
// handshake proves it: there is a driver fault that looks like each other sign of it.
func judge(t try, protected, sae bool) Verdict {
	switch {
	case t.saeMismatch:
		return Verdict{wifi.FailureWrongPassword, "wpa_supplicant found that the password does not match (WPA3)", certain}
	case t.state == "4way_handshake" && protected:
		return judgeHandshake(t)
	case t.state == "authenticating", t.state == "" && isError(t.auth):
		return judgeAuthentication(t, sae)
	case t.assoc != nil && *t.assoc == statusAuthTimeout && protected:
		return Verdict{wifi.FailureRefused, "the access point refused, or the password is wrong: " +
			"this radio (brcmfmac?) does not tell which (" + statusText(*t.assoc) + " in the association)", likely}
	case isError(t.assoc):
		return Verdict{wifi.FailureRefused, "the access point refused the association: " + statusText(*t.assoc), likely}
	case t.reason != nil && *t.reason > 0:
		return Verdict{wifi.FailureRefused, fmt.Sprintf("the access point ended the connection (%s, state %s)", ReasonText(*t.reason), t.state), likely}
	case t.reason != nil && ownFault(*t.reason):
		return driverFault(t)
	}
	return Verdict{wifi.FailureTimedOut, fmt.Sprintf("the access point stopped answering (state %s)", t.state), passing}
}

// ownFault reports whether this side ended a connection because something failed here, not
// because the access point is out of reach or wpa_supplicant turned to another one.
func ownFault(reason int32) bool {
	return reason < 0 && reason != -reasonInactivity && reason != -reasonLeaving && reason != -reasonLeavingBSS
}

// driverFault is the verdict on a try that this side ended: the keys could not be
// installed, for one, as on a Raspberry Pi whose driver does not take the IGTK.
func driverFault(t try) Verdict {
	return Verdict{wifi.FailureHardware, fmt.Sprintf(
		"this side ended the connection (%s, state %s); could the driver install the keys? See the journal of wpa_supplicant and the kernel",
		ReasonText(*t.reason), t.state), likely}
}

// judgeHandshake judges a try that ended in the 4-way handshake (WPA2). The station
// proves its key in message 2; an access point cannot tell a wrong key from a lost
// message, so it repeats message 1 and gives up with reason 15, with reason 2, or in
// silence; one that checks the message itself may say reason 14. PskMismatch says no more
// than that the handshake was cut (wpa_supplicant, events.c, could_be_psk_mismatch), so
// the reason is asked first.
func judgeHandshake(t try) Verdict {
	reason := int32(0)
	if t.reason != nil {
		reason = *t.reason
	}
	switch {
	case reason == reason4WayTimeout, reason == reasonPrevAuthInvalid, reason == reasonMIC:
		return Verdict{wifi.FailureWrongPassword, "the access point does not accept the password: " + ReasonText(reason), certain}
	case reason == -reasonDifferentIE:
		return Verdict{wifi.FailureRefused, "the access point offers other security in the handshake than in its beacons", likely}
	case reason == 0 && t.pskMismatch:
		return Verdict{wifi.FailureWrongPassword, "wpa_supplicant found that the password does not match (WPA2)", certain}
	case reason > 0:
		return Verdict{wifi.FailureRefused, "the access point cut the WPA2 handshake: " + ReasonText(reason) + "; is the password right?", likely}
	case ownFault(reason):
		return driverFault(t)
	}
	return Verdict{wifi.FailureTimedOut, "the access point stopped answering during the WPA2 handshake; is the signal too weak?", passing}
}

// judgeAuthentication judges a try that ended in authentication: SAE proves the
// password there (IEEE 802.11-2020, 12.4), and access points turn stations away there.
// Only one that has answered the commit message, which holds no proof yet, can have
// judged the password.
func judgeAuthentication(t try, sae bool) Verdict {
	if t.auth == nil {
		return Verdict{wifi.FailureTimedOut, "the access point does not answer; is the signal too weak?", passing}
	}
	switch status := *t.auth; {
	case sae && (status == statusChallengeFail || status == statusUnspecified && t.committed):
		return Verdict{wifi.FailureWrongPassword, "the access point does not accept the password: " + statusText(status), certain}
	case sae && accepts(status):
		// It answered the commit message, then found that the confirm does not match.
		return Verdict{wifi.FailureWrongPassword, "the access point fell silent when the password was to be confirmed (WPA3)", certain}
	case !isError(t.auth):
		return Verdict{wifi.FailureTimedOut, "the access point stopped answering (state authenticating)", passing}
	case sae && status == statusUnspecified:
		// Or its answers to both messages came within 5 ms, and are heard of as one.
		return Verdict{wifi.FailureRefused, "the access point refused the authentication: " + statusText(status) + "; is the password right?", likely}
	default:
		return Verdict{wifi.FailureRefused, "the access point refused the authentication: " + statusText(status), likely}
	}
}
