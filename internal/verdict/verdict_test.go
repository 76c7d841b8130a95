package verdict

import (
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

func code(n int32) *int32 { return &n }

// What wpa_supplicant 2.10 sends, as seen with hostapd, unless a comment says
// otherwise.
var (
	toHandshake = []Change{
		{State: "authenticating"}, {State: "associating", Auth: code(0)}, {State: "associated"}, {State: "4way_handshake"},
	}
	toCommit      = []Change{{State: "authenticating"}, {Auth: code(0)}}
	wrongWPA2     = append(toHandshake[:4:4], Change{Reason: code(15)}, Change{State: "disconnected"})
	wrongWPA3     = append(toCommit[:2:2], Change{State: "disconnected", Auth: code(1)})
	brcmfmac      = []Change{{State: "associating"}, {Assoc: code(16)}, {State: "disconnected"}} // from bug reports
	refused       = []Change{{State: "authenticating"}, {State: "associating", Auth: code(0)}, {Assoc: code(17)}, {State: "disconnected"}}
	cutHandshake  = append(toHandshake[:4:4], Change{Reason: code(1)}, Change{State: "disconnected"})
	outOfReach    = []Change{{State: "authenticating"}, {State: "disconnected"}}
	thrownOut     = append(toHandshake[:4:4], Change{State: "completed"}, Change{Reason: code(5)}, Change{State: "disconnected"})
	lostHandshake = append(toHandshake[:4:4], Change{Reason: code(-4)}, Change{State: "scanning"})
)

func sequence(parts ...[]Change) []Change {
	var all []Change
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
	changes []Change
	done    bool
	failure wifi.Failure
	final   bool
}{
	{"nothing yet", kindWPA2, nil, false, 0, false},
	{"scanning is not a failure", kindWPA2, []Change{{State: "scanning"}, {State: "disconnected"}}, false, 0, false},
	{"the connection before is not ours", kindWPA2, []Change{{Reason: code(15)}, {State: "disconnected"}}, false, 0, false},
	{"joined", kindWPA2, append(toHandshake, Change{State: "completed"}), true, 0, false},
	{"joined, with states skipped", kindOpen, []Change{{State: "associating", Auth: code(0)}, {State: "completed"}}, true, 0, false},
	{"joined at the second try", kindWPA2, sequence(outOfReach, toHandshake, []Change{{State: "completed"}}), true, wifi.FailureTimedOut, false},

	{"joined and thrown out at once", kindWPA2, thrownOut, false, wifi.FailureRefused, false},
	{"joined and thrown out at once, twice", kindWPA2, sequence(thrownOut, thrownOut), false, wifi.FailureRefused, true},

	{"WPA2 wrong password", kindWPA2, wrongWPA2, false, wifi.FailureWrongPassword, true},
	{"WPA2 wrong password, reason 2", kindWPA2, sequence(toHandshake, []Change{{Reason: code(2)}, {State: "scanning"}}), false, wifi.FailureWrongPassword, true},
	{"WPA2 wrong password, reason and state at once", kindWPA2, sequence(toHandshake[:3], []Change{{State: "4way_handshake", Reason: code(15)}, {State: "disconnected"}}), false, wifi.FailureWrongPassword, true},
	{"WPA2 wrong password, next try follows at once", kindWPA2, sequence(toHandshake, []Change{{Reason: code(15)}, {State: "authenticating"}}), false, wifi.FailureWrongPassword, true},
	{"WPA2 handshake cut once", kindWPA2, cutHandshake, false, wifi.FailureWrongPassword, false},
	{"WPA2 handshake cut twice", kindWPA2, sequence(cutHandshake, cutHandshake), false, wifi.FailureWrongPassword, true},
	{"WPA2 access point out of reach in the handshake", kindWPA2, sequence(lostHandshake, lostHandshake), false, wifi.FailureTimedOut, false},
	{"WPA2 security differs in the handshake", kindWPA2, sequence(toHandshake, []Change{{Reason: code(-17)}, {State: "disconnected"}}), false, wifi.FailureRefused, false},
	{"PskMismatch (wpa_supplicant 2.11)", kindWPA2, sequence(toHandshake, []Change{{Mismatch: true}, {Reason: code(1)}, {State: "disconnected"}}), false, wifi.FailureWrongPassword, true},
	{"PskMismatch, but out of reach", kindWPA2, sequence(toHandshake, []Change{{Mismatch: true}, {Reason: code(-4)}, {State: "disconnected"}}), false, wifi.FailureTimedOut, false},

	{"WPA3 wrong password", kindWPA3, wrongWPA3, false, wifi.FailureWrongPassword, true},
	{"WPA3 wrong password, status 15", kindWPA3, sequence(toCommit, []Change{{State: "disconnected", Auth: code(15)}}), false, wifi.FailureWrongPassword, true},
	{"WPA3 silence after the commit message", kindWPA3, sequence(toCommit, []Change{{State: "disconnected"}}), false, wifi.FailureWrongPassword, true},
	{"WPA3 out of reach", kindWPA3, sequence(outOfReach, outOfReach), false, wifi.FailureTimedOut, false},
	{"WPA3 refused", kindWPA3, sequence(toCommit, []Change{{State: "disconnected", Auth: code(17)}}), false, wifi.FailureRefused, false},
	{"SaePasswordMismatch", kindWPA3, sequence(toCommit, []Change{{Mismatch: true}, {Reason: code(1)}, {State: "disconnected"}}), false, wifi.FailureWrongPassword, true},

	{"brcmfmac once", kindWPA2, brcmfmac, false, wifi.FailureWrongPassword, false},
	{"brcmfmac twice", kindWPA2, sequence(brcmfmac, brcmfmac), false, wifi.FailureWrongPassword, true},
	{"brcmfmac on an open network", kindOpen, sequence(brcmfmac, brcmfmac), false, wifi.FailureRefused, true},

	{"refused once", kindWPA2, refused, false, wifi.FailureRefused, false},
	{"refused twice", kindWPA2, sequence(refused, refused), false, wifi.FailureRefused, true},
	{"authentication refused", kindOpen, []Change{{State: "authenticating"}, {State: "disconnected", Auth: code(1)}}, false, wifi.FailureRefused, false},
	{"thrown out after the handshake", kindWPA2, sequence(toHandshake, []Change{{State: "group_handshake"}, {Reason: code(16)}, {State: "disconnected"}}), false, wifi.FailureRefused, false},
	{"out of reach", kindWPA2, outOfReach, false, wifi.FailureTimedOut, false},
	{"the last verdict counts", kindWPA2, sequence(outOfReach, refused), false, wifi.FailureRefused, false},
	{"a final verdict stays", kindWPA2, sequence(wrongWPA2, outOfReach), false, wifi.FailureWrongPassword, true},
}

func TestAttempt(t *testing.T) {
	for _, test := range attempts {
		t.Run(test.name, func(t *testing.T) {
			a := &Attempt{Protected: test.kind != kindOpen, SAE: test.kind == kindWPA3}
			for _, ch := range test.changes {
				a.Observe(ch)
			}
			got, final := a.Verdict()
			if a.Connected() != test.done || got.Failure != test.failure || final != test.final {
				t.Errorf("got connected %v, %v (%s), final %v", a.Connected(), got.Failure, got.Detail, final)
			}
			if got.Failure != wifi.FailureNone && got.Detail == "" {
				t.Error("no detail for a person")
			}
		})
	}
}

// FuzzObserve: no sequence of changes crashes an attempt or takes a final verdict back,
// and wpa_supplicant's next honest states are understood.
func FuzzObserve(f *testing.F) {
	f.Add([]byte("\x02\x03\x04\x05\x26\x00"))         // a handshake that was cut
	f.Add([]byte("\x02\x12\x00\x02\x12\x01\x00"))     // SAE
	f.Add([]byte("\x02\x03\x04\x05\x46\x34\x00\x07")) // a mismatch that was none
	states := []string{"disconnected", "scanning", "authenticating", "associating", "associated", "4way_handshake",
		"group_handshake", "completed", "", "interface_disabled", "no state", "", "inactive", "", "", ""}
	codes := []int32{0, 1, 2, 3, -3, 4, -4, 15, 16, 17, -17, 126, 99, -99, 1<<31 - 1, -1 << 31}
	f.Fuzz(func(t *testing.T, data []byte) {
		a := &Attempt{Protected: len(data)%2 == 0, SAE: len(data)%4 == 0}
		for i, b := range data {
			ch, code := Change{State: states[b&15]}, codes[i%len(codes)]
			switch b >> 4 & 7 {
			case 1:
				ch.Auth = &code
			case 2:
				ch.Reason = &code
			case 3:
				ch.Assoc = &code
			case 4:
				ch.Mismatch = true
			}
			before := *a
			a.Observe(ch)
			check(t, before, *a)
		}
		for _, state := range []string{"authenticating", "associating", "4way_handshake", "completed"} {
			a.Observe(Change{State: state})
		}
		if !a.Connected() {
			t.Errorf("honest states are not understood: %+v", *a)
		}
	})
}

func check(t *testing.T, before, now Attempt) {
	t.Helper()
	v, final := now.Verdict()
	if _, ok := rank[now.State()]; !ok && now.State() != "" {
		t.Errorf("state %q", now.State())
	}
	if now.tries > before.tries+2 || before.final && (!final || v != before.verdict) {
		t.Errorf("from %+v to %+v", before, now)
	}
	if now.tries > 0 != (v.Failure != wifi.FailureNone) || now.tries > 0 != (v.Detail != "") {
		t.Errorf("%d tries ended with %+v", now.tries, v)
	}
}
