package wpa

import (
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

func code(n int32) *int32 { return &n }

// What wpa_supplicant 2.10 sends, as seen with hostapd, unless a comment says
// otherwise.
var (
	toHandshake = []change{
		{state: "authenticating"}, {state: "associating", auth: code(0)}, {state: "associated"}, {state: "4way_handshake"},
	}
	toCommit      = []change{{state: "authenticating"}, {auth: code(0)}}
	wrongWPA2     = append(toHandshake[:4:4], change{reason: code(15)}, change{state: "disconnected"})
	wrongWPA3     = append(toCommit[:2:2], change{state: "disconnected", auth: code(1)})
	brcmfmac      = []change{{state: "associating"}, {assoc: code(16)}, {state: "disconnected"}} // from bug reports
	refused       = []change{{state: "authenticating"}, {state: "associating", auth: code(0)}, {assoc: code(17)}, {state: "disconnected"}}
	cutHandshake  = append(toHandshake[:4:4], change{reason: code(1)}, change{state: "disconnected"})
	outOfReach    = []change{{state: "authenticating"}, {state: "disconnected"}}
	thrownOut     = append(toHandshake[:4:4], change{state: "completed"}, change{reason: code(5)}, change{state: "disconnected"})
	lostHandshake = append(toHandshake[:4:4], change{reason: code(-4)}, change{state: "scanning"})
)

func sequence(parts ...[]change) []change {
	var all []change
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

// What a network asks for, as far as an attempt sees it.
const (
	kindOpen = iota
	kindWPA2
	kindWPA3
)

// What an attempt makes of what wpa_supplicant tells.
var attempts = []struct {
	name    string
	kind    int
	changes []change
	done    bool
	failure wifi.Failure
	final   bool
}{
	{"nothing yet", kindWPA2, nil, false, 0, false},
	{"scanning is not a failure", kindWPA2, []change{{state: "scanning"}, {state: "disconnected"}}, false, 0, false},
	{"the connection before is not ours", kindWPA2, []change{{reason: code(15)}, {state: "disconnected"}}, false, 0, false},
	{"joined", kindWPA2, append(toHandshake, change{state: "completed"}), true, 0, false},
	{"joined, with states skipped", kindOpen, []change{{state: "associating", auth: code(0)}, {state: "completed"}}, true, 0, false},
	{"joined at the second try", kindWPA2, sequence(outOfReach, toHandshake, []change{{state: "completed"}}), true, wifi.FailureTimedOut, false},

	{"joined and thrown out at once", kindWPA2, thrownOut, false, wifi.FailureRefused, false},
	{"joined and thrown out at once, twice", kindWPA2, sequence(thrownOut, thrownOut), false, wifi.FailureRefused, true},

	{"WPA2 wrong password", kindWPA2, wrongWPA2, false, wifi.FailureWrongPassword, true},
	{"WPA2 wrong password, reason 2", kindWPA2, sequence(toHandshake, []change{{reason: code(2)}, {state: "scanning"}}), false, wifi.FailureWrongPassword, true},
	{"WPA2 wrong password, reason and state at once", kindWPA2, sequence(toHandshake[:3], []change{{state: "4way_handshake", reason: code(15)}, {state: "disconnected"}}), false, wifi.FailureWrongPassword, true},
	{"WPA2 wrong password, next try follows at once", kindWPA2, sequence(toHandshake, []change{{reason: code(15)}, {state: "authenticating"}}), false, wifi.FailureWrongPassword, true},
	{"WPA2 handshake cut once", kindWPA2, cutHandshake, false, wifi.FailureWrongPassword, false},
	{"WPA2 handshake cut twice", kindWPA2, sequence(cutHandshake, cutHandshake), false, wifi.FailureWrongPassword, true},
	{"WPA2 access point out of reach in the handshake", kindWPA2, sequence(lostHandshake, lostHandshake), false, wifi.FailureTimedOut, false},
	{"WPA2 security differs in the handshake", kindWPA2, sequence(toHandshake, []change{{reason: code(-17)}, {state: "disconnected"}}), false, wifi.FailureRefused, false},
	{"PskMismatch (wpa_supplicant 2.11)", kindWPA2, sequence(toHandshake, []change{{mismatch: true}, {reason: code(1)}, {state: "disconnected"}}), false, wifi.FailureWrongPassword, true},
	{"PskMismatch, but out of reach", kindWPA2, sequence(toHandshake, []change{{mismatch: true}, {reason: code(-4)}, {state: "disconnected"}}), false, wifi.FailureTimedOut, false},

	{"WPA3 wrong password", kindWPA3, wrongWPA3, false, wifi.FailureWrongPassword, true},
	{"WPA3 wrong password, status 15", kindWPA3, sequence(toCommit, []change{{state: "disconnected", auth: code(15)}}), false, wifi.FailureWrongPassword, true},
	{"WPA3 silence after the commit message", kindWPA3, sequence(toCommit, []change{{state: "disconnected"}}), false, wifi.FailureWrongPassword, true},
	{"WPA3 out of reach", kindWPA3, sequence(outOfReach, outOfReach), false, wifi.FailureTimedOut, false},
	{"WPA3 refused", kindWPA3, sequence(toCommit, []change{{state: "disconnected", auth: code(17)}}), false, wifi.FailureRefused, false},
	{"SaePasswordMismatch", kindWPA3, sequence(toCommit, []change{{mismatch: true}, {reason: code(1)}, {state: "disconnected"}}), false, wifi.FailureWrongPassword, true},

	{"brcmfmac once", kindWPA2, brcmfmac, false, wifi.FailureWrongPassword, false},
	{"brcmfmac twice", kindWPA2, sequence(brcmfmac, brcmfmac), false, wifi.FailureWrongPassword, true},
	{"brcmfmac on an open network", kindOpen, sequence(brcmfmac, brcmfmac), false, wifi.FailureRefused, true},

	{"refused once", kindWPA2, refused, false, wifi.FailureRefused, false},
	{"refused twice", kindWPA2, sequence(refused, refused), false, wifi.FailureRefused, true},
	{"authentication refused", kindOpen, []change{{state: "authenticating"}, {state: "disconnected", auth: code(1)}}, false, wifi.FailureRefused, false},
	{"thrown out after the handshake", kindWPA2, sequence(toHandshake, []change{{state: "group_handshake"}, {reason: code(16)}, {state: "disconnected"}}), false, wifi.FailureRefused, false},
	{"out of reach", kindWPA2, outOfReach, false, wifi.FailureTimedOut, false},
	{"the last verdict counts", kindWPA2, sequence(outOfReach, refused), false, wifi.FailureRefused, false},
	{"a final verdict stays", kindWPA2, sequence(wrongWPA2, outOfReach), false, wifi.FailureWrongPassword, true},
}

func TestAttempt(t *testing.T) {
	for _, test := range attempts {
		t.Run(test.name, func(t *testing.T) {
			a := &attempt{protected: test.kind != kindOpen, sae: test.kind == kindWPA3}
			for _, ch := range test.changes {
				a.observe(ch)
			}
			got := a.verdict
			if a.done != test.done || got.failure != test.failure || a.final != test.final {
				t.Errorf("got done %v, %v (%s), final %v", a.done, got.failure, got.detail, a.final)
			}
			if got.failure != wifi.FailureNone && got.detail == "" {
				t.Error("no detail for a person")
			}
		})
	}
}
