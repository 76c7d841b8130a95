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
	{"WPA2 wrong password, reason 14", kindWPA2, sequence(toHandshake, []Change{{Reason: code(14)}, {State: "disconnected"}}), false, wifi.FailureWrongPassword, true},
	{"WPA2 handshake cut once", kindWPA2, cutHandshake, false, wifi.FailureRefused, false},
	{"WPA2 handshake cut twice", kindWPA2, sequence(cutHandshake, cutHandshake), false, wifi.FailureRefused, true},
	{"WPA2 access point out of reach in the handshake", kindWPA2, sequence(lostHandshake, lostHandshake), false, wifi.FailureTimedOut, false},
	{"WPA2 security differs in the handshake", kindWPA2, sequence(toHandshake, []Change{{Reason: code(-17)}, {State: "disconnected"}}), false, wifi.FailureRefused, false},
	{"PskMismatch (wpa_supplicant 2.11)", kindWPA2, sequence(toHandshake, []Change{{PSKMismatch: true}, {State: "disconnected"}}), false, wifi.FailureWrongPassword, true},
	{"PskMismatch, the access point gives another reason", kindWPA2, sequence(toHandshake, []Change{{PSKMismatch: true}, {Reason: code(1)}, {State: "disconnected"}}), false, wifi.FailureRefused, false},
	{"PskMismatch, but out of reach", kindWPA2, sequence(toHandshake, []Change{{PSKMismatch: true}, {Reason: code(-4)}, {State: "disconnected"}}), false, wifi.FailureTimedOut, false},
	{"PskMismatch, but the driver did not take a key", kindWPA2, sequence(toHandshake, []Change{{PSKMismatch: true}, {Reason: code(-1)}, {State: "disconnected"}}), false, wifi.FailureHardware, false},

	// What wpa_supplicant does when the driver does not take the IGTK (wpa.c,
	// wpa_supplicant_process_3_of_4): message 3 has come, so the password is right.
	{"IGTK not installed, its state skipped", kindWPA2, sequence(toHandshake, []Change{{Reason: code(-1)}, {State: "disconnected"}}), false, wifi.FailureHardware, false},
	{"IGTK not installed", kindWPA2, sequence(toHandshake, []Change{{State: "group_handshake"}, {Reason: code(-1)}, {State: "disconnected"}}), false, wifi.FailureHardware, false},
	{"message 4 lost, and a timeout", kindWPA2, sequence(toHandshake, []Change{{State: "group_handshake"}, {Reason: code(15)}, {State: "disconnected"}}), false, wifi.FailureRefused, false},
	{"message 4 lost after all keys, and a timeout", kindWPA2, sequence(toHandshake, []Change{{State: "completed"}, {Reason: code(15)}, {State: "disconnected"}}), false, wifi.FailureRefused, false},
	{"another access point was turned to", kindWPA2, sequence(toHandshake, []Change{{Reason: code(-8)}, {State: "disconnected"}}), false, wifi.FailureTimedOut, false},

	{"WPA3 wrong password", kindWPA3, wrongWPA3, false, wifi.FailureWrongPassword, true},
	{"WPA3 wrong password, status 15", kindWPA3, sequence(toCommit, []Change{{State: "disconnected", Auth: code(15)}}), false, wifi.FailureWrongPassword, true},
	{"WPA3 silence after the commit message", kindWPA3, sequence(toCommit, []Change{{State: "disconnected"}}), false, wifi.FailureWrongPassword, true},
	{"WPA3 out of reach", kindWPA3, sequence(outOfReach, outOfReach), false, wifi.FailureTimedOut, false},
	{"WPA3 refused", kindWPA3, sequence(toCommit, []Change{{State: "disconnected", Auth: code(17)}}), false, wifi.FailureRefused, false},
	{"WPA3 refused before the commit was answered", kindWPA3, []Change{{State: "authenticating"}, {State: "disconnected", Auth: code(1)}}, false, wifi.FailureRefused, false},
	{"WPA3 full before the commit was answered", kindWPA3, []Change{{State: "authenticating"}, {State: "disconnected", Auth: code(17)}}, false, wifi.FailureRefused, false},
	{"WPA3 busy, then silent", kindWPA3, []Change{{State: "authenticating"}, {Auth: code(76)}, {State: "disconnected"}}, false, wifi.FailureTimedOut, false},
	{"WPA3 group not supported", kindWPA3, []Change{{State: "authenticating"}, {State: "disconnected", Auth: code(77)}}, false, wifi.FailureRefused, false},
	{"WPA3 wrong password at the second try", kindWPA3, sequence([]Change{{State: "authenticating"}, {State: "disconnected", Auth: code(30)}}, wrongWPA3), false, wifi.FailureWrongPassword, true},
	{"WPA3 refused after a try whose commit was answered", kindWPA3, sequence(toCommit, []Change{{Auth: code(30)}, {State: "disconnected"}, {State: "authenticating"}, {State: "disconnected", Auth: code(1)}}), false, wifi.FailureRefused, true},
	{"SaePasswordMismatch", kindWPA3, sequence(toCommit, []Change{{SAEMismatch: true}, {Reason: code(1)}, {State: "disconnected"}}), false, wifi.FailureWrongPassword, true},

	// From bug reports about the Raspberry Pi: every failure looks like this.
	{"brcmfmac once", kindWPA2, brcmfmac, false, wifi.FailureRefused, false},
	{"brcmfmac twice", kindWPA2, sequence(brcmfmac, brcmfmac), false, wifi.FailureRefused, true},
	{"brcmfmac on WPA3", kindWPA3, sequence(brcmfmac, brcmfmac), false, wifi.FailureRefused, true},
	{"brcmfmac on an open network", kindOpen, sequence(brcmfmac, brcmfmac), false, wifi.FailureRefused, true},

	{"refused at once, the state skipped", kindWPA2, []Change{{State: "disconnected", Auth: code(1)}}, false, wifi.FailureRefused, false},
	{"refused at once, twice", kindWPA2, []Change{{State: "disconnected", Auth: code(1)}, {State: "scanning"}, {State: "disconnected", Auth: code(1)}}, false, wifi.FailureRefused, true},
	{"refused at once, open", kindOpen, []Change{{State: "scanning", Auth: code(17)}}, false, wifi.FailureRefused, false},
	{"refused at once, WPA3", kindWPA3, []Change{{State: "disconnected", Auth: code(1)}}, false, wifi.FailureRefused, false},
	{"association refused at once", kindWPA2, []Change{{State: "disconnected", Auth: code(0), Assoc: code(17)}}, false, wifi.FailureRefused, false},
	{"a code alone is the earlier connection's", kindWPA2, []Change{{Auth: code(0)}, {State: "disconnected", Auth: code(0)}}, false, 0, false},
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
				ch.PSKMismatch = true
			case 5:
				ch.SAEMismatch = true
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
