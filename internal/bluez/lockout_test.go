package bluez

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
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
	r := newRig(t, Authenticated)
	show := func(n int) (dbus.ObjectPath, string, error) {
		address := fmt.Sprintf("AA:BB:CC:00:01:%02X", n)
		device := r.bluez.Connect("hci0", address)
		r.expect("connected " + address)
		return device, address, r.bluez.AskAgent("DisplayPasskey", device, uint32(n), uint16(0))
	}
	for n := range freeGuesses {
		device, address, err := show(n)
		if err != nil {
			t.Fatal(err)
		}
		r.expect("passkey " + address + " " + fmt.Sprintf("%06d", n))
		for entered := range 2 { // digits are typed: no further guess
			if err := r.bluez.AskAgent("DisplayPasskey", device, uint32(n), uint16(entered)); err != nil {
				t.Fatal(err)
			}
		}
		r.bluez.Disconnect(device)
		r.expect("disconnected " + address)
	}

	stranger, address, err := show(10)
	if err == nil || !strings.Contains(err.Error(), "not allowed") {
		t.Errorf("while locked: answered %v", err)
	}
	r.expect("disconnected " + address)
	bonded := r.bluez.Connect("hci0", phone)
	r.bluez.Bond(bonded)
	r.expect("connected " + phone)
	if err := r.bluez.AskAgent("DisplayPasskey", bonded, uint32(1), uint16(0)); err == nil {
		t.Error("while locked, a bonded central was shown a passkey")
	}
	if got := count(r.bluez.Requests(), "RemoveDevice"); got != 1 {
		t.Errorf("RemoveDevice was called %d times, want once, for %s", got, stranger)
	}
	r.writes(bonded) // whoever has a bond is served
	r.expect("bonded " + adapterAddr + " " + phone)

	// A new address each time: a refused device may be removed a little later.
	var device dbus.ObjectPath
	n := 0
	r.eventually("the end of the lock-out", func() bool {
		n++
		address = fmt.Sprintf("AA:BB:CC:00:02:%02X", n)
		device = r.bluez.Connect("hci0", address)
		time.Sleep(100 * time.Millisecond) // between tries
		return r.bluez.AskAgent("DisplayPasskey", device, uint32(42), uint16(0)) == nil
	})
	r.until("passkey " + address + " 000042")
	r.bluez.Bond(device)
	r.until("bonded " + adapterAddr + " " + address)
	address = fmt.Sprintf("AA:BB:CC:00:02:%02X", n+1)
	device = r.bluez.Connect("hci0", address)
	if err := r.bluez.AskAgent("DisplayPasskey", device, uint32(43), uint16(0)); err != nil {
		t.Errorf("after a pairing: %v", err)
	}
}

// until skips what is reported before what is wanted.
func (r *rig) until(want string) {
	r.t.Helper()
	for late := time.After(patience); ; {
		select {
		case got := <-r.events:
			if got == want {
				return
			}
		case <-late:
			r.t.Fatalf("not reported: %q", want)
		}
	}
}
