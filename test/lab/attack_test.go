//go:build lab

package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// count returns how often to do something: few in the usual run, many with LAB_LONG=1 (make attack).
func count(few, many int) int {
	if os.Getenv("LAB_LONG") != "" {
		return many
	}
	return few
}

// chance returns a source of randomness whose seed is printed; LAB_SEED repeats it.
func chance(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("LAB_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("LAB_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// maxGrowth is how much memory bluetoothd may gain by an attack, in KiB.
const maxGrowth = 8 << 10

// witness remembers what an attack must not change.
type witness struct {
	g          *gateway
	store      []byte
	daemon     usage
	bluetoothd processState
	from       int
	status     string
}

type processState struct {
	pid        string
	rss, limit int // KiB
}

func (g *gateway) witness() *witness {
	g.t.Helper()
	w := &witness{g: g, from: g.journal.mark(g.t, "attack"), status: statusText(g.t), bluetoothd: bluetoothdNow(g.t)}
	w.store, _ = os.ReadFile(storeFile) // there may be none
	defer func(from int) { g.from = from }(g.from)
	w.daemon = g.usage()
	return w
}

func statusText(t testing.TB) string {
	t.Helper()
	return run(t, "systemctl", "show", "--value", "--property=StatusText", unit)
}

func bluetoothdNow(t testing.TB) processState {
	t.Helper()
	pid := mainPID(t, bluetoothd)
	text, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		t.Fatal(err)
	}
	var s = processState{pid: pid}
	for _, line := range strings.Split(string(text), "\n") {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			if _, err := fmt.Sscan(value, &s.rss); err != nil {
				t.Fatal(err)
			}
			s.limit = s.rss + maxGrowth
		}
	}
	return s
}

// unchanged checks that nothing has crashed, no memory was taken for good, and neither the status
// nor the store has changed.
func (w *witness) unchanged() {
	t := w.g.t
	t.Helper()
	w.alive()
	if store, _ := os.ReadFile(storeFile); string(store) != string(w.store) {
		t.Error("the store has changed")
	}
	if now := statusText(t); now != w.status {
		t.Errorf("the status has changed from %s to %s", w.status, now)
	}
	for _, e := range w.g.journal.since(w.from) {
		if e["WIFIPROVD_STATUS"] != "" {
			t.Errorf("the status or its reason has changed: %s", e)
		}
	}
}

// alive checks that nothing has crashed, and that neither program holds more memory for good.
func (w *witness) alive() {
	t := w.g.t
	t.Helper()
	now := bluetoothdNow(t)
	if now.pid != w.bluetoothd.pid {
		t.Error("bluetoothd crashed")
	}
	t.Logf("bluetoothd: %d KiB before, %d KiB after", w.bluetoothd.rss, now.rss)
	if now.rss > w.bluetoothd.limit {
		t.Errorf("bluetoothd may have %d KiB", w.bluetoothd.limit)
	}
	defer func(from int) { w.g.from = from }(w.g.from)
	w.g.grown(w.daemon)
}

// TestAttackPDUs sends random and malformed PDUs, without a pairing.
func TestAttackPDUs(t *testing.T) {
	open := AP{SSID: "attacked", Security: wifi.Open}
	g := start(t, situation{aps: []AP{open}})
	p := g.joined(open)
	p.leave()
	removeBonds(t)
	g.randomPDUs(notEncrypted)
	g.joined(open)
}

// TestAttackPDUsPaired does the same with a pairing. It spares Control, which a paired phone may use.
func TestAttackPDUsPaired(t *testing.T) {
	open := AP{SSID: "attacked", Security: wifi.Open}
	g := start(t, situation{aps: []AP{open}})
	g.randomPDUs(encrypted)
	removeBonds(t)
	g.joined(open)
}

// randomPDUs sends random PDUs on connections of a security level. Nothing changes.
func (g *gateway) randomPDUs(level byte) {
	t := g.t
	t.Helper()
	r := dialATT(t, phoneHCI, level)
	if level == encrypted {
		g.notesBond(r)
	}
	control := r.handle(central.ControlUUID)
	handles := slices.Sorted(maps.Values(r.handles))
	r.leave()
	random, w := chance(t), g.witness()
	a := newAttacker(t, level)
	a.connect()
	total := count(600, 100_000)
	for range total {
		pdu := randomPDU(random, handles)
		if level == encrypted && len(pdu) > 2 && binary.LittleEndian.Uint16(pdu[1:]) == control {
			continue
		}
		if !a.send(pdu) {
			a.leave()
			a.connect()
		}
	}
	a.leave()
	t.Logf("%d PDUs in %d connections, %d requests were not answered", total, a.connections, a.unanswered)
	w.unchanged()
}

// TestAttackUnpaired tries every access to every characteristic, and long writes
// that make no sense, without a pairing.
func TestAttackUnpaired(t *testing.T) {
	open := AP{SSID: "attacked", Security: wifi.Open}
	g := start(t, situation{aps: []AP{open}})
	w := g.witness()
	r := dialATT(t, phoneHCI, notEncrypted)
	protected, notify := 0, 0
	for uuid, handle := range r.handles {
		if !strings.HasSuffix(uuid, central.ServiceUUID[8:]) {
			continue
		}
		protected++
		if r.attackUnpaired(uuid, handle) {
			notify++
		}
	}
	if want := len(written) + len(shown) + len(others); protected != want {
		t.Errorf("%d characteristics were found, want %d: %v", protected, want, r.handles)
	}
	if want := len(shown) + 1; notify != want { // and Scan
		t.Errorf("%d characteristics could be subscribed to, want %d", notify, want)
	}
	_, err := r.request(opExecuteWrite, 1)
	is(t, "execute without a prepare", err, nil)
	for _, handle := range []uint16{0, 0x0FFF, 0x1000 + 0x0FFF, 0xFFFF} {
		if _, err := r.request(append(le16(opWrite, handle), 1)...); err == nil {
			t.Errorf("a write to handle 0x%04x was accepted", handle)
		}
	}
	r.leave()
	w.unchanged()
	g.joined(open)
}

// attackUnpaired reports whether the characteristic notifies.
func (r *rawATT) attackUnpaired(uuid string, handle uint16) bool {
	r.t.Helper()
	for what, pdu := range map[string][]byte{
		"read":         le16(opRead, handle),
		"read blob":    le16(0x0C, handle, 1),
		"write":        append(le16(opWrite, handle), 1),
		"empty write":  le16(opWrite, handle),
		"prepare":      append(le16(opPrepareWrite, handle, 0), 1),
		"prepare late": append(le16(opPrepareWrite, handle, 0xFFFF), 1),
	} {
		_, err := r.request(pdu...)
		if what == "prepare late" && errors.Is(err, attInvalidOffset) {
			continue // BlueZ looks at the offset first (src/shared/gatt-server.c, prep_write_cb)
		}
		if !refused(err) {
			r.t.Errorf("%s %s: answered %v", what, uuid, err)
		}
	}
	// A write command has no answer.
	for value := range byte(4) {
		if _, err := r.socket.Write(append(le16(opWriteCommand, handle), value)); err != nil {
			r.t.Fatal(err)
		}
	}
	// The attribute behind the value is written in any case: the CCC, or else the next characteristic, or nothing.
	response, err := r.request(le16(opFindInfo, handle+1, handle+1)...)
	notifies := err == nil && len(response) == 5 && binary.LittleEndian.Uint16(response[3:]) == cccUUID
	for _, value := range []uint16{1, 2, 0} { // notifications, indications, none
		_, err := r.request(le16(opWrite, handle+1, value)...)
		if err == nil || notifies && !refused(err) {
			r.t.Errorf("write %d behind %s, which notifies: %v: answered %v", value, uuid, notifies, err)
		}
	}
	return notifies
}

// refused reports whether an access was refused as such, or for want of a pairing.
func refused(err error) bool {
	return slices.ContainsFunc([]error{attInsufficientEncryption, attInsufficientAuthentication, attReadNotPermitted, attWriteNotPermitted},
		func(want error) bool { return errors.Is(err, want) })
}

// servesAnother has another phone provision an open network.
func (g *gateway) servesAnother(open AP, level byte) *rawATT {
	g.t.Helper()
	other := dialATT(g.t, secondPhoneHCI, level)
	is(g.t, "subscribe", other.subscribe(central.StatusUUID), nil)
	is(g.t, "SSID", other.writeLong(central.SSIDUUID, 0, []byte(open.SSID)), nil)
	is(g.t, "CONNECT", other.write(central.ControlUUID, byte(central.ControlConnect)), nil)
	other.expect(central.StatusConnecting, central.StatusConnected)
	g.stores(&open)
	return other
}
