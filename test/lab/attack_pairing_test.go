//go:build lab

package lab

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestPasskeyLockout guesses passkeys. Each further guess doubles the lockout: 2 s, 4 s, 8 s, up to a
// minute. Then the owner's phone is served.
func TestPasskeyLockout(t *testing.T) {
	g := start(t, situation{config: map[string]string{"bluetooth.security": "authenticated"}})
	owner := newGuesser(g)
	begin := g.journal.mark(t, "guesses")
	guesses, tries := count(5, 10), 0
	for passkeys := 0; passkeys < guesses; passkeys, _ = g.guessed(begin) {
		if tries++; tries > 20*guesses {
			t.Fatalf("%d passkeys after %d tries", passkeys, tries)
		}
		if owner.pair() == nil {
			t.Fatal("paired with a wrong passkey")
		}
	}
	passkeys, locked := g.guessed(begin)
	if want := passkeys - 2; locked != want { // bluez.freeGuesses
		t.Errorf("locked %d times after %d passkeys, want %d", locked, passkeys, want)
	}
	t.Logf("%d tries, %d passkeys, locked %d times", tries, passkeys, locked)

	g.from = begin
	for n := range locked {
		g.lockedFor(min(2*time.Second<<n, time.Minute)) // bluez.firstLockout and longestLockout
	}
	owner.wrong = false
	if err := owner.pair(); err != nil {
		t.Fatalf("the owner's phone cannot pair: %v", err)
	}
	owner.p.connect()
	owner.p.status()
}

// lockedFor waits for the next lockout, whose length must be announced, and be as announced.
func (g *gateway) lockedFor(want time.Duration) {
	g.t.Helper()
	locked := g.logged(2*patience, event("pairing-locked")...)
	if !strings.Contains(locked["MESSAGE"], " "+want.String()) {
		g.t.Errorf("%q, want %s", locked["MESSAGE"], want)
	}
	again := g.logged(2*patience, event("pairing-allowed")...)
	if took := again.when().Sub(locked.when()); took < want-100*time.Millisecond || took > want+late {
		g.t.Errorf("pairing was locked for %s, want %s", took, want)
	}
}

// TestRefusedPairingIsCut: who asks for a passkey during a lockout is disconnected before there is
// time to guess it.
func TestRefusedPairingIsCut(t *testing.T) {
	g := start(t, situation{config: map[string]string{"bluetooth.security": "authenticated"}})
	s := newGuesser(g)
	begin := g.journal.mark(t, "guesses")
	for tries, locked := 0, 0; locked < 3; _, locked = g.guessed(begin) { // then it is locked for 8 s
		if tries++; tries > 40 || s.pair() == nil {
			t.Fatalf("%d tries to guess, locked %d times", tries, locked)
		}
	}
	r := dialATT(t, phoneHCI, notEncrypted)
	g.from = g.journal.mark(t, "blind guess")
	r.askForPasskey()
	g.event("pairing-refused")
	select {
	case _, stands := <-r.responses:
		if stands {
			t.Error("an answer without a request")
		}
	case <-time.After(time.Second):
		t.Error("a second after its pairing was refused the phone is still connected; that is enough for a guess")
	}
	r.leave()
	g.event("pairing-allowed")
	s.wrong = false
	if err := s.pair(); err != nil {
		t.Fatalf("the owner's phone cannot pair: %v", err)
	}
}

// Of the Security Manager Protocol (Core Specification, volume 3, part H, 3.5).
const (
	smpCID         = 6
	pairingRequest = 0x01
	publicKey      = 0x0C
	keyboardOnly   = 0x02
	authBonding    = 0x01
	authMITM       = 0x04
	authSC         = 0x08
)

// askForPasskey takes a pairing by passkey to the point where the gateway has a passkey to show. It
// bypasses the kernel, as an attacker may: nobody on this side knows of the pairing.
func (r *rawATT) askForPasskey() {
	r.t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		r.t.Fatal(err)
	}
	x, y := key.PublicKey().Bytes()[1:33], key.PublicKey().Bytes()[33:]
	slices.Reverse(x)
	slices.Reverse(y)
	r.sendSMP(pairingRequest, keyboardOnly, 0, authBonding|authMITM|authSC, 16, 0, 0)
	time.Sleep(200 * time.Millisecond) // the response
	r.sendSMP(append([]byte{publicKey}, slices.Concat(x, y)...)...)
}

// sendSMP hands a PDU for this connection to the controller (part A, 3.1, and volume 4, part E,
// 5.4.2).
func (r *rawATT) sendSMP(pdu ...byte) {
	r.t.Helper()
	packet := binary.LittleEndian.AppendUint16([]byte{0x02}, r.connection()) // ACL data, its first part
	packet = binary.LittleEndian.AppendUint16(packet, uint16(4+len(pdu)))
	packet = binary.LittleEndian.AppendUint16(packet, uint16(len(pdu)))
	packet = append(binary.LittleEndian.AppendUint16(packet, smpCID), pdu...)

	index, err := strconv.ParseUint(strings.TrimPrefix(r.adapter, "hci"), 10, 16)
	if err != nil {
		r.t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_BLUETOOTH, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.BTPROTO_HCI)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.Bind(fd, &unix.SockaddrHCI{Dev: uint16(index), Channel: unix.HCI_CHANNEL_RAW}); err != nil {
		r.t.Fatal(err)
	}
	if _, err := unix.Write(fd, packet); err != nil {
		r.t.Fatalf("send to the controller: %v", err)
	}
}

// connection returns the controller's handle of the connection.
func (r *rawATT) connection() (handle uint16) {
	r.t.Helper()
	const connInfo = 2 // L2CAP_CONNINFO (Linux, include/net/bluetooth/l2cap.h)
	raw, err := r.socket.SyscallConn()
	if err != nil {
		r.t.Fatal(err)
	}
	var info int // struct l2cap_conninfo begins with the handle
	if controlled := raw.Control(func(fd uintptr) { info, err = unix.GetsockoptInt(int(fd), unix.SOL_L2CAP, connInfo) }); controlled != nil || err != nil {
		r.t.Fatalf("the connection's handle: %v, %v", controlled, err)
	}
	return uint16(info)
}
