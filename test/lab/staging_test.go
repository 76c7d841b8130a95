//go:build lab

package lab

import (
	"bytes"
	"fmt"
	"maps"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const secondPhoneHCI = "hci2"

// TestStagingEndsWithConnection stages a network, leaves, comes back, and writes CONNECT: nothing of
// it is left, neither for this phone nor for another one.
func TestStagingEndsWithConnection(t *testing.T) {
	home := AP{SSID: "staged", Security: wifi.WPA2PSK, Passphrase: "a staged passphrase"}
	g := start(t, situation{aps: []AP{home}})
	p := ready(t, true)
	p.stage(home.SSID, home.Passphrase, wifi.WPA2PSK)
	p.leave()
	g.event("central-disconnected")

	p.connect()
	p.watch()
	p.command(central.ControlConnect)
	p.expect(central.StatusFailed)
	if reason := p.reason(); reason != wifi.FailureInvalidCredentials {
		t.Errorf("reason %s, want %s", reason, wifi.FailureInvalidCredentials)
	}
	g.stores(nil)
	p.stage(home.SSID, home.Passphrase, wifi.WPA2PSK)
	p.leave()
	g.event("central-disconnected")

	other := dialATT(t, secondPhoneHCI, encrypted)
	is(t, "subscribe", other.subscribe(central.StatusUUID), nil)
	is(t, "CONNECT", other.write(central.ControlUUID, byte(central.ControlConnect)), nil)
	other.expect(central.StatusFailed)
	g.stores(nil)
}

// TestSecondCentral: while a phone's attempt runs, another phone can read but not write.
func TestSecondCentral(t *testing.T) {
	home := AP{SSID: "one at a time", Security: wifi.WPA2PSK, Passphrase: "a passphrase of the first"}
	g := start(t, situation{aps: []AP{home}, country: bothBands}) // long scans
	p := g.joined(home)
	freeze(t) // it is heard and does not answer: the attempt lasts through two of them
	t.Cleanup(func() { thaw(t) })
	p.provision(home.SSID, home.Passphrase, wifi.AutoDetect)
	p.expect(central.StatusConnecting)
	p.leave() // as it may

	other := dialATT(t, secondPhoneHCI, encrypted)
	is(t, "subscribe", other.subscribe(central.StatusUUID), nil)
	for uuid, value := range map[string][]byte{
		central.SSIDUUID: []byte("another"), central.PasswordUUID: []byte("another"), central.SecurityUUID: {0},
	} {
		is(t, "write "+uuid, other.write(uuid, value...), attBusy)
	}
	for _, control := range []central.Control{central.ControlConnect, central.ControlErase} {
		is(t, fmt.Sprintf("Control %d", control), other.write(central.ControlUUID, byte(control)), attBusy)
	}
	if status, err := other.read(central.StatusUUID); err != nil || central.Status(status[0]) != central.StatusConnecting {
		t.Fatalf("status % x, %v; the attempt was to last", status, err)
	}

	thaw(t)
	g.from = g.journal.mark(t, "the access point answers")
	g.becomes(central.StatusConnected)
	waitFor(t, "online", patience, func() error { return g.online(1) })
	g.stores(&home)
	is(t, "write SSID after the attempt", other.write(central.SSIDUUID, []byte("another")...), nil)
}

// TestHandles: phones cache the handles, so they stay the same. They are low enough for BlueZ to make
// a Database Hash of them, by which a phone knows whether its cache holds.
func TestHandles(t *testing.T) {
	g := start(t, situation{})
	look := func() map[string]uint16 {
		r := dialATT(t, phoneHCI, notEncrypted)
		defer r.leave()
		handles := maps.Clone(r.handles)
		maps.DeleteFunc(handles, func(uuid string, _ uint16) bool { return len(uuid) == 4 }) // bluetoothd's own
		for _, uuid := range shown {
			handles[uuid+" ccc"] = r.ccc(uuid)
		}
		return handles
	}
	hash := func() string {
		r := dialATT(t, phoneHCI, notEncrypted)
		defer r.leave()
		for uuid, handle := range r.handles {
			if handle >= 0x0400 {
				t.Errorf("characteristic %s has the handle 0x%04x", uuid, handle)
			}
		}
		value, err := r.read("2b2a")
		if err != nil || len(value) != 16 || bytes.Equal(value, make([]byte, 16)) {
			t.Fatalf("the Database Hash reads % x, %v", value, err)
		}
		return string(value)
	}
	first, firstHash := look(), hash()
	if len(first) != len(written)+2*len(shown)+len(others) {
		t.Fatalf("handles %v", first)
	}
	for _, service := range []string{unit, bluetoothd} {
		g.from = g.journal.mark(t, "restart "+service)
		systemctl(t, "restart", service)
		g.event("advertising")
		if now := look(); !maps.Equal(now, first) {
			t.Errorf("after a restart of %s the handles are %v; they were %v", service, now, first)
		}
		if now := hash(); now != firstHash {
			t.Errorf("after a restart of %s the Database Hash is % x; it was % x", service, now, firstHash)
		}
	}

	registerNoop(t)
	if now := hash(); now == firstHash {
		t.Error("the Database Hash is the same with another service")
	}
}
