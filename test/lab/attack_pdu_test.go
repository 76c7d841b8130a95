//go:build lab

package lab

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// attacker has an ATT channel and no manners.
type attacker struct {
	t              testing.TB
	phone, gateway string
	level          byte
	socket         *os.File
	answers        chan byte // opcodes; closed when the connection has ended
	connections    int
	unanswered     int // requests
}

func newAttacker(t testing.TB, level byte) *attacker {
	t.Helper()
	a := &attacker{t: t, phone: adapterAddress(t, phoneHCI), gateway: adapterAddress(t, gatewayHCI), level: level}
	t.Cleanup(a.leave)
	return a
}

func (a *attacker) connect() {
	a.t.Helper()
	waitAdvertising(a.t)
	socket, err := connectATT(a.t, phoneHCI, a.gateway, a.level)
	if err != nil {
		a.t.Fatalf("connect: %v", err)
	}
	a.connections++
	a.socket, a.answers = socket, make(chan byte, 64)
	go func(answers chan<- byte) {
		defer close(answers)
		buffer := make([]byte, 600)
		for {
			n, err := socket.Read(buffer)
			switch {
			case err != nil || n == 0:
				return
			case buffer[0]%2 == 1 && buffer[0] != opNotification && buffer[0] != opIndication:
				select {
				case answers <- buffer[0]:
				default:
				}
			case buffer[0] < 0x40 && buffer[0]%2 == 0:
				_, _ = socket.Write([]byte{opError, buffer[0], 0, 0, attNotSupported})
			}
		}
	}(a.answers)
}

func (a *attacker) leave() {
	if a.socket != nil {
		_ = a.socket.Close()
		a.socket = nil
		disconnect(a.t, phoneHCI, a.gateway)
		waitGone(a.t, a.phone)
	}
}

// send sends a PDU and waits for the answer if it is a request. It reports whether the connection can
// still be used: bluetoothd 5.82 leaves some Read Multiple Variable unanswered, and nothing may
// follow an unanswered request.
func (a *attacker) send(pdu []byte) bool {
	a.t.Helper()
	if _, err := a.socket.Write(pdu); err != nil {
		return false
	}
	// Some opcodes that are no requests are answered, too: such an answer must not be taken for that of the next request.
	request, timeout := slices.Contains(attRequests, pdu[0]), attTimeout
	if !request {
		timeout = 200 * time.Millisecond
	}
	select {
	case _, ok := <-a.answers:
		return ok
	case <-time.After(timeout):
		switch {
		case pdu[0] == opReadMultipleVariable:
			a.unanswered++
			return false
		case request:
			a.t.Fatalf("% x was not answered within %s", pdu, attTimeout)
		}
	}
	return true
}

// attRequests are the opcodes of the requests (Core Specification, volume 3,
// part F, 3.4.8).
var attRequests = []byte{opExchangeMTU, opFindInfo, 0x06, opReadByType, opRead, 0x0C, 0x0E, 0x10, opWrite, opPrepareWrite, opExecuteWrite, opReadMultipleVariable}

const (
	opWriteCommand         = 0x52
	opReadMultipleVariable = 0x20
)

// randomPDU returns up to 23 bytes. Most begin as a request does, with a handle
// that exists; responses to nothing end the connection, so there are few.
func randomPDU(r *rand.Rand, handles []uint16) []byte {
	opcode := attRequests[r.IntN(len(attRequests))]
	switch r.IntN(200) {
	case 0:
		opcode = byte(r.IntN(256))
	case 1, 2, 3, 4, 5, 6, 7, 8, 9, 10:
		opcode = opWriteCommand
	}
	handle := uint16(r.IntN(1 << 16))
	if len(handles) > 0 && r.IntN(4) > 0 {
		handle = handles[r.IntN(len(handles))] + uint16(r.IntN(3))
	}
	pdu := binary.LittleEndian.AppendUint16([]byte{opcode}, handle)
	for range r.IntN(defaultMTU - 2) {
		pdu = append(pdu, byte(r.IntN(256)))
	}
	if opcode == opExchangeMTU {
		return pdu[:1+r.IntN(2)] // an MTU that is not one: another one would make larger PDUs
	}
	return pdu[:1+r.IntN(len(pdu))]
}

const attPrepareQueueFull central.ATTError = 0x09

// TestAttackPrepareQueue prepares writes, as a paired phone, and never executes them: ever longer
// ones, and as many as the queue takes. It cancels them, or leaves. Then phones are served.
func TestAttackPrepareQueue(t *testing.T) {
	open := AP{SSID: "attacked, in two pieces", Security: wifi.Open}
	g := start(t, situation{aps: []AP{open}})
	r := dialATT(t, phoneHCI, encrypted)
	g.notesBond(r)
	w := g.witness()
	r.prepares(18, attInvalidLength, attInvalidOffset) // one value, which BlueZ puts together; it may have 512 bytes
	cancel := func() {
		_, err := r.request(opExecuteWrite, 0)
		is(t, "cancel", err, nil)
	}
	cancel()
	room := r.prepares(0, attPrepareQueueFull)
	cancel()
	for range count(2, 10) {
		if again := r.prepares(0, attPrepareQueueFull); again != room {
			t.Errorf("the queue took %d, before %d", again, room)
		}
		r.leave()
		r = dialATT(t, phoneHCI, encrypted)
	}
	_, err := r.request(opExecuteWrite, 1)
	is(t, "execute what was prepared before the phone left", err, nil)
	is(t, "subscribe", r.subscribe(central.StatusUUID), nil)
	w.unchanged()
	is(t, "CONNECT", r.write(central.ControlUUID, byte(central.ControlConnect)), nil)
	r.expect(central.StatusFailed) // nothing was staged
	r.prepares(0, attPrepareQueueFull)
	r.leave()

	g.servesAnother(open, encrypted)
	w.alive()
}

// notesBond waits until the gateway has stored a phone's bond. It does so when the phone first uses a
// service.
func (g *gateway) notesBond(r *rawATT) {
	g.t.Helper()
	_, err := r.read(central.StatusUUID)
	is(g.t, "read Status", err, nil)
	g.event("bonded", "WIFIPROVD_CENTRAL="+r.address)
}

// prepares prepares writes of the SSID, each at an offset step further on, and returns how many were
// taken: not all. The rest must be answered with one of full.
func (r *rawATT) prepares(step int, full ...central.ATTError) (taken int) {
	r.t.Helper()
	times := count(300, 1000)
	for i := range times {
		_, err := r.request(append(le16(opPrepareWrite, r.handle(central.SSIDUUID), uint16(i*step)), bytes.Repeat([]byte{'a'}, 18)...)...)
		switch {
		case err == nil && taken == i:
			taken++
		case !slices.ContainsFunc(full, func(want central.ATTError) bool { return errors.Is(err, want) }):
			r.t.Fatalf("prepared write %d, of which %d were taken: answered %v", i, taken, err)
		}
	}
	if taken == 0 || taken == times {
		r.t.Errorf("%d of %d prepared writes were taken", taken, times)
	}
	r.t.Logf("%d of %d prepared writes were taken", taken, times)
	return taken
}
