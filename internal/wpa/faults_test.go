package wpa

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/verdict"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// steps turns changes into what the fake sends.
func steps(changes ...[]verdict.Change) []dbustest.Step {
	all := []dbustest.Step{}
	for _, ch := range slices.Concat(changes...) {
		step := dbustest.Step{}
		if ch.State != "" {
			step["State"] = ch.State
		}
		for name, code := range map[string]*int32{"AuthStatusCode": ch.Auth, "AssocStatusCode": ch.Assoc, "DisconnectReason": ch.Reason} {
			if code != nil {
				step[name] = *code
			}
		}
		all = append(all, step)
	}
	return all
}

func code(n int32) *int32 { return &n }

// What wpa_supplicant 2.10 sends, as seen with hostapd; brcmfmac as in bug reports.
// verdict's tests hold what each of it means.
var (
	toHandshake = []verdict.Change{
		{State: "authenticating"}, {State: "associating", Auth: code(0)}, {State: "associated"}, {State: "4way_handshake"},
	}
	wrongWPA2  = slices.Concat(toHandshake, []verdict.Change{{Reason: code(15)}, {State: "disconnected"}})
	wrongWPA3  = []verdict.Change{{State: "authenticating"}, {Auth: code(0)}, {State: "disconnected", Auth: code(1)}}
	brcmfmac   = []verdict.Change{{State: "associating"}, {Assoc: code(16)}, {State: "disconnected"}}
	refused    = []verdict.Change{{State: "authenticating"}, {State: "associating", Auth: code(0)}, {Assoc: code(17)}, {State: "disconnected"}}
	outOfReach = []verdict.Change{{State: "authenticating"}, {State: "disconnected"}}
)

func TestJoinFails(t *testing.T) {
	sae := dbustest.AP{SSID: "lab", BSSID: bssid, Frequency: 2437, Privacy: true, RSN: []string{"sae"}}
	with := func(ap dbustest.AP, changes ...[]verdict.Change) dbustest.AP {
		ap.Steps = steps(changes...)
		return ap
	}
	other := lab()
	other.SSID = "other"
	for _, test := range []struct {
		name    string
		air     dbustest.AP
		failure wifi.Failure
		detail  string
	}{
		{"wrong WPA2 password", with(lab(), wrongWPA2), wifi.FailureWrongPassword, "reason 15, 4-way handshake timeout"},
		{"wrong WPA3 password", with(sae, wrongWPA3), wifi.FailureWrongPassword, "status 1"},
		{"brcmfmac", with(lab(), brcmfmac, brcmfmac), wifi.FailureRefused, "or the password is wrong"},
		{"full", with(lab(), refused, refused), wifi.FailureRefused, "status 17, it serves as many stations as it can"},
		{"not there", other, wifi.FailureNotFound, `"lab"`},
		{"enterprise", dbustest.AP{SSID: "lab", BSSID: bssid, Frequency: 2437, Privacy: true, RSN: []string{"wpa-eap"}},
			wifi.FailureSecurityNotOffered, "WPA2/WPA-EAP"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			r.Air(test.air)
			r.fails(t, credentials("wrong password", wifi.AutoDetect), test.failure, test.detail)
			// The same Client joins right after.
			r.Air(lab())
			r.joined(t)
		})
	}
}

func TestMismatchSignals(t *testing.T) {
	for _, name := range []string{"PskMismatch", "SaePasswordMismatch"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			ap := lab()
			ap.Steps = steps(toHandshake)
			r.Air(ap)
			go func() {
				r.sees(t, inHandshake)
				r.InterfaceSignal(name)
				r.Change(dbustest.Step{"State": "disconnected"})
			}()
			r.fails(t, credentials("wrong password", wifi.AutoDetect), wifi.FailureWrongPassword, "does not match")
		})
	}
}

// An access point that was heard a moment ago and is gone costs a fresh look, not
// the attempt.
func TestStaleResults(t *testing.T) {
	r := newRig(t)
	r.Air(lab())
	r.Hear(time.Second, lab())
	r.Next(steps(outOfReach)...)
	r.joined(t)
	if got := methods(r.Calls("AddNetwork", "RemoveNetwork", "Scan")); !slices.Equal(got, []string{"AddNetwork", "RemoveNetwork", "Scan", "AddNetwork"}) {
		t.Errorf("got %v", got)
	}
}

// So does one that offers something else by now.
func TestStaleSecurity(t *testing.T) {
	r := newRig(t)
	r.Air(lab())
	r.Hear(time.Second, lab())
	r.Next(steps(refused, refused)...)
	r.joined(t)
}

// What was heard a moment ago and did not fit, and then is missed, was there.
func TestMissedMisfit(t *testing.T) {
	r := newRig(t)
	r.Hear(time.Second, lab())
	r.fails(t, credentials(testPassphrase, wifi.WPA3SAE), wifi.FailureSecurityNotOffered, "the access point offers WPA2/WPA-PSK")
}

func TestDeadline(t *testing.T) {
	for _, test := range []struct {
		name    string
		steps   []dbustest.Step
		failure wifi.Failure
		detail  string
	}{
		{"nothing happens", steps(), wifi.FailureTimedOut, "did not try"},
		{"stuck", steps(toHandshake), wifi.FailureTimedOut, "state 4way_handshake"},
		{"out of reach", steps(outOfReach), wifi.FailureTimedOut, "does not answer"},
		{"refused once", steps(refused), wifi.FailureRefused, "status 17"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			ap := lab()
			ap.Steps = test.steps
			r.Air(ap)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := r.Join(ctx, wifi.Target{Credentials: credentials(testPassphrase, wifi.AutoDetect)})
			if wifi.FailureOf(err) != test.failure || !strings.Contains(err.Error(), test.detail) || r.Networks() != 0 {
				t.Errorf("%v; %d networks left", err, r.Networks())
			}
		})
	}
}

func TestCancelled(t *testing.T) {
	r := newRig(t)
	ap := lab()
	ap.Steps = steps(toHandshake)
	r.Air(ap)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		r.sees(t, inHandshake)
		cancel()
	}()
	_, err := r.Join(ctx, wifi.Target{Credentials: credentials(testPassphrase, wifi.AutoDetect)})
	if !errors.Is(err, context.Canceled) || r.Networks() != 0 {
		t.Errorf("%v; %d networks left", err, r.Networks())
	}
}

// A wpa_supplicant that does not answer is not waited for longer than for one
// call.
func TestHangs(t *testing.T) {
	for _, method := range []string{"Scan", "AddNetwork", "SelectNetwork"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.Air(lab())
			r.Hang(method)
			_, err := r.join(t, credentials(testPassphrase, wifi.AutoDetect), 0)
			if wifi.FailureOf(err) != wifi.FailureHardware || !strings.Contains(err.Error(), "does not answer") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestBusyRadio(t *testing.T) {
	r := newRig(t)
	r.Air(lab())
	r.Fail("Scan", errScan)
	go func() {
		_ = r.until(t, func() bool { return len(r.Calls("AbortScan")) > 0 })
		r.Fail("Scan", "")
	}()
	r.joined(t)
	if n := len(r.Calls("RemoveInterface")); n != 0 {
		t.Errorf("the interface was taken over anew %d times", n)
	}
}

// A radio that was pulled out and plugged in behind wpa_supplicant's back refuses
// to scan until the interface is taken over anew.
func TestDeadRadio(t *testing.T) {
	r := newRig(t)
	r.Air(lab())
	r.Fail("Scan", errScan)
	go func() {
		r.isAvailable(t, "let go of wlan0")
		r.Fail("Scan", "")
	}()
	r.joined(t)
	if got := methods(r.Calls("CreateInterface", "RemoveInterface")); !slices.Equal(got, []string{"CreateInterface", "RemoveInterface", "CreateInterface"}) {
		t.Errorf("got %v", got)
	}
}

func TestRestart(t *testing.T) {
	r := newRig(t)
	r.Air(lab())
	r.joined(t)
	r.Stop()
	r.isAvailable(t, "wpa_supplicant has ended")
	if why := r.loss(t); !strings.Contains(why, "wpa_supplicant has ended") {
		t.Errorf("lost: %s", why)
	}
	r.isAvailable(t, "systemctl start wpa_supplicant")
	result := make(chan error, 1)
	go func() {
		_, err := r.join(t, credentials(testPassphrase, wifi.AutoDetect), 0)
		result <- err
	}()
	r.Start()
	r.isAvailable(t, "")
	if err := <-result; err != nil {
		t.Error(err)
	}
	r.isQuiet(t)
}

func TestRestartWhileJoining(t *testing.T) {
	r := newRig(t)
	ap := lab()
	ap.Steps = steps(toHandshake)
	r.Air(ap)
	go func() {
		r.sees(t, inHandshake)
		r.Stop()
		r.Air(lab())
		r.Start()
	}()
	r.joined(t)
	select {
	case why := <-r.links[0].Lost():
		t.Errorf("a loss was told of a connection that never was: %s", why)
	default:
	}
}

func TestNotRunning(t *testing.T) {
	address := dbustest.Start(t)
	r := &rig{WPA: dbustest.NewWPA(t, address, "wlan0")}
	r.run(t, address)
	r.isAvailable(t, "systemctl start wpa_supplicant")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := r.Join(ctx, wifi.Target{Credentials: credentials(testPassphrase, wifi.AutoDetect)})
	if wifi.FailureOf(err) != wifi.FailureHardware || !strings.Contains(err.Error(), "systemctl start wpa_supplicant") {
		t.Errorf("got %v", err)
	}
	// Networks of before are removed when it comes.
	if err := r.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.Start()
	r.isAvailable(t, "")
	if got := methods(r.Calls("RemoveAllNetworks")); len(got) != 1 {
		t.Errorf("left by %v", got)
	}
	r.isQuiet(t)
}
