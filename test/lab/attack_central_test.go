//go:build lab

package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// TestCentralVanishes: a phone leaves between any two writes, and in the middle of a long one.
// Nothing of what it wrote is left. (It closes the link: btvirt has no supervision timeout.)
func TestCentralVanishes(t *testing.T) {
	open := AP{SSID: "still there", Security: wifi.Open}
	g := start(t, situation{aps: []AP{open}, config: map[string]string{"bluetooth.security": "none"}})
	w := g.witness()
	steps := []func(*rawATT){
		func(r *rawATT) { is(t, "SSID", r.write(central.SSIDUUID, []byte(open.SSID)...), nil) },
		func(r *rawATT) { is(t, "Password", r.write(central.PasswordUUID), nil) },
		func(r *rawATT) { is(t, "Security", r.write(central.SecurityUUID, byte(wifi.Open)), nil) },
		func(r *rawATT) {
			_, err := r.request(append(le16(opPrepareWrite, r.handle(central.PasswordUUID), 0), "half a passwor"...)...)
			is(t, "prepare", err, nil)
		},
	}
	for n := range len(steps) + 1 {
		r := dialATT(t, phoneHCI, notEncrypted)
		for _, step := range steps[:n] {
			step(r)
		}
		r.leave()
		if n > 0 { // BlueZ may not announce one that did nothing
			g.event("central-disconnected")
		}
	}
	w.unchanged()
	r := dialATT(t, secondPhoneHCI, notEncrypted)
	is(t, "subscribe", r.subscribe(central.StatusUUID), nil)
	is(t, "CONNECT", r.write(central.ControlUUID, byte(central.ControlConnect)), nil)
	r.expect(central.StatusFailed) // nothing was staged
	g.stores(nil)
}

// TestCentralVanishesPairing: a phone leaves when it should send the passkey. Nothing is left of the
// pairing, and the next try gets a passkey of its own.
func TestCentralVanishesPairing(t *testing.T) {
	g := start(t, situation{config: map[string]string{"bluetooth.security": "authenticated"}})
	address, stays := adapterAddress(t, phoneHCI), false
	p := newPhone(t, "", func(ctx context.Context) (uint32, error) {
		passkey, err := g.passkey(ctx)
		if !stays {
			disconnect(t, phoneHCI, adapterAddress(t, gatewayHCI))
		}
		return passkey, err
	})
	w := g.witness()
	p.find()
	p.mayConnect()
	if err := p.central.Pair(p.deadline(), p.gateway); err == nil {
		t.Fatal("a phone that went has paired")
	}
	g.event("central-disconnected")
	w.unchanged()
	if err := g.noBond(address); err != nil {
		t.Error(err)
	}
	if err := p.central.RemoveBond(p.deadline(), p.gateway); err != nil {
		t.Error(err)
	}
	stays = true
	g.from = g.journal.mark(t, "again")
	p.find()
	p.pair()
	p.connect()
	p.status()
}

// TestCentralStays: a phone connects, does nothing, and never leaves. The gateway goes on
// advertising, serves another phone meanwhile, and the first one when it speaks at last.
func TestCentralStays(t *testing.T) {
	open := AP{SSID: "one phone stays", Security: wifi.Open}
	g := start(t, situation{aps: []AP{open}, config: map[string]string{"bluetooth.security": "none"}})
	w := g.witness()
	silent := dialATT(t, phoneHCI, notEncrypted)
	silence := time.Duration(count(2, 60)) * time.Minute
	time.Sleep(silence)
	w.unchanged()
	if err := g.advertises(1); err != nil {
		t.Error(err)
	}
	takeNumber(t, secondPhoneHCI)
	g.servesAnother(open, notEncrypted).leave()
	time.Sleep(silence)
	waitAdvertising(t)
	w.alive()

	is(t, "subscribe", silent.subscribe(central.StatusUUID), nil)
	if status, err := silent.read(central.StatusUUID); err != nil || central.Status(status[0]) != central.StatusConnected {
		t.Errorf("status % x, %v", status, err)
	}
	is(t, "ERASE", silent.write(central.ControlUUID, byte(central.ControlErase)), nil)
	silent.expect(central.StatusIdle)
	g.stores(nil)
}

// takeNumber connects a phone to the fourth adapter until the test ends. btvirt numbers the
// connections of each adapter and takes both ends' numbers for the same: the gateway's second
// connection works only if it is the phone's second, too.
func takeNumber(t *testing.T, phone string) {
	t.Helper()
	const fourth = "hci3"
	advertise(t, fourth, "not a gateway")
	address := adapterAddress(t, fourth)
	socket, err := connectATT(t, phone, address, notEncrypted)
	if err != nil {
		t.Fatalf("connect with %s: %v", fourth, err)
	}
	t.Cleanup(func() {
		_ = socket.Close()
		disconnect(t, phone, address)
		waitFor(t, phone+" without "+fourth, patience, func() error {
			if deviceFlag(t, phone, address, "Connected") || deviceFlag(t, fourth, adapterAddress(t, phone), "Connected") {
				return errors.New("it is connected")
			}
			return nil
		})
	})
}

// TestCentralFloods writes without waiting for answers. Another phone is served afterwards.
func TestCentralFloods(t *testing.T) {
	open := AP{SSID: "not flooded", Security: wifi.Open}
	g := start(t, situation{aps: []AP{open}, config: map[string]string{"bluetooth.security": "none", "log.level": "info"}})
	r := dialATT(t, phoneHCI, notEncrypted)
	w := g.witness()
	w.limitBySystemd() // it queues what arrives faster than it passes it on
	handle, sent := r.handle(central.SSIDUUID), 0
	for end := time.Now().Add(time.Duration(count(5, 60)) * time.Second); time.Now().Before(end); sent++ {
		// Commands need no answer (volume 3, part F, 3.4.5.3): no flow control but the link's.
		if _, err := r.socket.Write(append(le16(opWriteCommand, handle), "a flood of writes"...)); err != nil {
			t.Fatalf("after %d writes: %v", sent, err)
		}
	}
	t.Logf("%d writes", sent)
	// The phone stays until all writes are served: bluetoothd 5.66 aborts on a write of a phone that has gone. And it sends no
	// request before: the kernel drops what arrives at a full socket queue (net/bluetooth/l2cap_sock.c, l2cap_sock_recv_cb).
	waitIdle(t, bluetoothd)
	if _, err := r.read(central.StatusUUID); err != nil {
		t.Errorf("read Status after the flood: %v", err)
	}
	r.leave()
	w.unchanged()
	g.servesAnother(open, notEncrypted)
}

// limitBySystemd lets bluetoothd grow up to its unit's limit.
func (w *witness) limitBySystemd() {
	w.g.t.Helper()
	w.bluetoothd.limit = number(w.g.t, strings.TrimSpace(run(w.g.t, "systemctl", "show", "--value", "--property=MemoryMax", bluetoothd))) >> 10
}

// waitIdle waits until a service uses no processor time to speak of.
func waitIdle(t testing.TB, service string) {
	t.Helper()
	used := func() int {
		text := run(t, "systemctl", "show", "--value", "--property=CPUUsageNSec", service)
		return number(t, strings.TrimSpace(text))
	}
	waitFor(t, service+" to be idle", 30*time.Minute, func() error {
		before := used()
		time.Sleep(time.Second)
		if busy := time.Duration(used() - before); busy > 10*time.Millisecond {
			return fmt.Errorf("it worked %s in a second", busy)
		}
		return nil
	})
}
