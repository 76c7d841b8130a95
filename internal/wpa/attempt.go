package wpa

import (
	"fmt"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// rank orders the states of wpa_supplicant on the way to a connection.
var rank = map[string]int{
	"authenticating":  1,
	"associating":     2,
	"associated":      3,
	"4way_handshake":  4,
	"group_handshake": 5,
	"completed":       6,
}

// try is what was seen of one try to connect, of which wpa_supplicant makes
// several in an attempt.
type try struct {
	phase    string // the last state before it ended; empty: it has not begun
	auth     *int32
	assoc    *int32
	reason   *int32
	mismatch bool
}

// attempt follows wpa_supplicant from SelectNetwork to a connection or a verdict.
// It is guarded by the Client's mu.
type attempt struct {
	dev       *device
	network   dbus.ObjectPath
	removed   bool // the network, by another program
	protected bool // the network has a password
	sae       bool // WPA3 is used where the access point has it

	try     try
	tries   int     // that ended
	verdict verdict // of the last try that ended
	final   bool    // more tries would end the same way
	done    bool    // connected
}

// verdict is what a failed try means.
type verdict struct {
	failure wifi.Failure
	detail  string
	weight  weight
}

// weight is how much a verdict counts.
type weight int

const (
	passing weight = iota // the next try may well succeed
	likely                // it is final when the next try says the same
	certain               // it is final
)

// observe takes in a change of the interface. Within one signal the codes belong
// to the state before it, if that ended; wpa_supplicant sends DisconnectReason
// and AssocStatusCode before the state changes, AuthStatusCode with it.
func (a *attempt) observe(ch change) {
	next := rank[ch.state]
	begins := next > 0 && (a.try.phase == "" || next < rank[a.try.phase])
	if begins {
		if a.try.phase != "" {
			a.try.add(ch)
			a.end()
		}
		a.try = try{phase: ch.state}
	} else if next > 0 {
		a.try.phase = ch.state
	}
	if a.try.phase == "" {
		return // what it says is about an earlier connection
	}
	a.try.add(ch)
	if ch.state != "" && next == 0 {
		a.end()
	}
	a.done = a.try.phase == "completed"
}

func (t *try) add(ch change) {
	if ch.auth != nil {
		t.auth = ch.auth
	}
	if ch.assoc != nil {
		t.assoc = ch.assoc
	}
	if ch.reason != nil {
		t.reason = ch.reason
	}
	t.mismatch = t.mismatch || ch.mismatch
}

// end judges the try that ended, unless a final verdict stands already.
func (a *attempt) end() {
	a.tries++
	if !a.final {
		before := a.verdict.failure
		a.verdict = judge(a.try, a.protected, a.sae)
		a.final = a.verdict.weight == certain || a.verdict.weight == likely && a.verdict.failure == before
	}
	a.try = try{}
}

// Status codes that mean something to judge (IEEE 802.11-2020, table 9-50).
const (
	statusUnspecified   = 1
	statusChallengeFail = 15  // SAE: the confirm message does not match
	statusAuthTimeout   = 16  // brcmfmac: whatever went wrong
	statusHashToElement = 126 // SAE: the commit message was accepted
)

// Reason codes that mean something to judge (table 9-49).
const (
	reasonPrevAuthInvalid = 2
	reasonLeaving         = 3 // as -3: it was us
	reasonInactivity      = 4 // as -4: the access point is out of reach
	reason4WayTimeout     = 15
	reasonDifferentIE     = 17
)

// judge says what it means that a try ended.
func judge(t try, protected, sae bool) verdict {
	switch {
	case t.mismatch && (t.reason == nil || *t.reason != -reasonInactivity):
		// wpa_supplicant says so of every handshake that was cut.
		return verdict{wifi.FailureWrongPassword, "wpa_supplicant found that the password does not match", certain}
	case t.phase == "4way_handshake" && protected:
		return judgeHandshake(t)
	case t.phase == "authenticating":
		return judgeAuthentication(t, sae)
	case t.assoc != nil && *t.assoc == statusAuthTimeout && protected:
		return verdict{wifi.FailureWrongPassword,
			"wrong password, or the access point refused: this radio (brcmfmac?) does not tell which", likely}
	case t.assoc != nil && *t.assoc != 0:
		return verdict{wifi.FailureRefused, "the access point refused the association: " + statusText(*t.assoc), likely}
	case t.reason != nil && *t.reason > 0:
		return verdict{wifi.FailureRefused, "the access point ended the connection: " + reasonText(*t.reason), likely}
	}
	return verdict{wifi.FailureTimedOut, fmt.Sprintf("the access point stopped answering (state %s)", t.phase), passing}
}

// judgeHandshake is for WPA2: the access point cannot tell a wrong password from
// a message that was lost, and gives up in silence or with a reason.
func judgeHandshake(t try) verdict {
	reason := int32(0)
	if t.reason != nil {
		reason = *t.reason
	}
	switch reason {
	case reason4WayTimeout, reasonPrevAuthInvalid:
		return verdict{wifi.FailureWrongPassword, "the access point does not accept the password: " + reasonText(reason), certain}
	case -reasonDifferentIE:
		return verdict{wifi.FailureRefused, "the access point offers other security in the handshake than in its beacons", likely}
	case 0, -reasonInactivity, -reasonLeaving:
		return verdict{wifi.FailureTimedOut, "the access point stopped answering during the WPA2 handshake; is the signal too weak?", passing}
	}
	return verdict{wifi.FailureWrongPassword, "most likely a wrong password: the access point cut the WPA2 handshake: " + reasonText(reason), likely}
}

// judgeAuthentication is for WPA3, where the password is tried first of all, and
// for access points that turn the station away.
func judgeAuthentication(t try, sae bool) verdict {
	if t.auth == nil {
		return verdict{wifi.FailureTimedOut, "the access point does not answer; is the signal too weak?", passing}
	}
	switch status := *t.auth; {
	case sae && (status == statusChallengeFail || status == statusUnspecified):
		return verdict{wifi.FailureWrongPassword, "the access point does not accept the password: " + statusText(status), certain}
	case sae && (status == 0 || status == statusHashToElement):
		// It answered the commit message, then found that the keys differ.
		return verdict{wifi.FailureWrongPassword, "the access point fell silent when the password was to be confirmed (WPA3)", certain}
	case status == 0:
		return verdict{wifi.FailureTimedOut, "the access point stopped answering (state authenticating)", passing}
	default:
		return verdict{wifi.FailureRefused, "the access point refused the authentication: " + statusText(status), likely}
	}
}

// statusTexts are the IEEE 802.11 status codes an operator meets.
var statusTexts = map[int32]string{
	1:   "unspecified failure",
	12:  "denied for a reason of its own",
	13:  "authentication method not supported",
	15:  "challenge failure",
	16:  "timeout",
	17:  "it serves as many stations as it can",
	18:  "a data rate is not supported",
	30:  "try again later",
	31:  "protected management frames policy",
	37:  "request declined",
	40:  "invalid element",
	43:  "key management not valid",
	45:  "security capabilities not supported",
	53:  "invalid PMKID",
	77:  "cryptographic group not supported",
	82:  "poor channel conditions",
	126: "hash to element",
}

// reasonTexts are the IEEE 802.11 reason codes an operator meets.
var reasonTexts = map[int32]string{
	1:  "unspecified",
	2:  "authentication no longer valid",
	3:  "station is leaving",
	4:  "inactivity",
	5:  "it serves as many stations as it can",
	6:  "frame without authentication",
	7:  "frame without association",
	8:  "station is leaving the network",
	13: "invalid element",
	14: "message integrity failure",
	15: "4-way handshake timeout",
	16: "group key handshake timeout",
	17: "security differs from the beacon",
	23: "802.1X authentication failed",
	34: "too many frames not acknowledged",
}

func statusText(code int32) string { return codeText("status", code, statusTexts[code]) }

func reasonText(code int32) string { return codeText("reason", code, reasonTexts[max(code, -code)]) }

func codeText(kind string, code int32, text string) string {
	if text == "" {
		return fmt.Sprintf("%s %d", kind, code)
	}
	return fmt.Sprintf("%s %d, %s", kind, code, text)
}
