package verdict

import "fmt"

// Status codes that judge distinguishes (IEEE 802.11-2020, table 9-50).
const (
	statusUnspecified   = 1
	statusChallengeFail = 15  // SAE: the confirm message does not match
	statusAuthTimeout   = 16  // what brcmfmac reports of every failed join, whatever the cause
	statusTokenRequired = 76  // SAE: the commit message is to be sent again, with a token
	statusHashToElement = 126 // SAE: the commit message was accepted
	statusSAEPK         = 127 // the same
)

// Reason codes that judge distinguishes (table 9-49).
const (
	reasonPrevAuthInvalid = 2
	reasonLeaving         = 3 // as -3: this side left
	reasonInactivity      = 4 // as -4: the access point is out of reach
	reasonLeavingBSS      = 8 // as -8: this side left for another access point
	reasonMIC             = 14
	reason4WayTimeout     = 15
	reasonDifferentIE     = 17
)

// statusTexts are the status codes that an operator meets.
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
	76:  "anti-clogging token required",
	77:  "cryptographic group not supported",
	82:  "poor channel conditions",
	126: "hash to element",
}

// reasonTexts are the reason codes that an operator meets.
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

// statusText returns a status code with its meaning, as in "status 17, it serves as
// many stations as it can".
func statusText(code int32) string { return codeText("status", code, statusTexts[code]) }

// ReasonText returns a reason code with its meaning. A negative code means what the
// positive one does, decided by this side.
func ReasonText(code int32) string { return codeText("reason", code, reasonTexts[max(code, -code)]) }

func codeText(kind string, code int32, text string) string {
	if text == "" {
		return fmt.Sprintf("%s %d", kind, code)
	}
	return fmt.Sprintf("%s %d, %s", kind, code, text)
}
