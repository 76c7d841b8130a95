package bluez

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

func TestLockoutGrowsAndIsBounded(t *testing.T) {
	var l lockout
	now := time.Now()
	for i, want := range []time.Duration{0, 0, 2, 4, 8, 16, 32, 60, 60, 60} {
		if got := l.guess(now); got != want*time.Second {
			t.Errorf("guess %d: %s, want %s", i+1, got, want*time.Second)
		}
		now = now.Add(time.Minute)
	}
	if got := l.guess(now.Add(guessesForget)); got != 0 {
		t.Errorf("after a long time: %s", got)
	}
	l.guesses = 1 << 40
	if got := l.guess(l.last); got != longestLockout {
		t.Errorf("after very many: %s", got)
	}
}

// Whoever guesses from one address after the other is stopped; then the owner's
// phone is served, and the counting starts anew.
func TestLockout(t *testing.T) {
	r := newRig(t, gatt.Authenticated)
	for n := range freeGuesses {
		r.guess(n)
	}
	r.servesOnlyBonded()
	r.pairsOnceAllowed()
}

// ask connects the n-th stranger and lets it ask for a passkey.
func (r *rig) ask(n int) (device dbus.ObjectPath, address string, err error) {
	address = fmt.Sprintf("AA:BB:CC:00:01:%02X", n)
	device = r.bluez.Connect("hci0", address)
	r.expect("connected " + address)
	return device, address, r.bluez.AskAgent("DisplayPasskey", device, uint32(n), uint16(0))
}

// guess is a guess of the n-th stranger, which is shown a passkey.
func (r *rig) guess(n int) {
	device, address, err := r.ask(n)
	if err != nil {
		r.t.Fatal(err)
	}
	r.expect("passkey " + address + " " + fmt.Sprintf("%06d", n))
	for entered := range 2 { // digits are typed: no further guess
		if err := r.bluez.AskAgent("DisplayPasskey", device, uint32(n), uint16(entered)); err != nil {
			r.t.Fatal(err)
		}
	}
	r.bluez.Disconnect(device)
	r.expect("disconnected " + address)
}

// servesOnlyBonded checks that while pairing is locked nobody is shown a passkey,
// and that whoever has a bond is served.
func (r *rig) servesOnlyBonded() {
	if r.logs("pairing-locked") != 1 {
		r.t.Errorf("logged %v", r.logged)
	}
	stranger, address, err := r.ask(10)
	if err == nil || !strings.Contains(err.Error(), "not allowed") {
		r.t.Errorf("while locked: answered %v", err)
	}
	r.expect("disconnected " + address)
	bonded := r.bluez.Connect("hci0", phone)
	r.bluez.Bond(bonded)
	r.expect("connected " + phone)
	if err := r.bluez.AskAgent("DisplayPasskey", bonded, uint32(1), uint16(0)); err == nil {
		r.t.Error("while locked, a bonded central was shown a passkey")
	}
	r.expect("disconnected " + phone)
	r.eventually("the bonded central may connect again", func() bool { return !r.bluez.Blocked(bonded) })
	r.bluez.Connect("hci0", phone)
	r.expect("connected " + phone)
	if got := count(r.bluez.Requests(), "RemoveDevice"); got != 1 {
		r.t.Errorf("RemoveDevice was called %d times, want once, for %s", got, stranger)
	}
	r.writes(bonded) // whoever has a bond is served
	r.expect("bonded " + adapterAddr + " " + phone + " authenticated")
}

// pairsOnceAllowed pairs when the lockout ends. After that a guess is free again.
func (r *rig) pairsOnceAllowed() {
	r.eventually("the end of the lockout", func() bool { return r.logs("pairing-allowed") == 1 })
	device, address, err := r.ask(42) // one more guess locks again
	if err != nil {
		r.t.Fatalf("after the lockout: %v", err)
	}
	r.expect("passkey " + address + " 000042")
	r.bluez.Bond(device)
	r.expect("bonded " + adapterAddr + " " + address + " authenticated")
	if r.logs("pairing-locked") != 2 || r.logs("pairing-allowed") != 2 {
		r.t.Errorf("logged %v", r.logged)
	}
	if _, _, err := r.ask(43); err != nil {
		r.t.Errorf("after a pairing: %v", err)
	}
}

// TestPairingAgainIsNoGuess: a phone that has forgotten the gateway, which has not forgotten
// the phone, types each passkey right. BlueZ does not say that it has bonded once more.
func TestPairingAgainIsNoGuess(t *testing.T) {
	r := newRig(t, gatt.Authenticated)
	device := r.bluez.Connect("hci0", phone)
	r.bluez.Bond(device)
	r.expect("connected " + phone)
	for n := range 3 * freeGuesses {
		if err := r.bluez.AskAgent("DisplayPasskey", device, uint32(n), uint16(0)); err != nil {
			t.Fatalf("pairing again, number %d: %v", n+1, err)
		}
		r.expect("bonded "+adapterAddr+" "+phone+" authenticated", fmt.Sprintf("passkey %s %06d", phone, n))
		r.writes(device)
		r.bluez.Disconnect(device)
		r.expect("disconnected " + phone)
		r.bluez.Connect("hci0", phone)
		r.expect("connected " + phone)
	}
	if r.logs("pairing-locked") > 0 {
		t.Errorf("logged %v", r.logged)
	}
}

// TestUnguardedServiceProvesNothing: where a service is open to all, that it is used does not
// tell that a passkey was typed, so guesses count.
func TestUnguardedServiceProvesNothing(t *testing.T) {
	r := newRigOn(t, dbustest.Start(t))
	r.bluez = dbustest.StartBlueZ(t, r.bus)
	write := func(gatt.Request, []byte) error { return nil }
	r.startServices("", append(r.services(gatt.NoPairing), gatt.Service{
		UUID: "8b840011-f6fa-4e33-9a0c-e14d9f35f201", Pairing: gatt.Authenticated,
		Characteristics: []*gatt.Characteristic{{UUID: "8b840012-f6fa-4e33-9a0c-e14d9f35f201", Write: write}},
	}))
	r.expect("up hci0")
	for n := range freeGuesses {
		device, address, err := r.ask(n)
		if err != nil {
			t.Fatal(err)
		}
		r.expect(fmt.Sprintf("passkey %s %06d", address, n))
		r.writes(device)
		r.bluez.Disconnect(device)
		r.expect("disconnected " + address)
	}
	if r.logs("pairing-locked") != 1 {
		t.Errorf("logged %v", r.logged)
	}
}
