//go:build lab

package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wifiprovd/wifiprovd/internal/central"
)

// rawATT is a phone that speaks ATT itself (Bluetooth Core Specification, volume 3, part F). BlueZ's
// own client pairs when an answer demands it, exchanges the largest MTU, and passes on few of the
// error codes; this one does none of it. Its MTU is 23 until exchangeMTU.
type rawATT struct {
	t         testing.TB
	socket    *os.File
	adapter   string // in the role of the phone
	address   string // its address
	gateway   string // the gateway's address
	mtu       int
	timeout   time.Duration
	responses chan []byte // closed when the connection has ended
	notified  chan []byte // handle and value
	handles   map[string]uint16
	bonded    time.Time
	several   *atomic.Int32 // how often several values were notified at once
}

const (
	defaultMTU  = 23
	attTimeout  = 35 * time.Second
	declaration = 0x2803 // of a characteristic
	cccUUID     = 0x2902 // Client Characteristic Configuration
)

// dialATT connects an adapter in the role of a phone to the gateway, and looks
// up the handles of its characteristics.
func dialATT(t testing.TB, adapter string, level byte) *rawATT {
	t.Helper()
	phone, gateway := adapterAddress(t, adapter), adapterAddress(t, gatewayHCI)
	waitAdvertising(t)
	socket, err := connectATT(t, adapter, gateway, level)
	// This phone has no agent, so bluetoothd asks the gateway's, which refuses devices of other adapters. Nearly always that
	// agent is still busy with the gateway's own question, and bluetoothd takes this for a yes (src/device.c,
	// device_confirm_passkey).
	for retries := 0; errors.Is(err, unix.EACCES) && retries < 2; retries++ {
		t.Logf("the phone's pairing was refused by the gateway's agent: %v", err)
		waitGone(t, phone)
		waitAdvertising(t)
		socket, err = connectATT(t, adapter, gateway, level)
	}
	if err != nil {
		t.Fatalf("connect an ATT channel from %s: %v", adapter, err)
	}
	r := &rawATT{
		t: t, socket: socket, adapter: adapter, address: phone, gateway: gateway, mtu: defaultMTU, timeout: attTimeout,
		responses: make(chan []byte, 1), notified: make(chan []byte, 64), several: new(atomic.Int32),
	}
	if level == encrypted {
		r.bonded = time.Now()
	}
	go r.receive()
	t.Cleanup(r.leave)
	r.handles = r.discover()
	return r
}

// receive sorts what comes in. The gateway's BlueZ is a client, too; it gets the answer that there
// is nothing here.
func (r *rawATT) receive() {
	defer close(r.responses)
	buffer := make([]byte, 600)
	for {
		n, err := r.socket.Read(buffer)
		if err != nil || n == 0 {
			return
		}
		switch pdu := slices.Clone(buffer[:n]); {
		case pdu[0] == opNotification:
			r.notified <- pdu[1:]
		case pdu[0] == opNotifications:
			r.receiveSeveral(pdu[1:])
			r.several.Add(1)
		case pdu[0] == opIndication:
			_, _ = r.socket.Write([]byte{opConfirmation})
		case pdu[0]%2 == 1: // responses, and the error, are odd
			r.responses <- pdu
		case pdu[0] < 0x40: // requests; the rest are commands
			_, _ = r.socket.Write([]byte{opError, pdu[0], 0, 0, attNotSupported})
		}
	}
}

// receiveSeveral takes a list of handles, lengths and values (3.4.7.4). The gateway notifies so, even
// of one value, once the phone's own bluetoothd has said that it knows them: it looks for services after a bond.
func (r *rawATT) receiveSeveral(list []byte) {
	for len(list) >= 4 {
		end := min(len(list), 4+int(binary.LittleEndian.Uint16(list[2:])))
		r.notified <- slices.Concat(list[:2], list[4:end])
		list = list[end:]
	}
}

// leave ends the connection and waits until the gateway has noticed.
func (r *rawATT) leave() {
	if r.socket == nil {
		return
	}
	time.Sleep(time.Until(r.bonded.Add(reverseDiscovery)))
	_ = r.socket.Close()
	r.socket = nil
	disconnect(r.t, r.adapter, r.gateway) // with a bond, the phone's own bluetoothd keeps the connection for itself
	waitGone(r.t, r.address)
}

// request sends a request and returns the parameters of its response, or the
// code of its error.
func (r *rawATT) request(pdu ...byte) ([]byte, error) {
	r.t.Helper()
	if len(pdu) > r.mtu {
		r.t.Fatalf("a request of %d bytes, and the MTU is %d", len(pdu), r.mtu)
	}
	if _, err := r.socket.Write(pdu); err != nil {
		r.t.Fatalf("send ATT request 0x%02x: %v", pdu[0], err)
	}
	select {
	case response, ok := <-r.responses:
		switch {
		case !ok:
			r.t.Fatalf("the connection ended before ATT request 0x%02x was answered", pdu[0])
		case response[0] == opError && len(response) == 5 && response[1] == pdu[0]:
			return nil, central.ATTError(response[4])
		case response[0] != pdu[0]+1:
			r.t.Fatalf("ATT request 0x%02x was answered % x", pdu[0], response)
		}
		return response[1:], nil
	case <-time.After(r.timeout):
		r.t.Fatalf("ATT request 0x%02x was not answered within %s", pdu[0], r.timeout)
	}
	return nil, nil
}

// exchangeMTU makes both sides use mtu. The gateway must support it.
func (r *rawATT) exchangeMTU(mtu int) {
	r.t.Helper()
	response, err := r.request(binary.LittleEndian.AppendUint16([]byte{opExchangeMTU}, uint16(mtu))...)
	if err != nil {
		r.t.Fatalf("exchange MTU: %v", err)
	}
	if got := int(binary.LittleEndian.Uint16(response)); got < mtu {
		r.t.Fatalf("the gateway's MTU is %d, want at least %d", got, mtu)
	}
	r.mtu = mtu
}

// discover returns the handles of the values of all characteristics, by their
// UUIDs of 4 or 32 hexadecimal digits.
func (r *rawATT) discover() map[string]uint16 {
	r.t.Helper()
	handles := map[string]uint16{}
	for from := uint16(1); ; {
		response, err := r.request(le16(opReadByType, from, 0xFFFF, declaration)...)
		if errors.Is(err, central.ATTError(attNotFound)) {
			return handles
		}
		if err != nil {
			r.t.Fatalf("look up characteristics: %v", err)
		}
		size, list := int(response[0]), response[1:]
		for ; len(list) >= size; list = list[size:] {
			from = binary.LittleEndian.Uint16(list) + 1
			handles[uuidText(list[5:size])] = binary.LittleEndian.Uint16(list[3:])
		}
	}
}

func (r *rawATT) handle(uuid string) uint16 {
	r.t.Helper()
	handle, ok := r.handles[uuid]
	if !ok {
		r.t.Fatalf("the gateway has no characteristic %s; it has %v", uuid, r.handles)
	}
	return handle
}

// ccc returns the handle of a characteristic's Client Characteristic
// Configuration.
func (r *rawATT) ccc(uuid string) uint16 {
	r.t.Helper()
	handle := r.handle(uuid) + 1
	response, err := r.request(le16(opFindInfo, handle, handle)...)
	if err != nil || len(response) != 5 || binary.LittleEndian.Uint16(response[3:]) != cccUUID {
		r.t.Fatalf("no Client Characteristic Configuration behind %s: % x, %v", uuid, response, err)
	}
	return handle
}

func (r *rawATT) read(uuid string) ([]byte, error) {
	r.t.Helper()
	return r.request(le16(opRead, r.handle(uuid))...)
}

// readLong reads a value in pieces, until one is shorter than the MTU allows.
func (r *rawATT) readLong(uuid string) []byte {
	r.t.Helper()
	value, err := r.read(uuid)
	for piece := value; err == nil && len(piece) == r.mtu-1; value = append(value, piece...) {
		piece, err = r.request(le16(opReadBlob, r.handle(uuid), uint16(len(value)))...)
	}
	if err != nil {
		r.t.Fatalf("read %s: %v", uuid, err)
	}
	return value
}

// write sends a Write Request, which must fit into the MTU.
func (r *rawATT) write(uuid string, value ...byte) error {
	r.t.Helper()
	_, err := r.request(append(le16(opWrite, r.handle(uuid)), value...)...)
	return err
}

// subscribe asks for the notifications of a characteristic.
func (r *rawATT) subscribe(uuid string) error {
	r.t.Helper()
	_, err := r.request(le16(opWrite, r.ccc(uuid), 1)...)
	return err
}

// writeLong sends a value in pieces, from an offset on: Prepare Write Requests
// and an Execute Write Request.
func (r *rawATT) writeLong(uuid string, offset int, value []byte) error {
	r.t.Helper()
	for piece := range slices.Chunk(value, r.mtu-5) {
		prepare := append(le16(opPrepareWrite, r.handle(uuid), uint16(offset)), piece...)
		echo, err := r.request(prepare...)
		if err != nil {
			return fmt.Errorf("prepare at %d: %w", offset, err)
		}
		if !slices.Equal(echo, prepare[1:]) {
			r.t.Fatalf("prepared % x, echoed % x", prepare[1:], echo)
		}
		offset += len(piece)
	}
	_, err := r.request(opExecuteWrite, 1)
	return err
}

// expect waits for exactly these notifications of Status, in this order.
func (r *rawATT) expect(want ...central.Status) {
	r.t.Helper()
	for i, w := range want {
		r.expectValue(fmt.Sprintf("%s (number %d of %v)", w, i+1, want), central.StatusUUID, byte(w))
	}
}

// expectValue waits for the next notification, which must be this one.
func (r *rawATT) expectValue(what, uuid string, value ...byte) {
	r.t.Helper()
	select {
	case n := <-r.notified:
		if want := append(le16(opNotification, r.handle(uuid))[1:], value...); !slices.Equal(n, want) {
			r.t.Fatalf("notified % x, want % x: %s", n, want, what)
		}
	case <-time.After(patience):
		r.t.Fatalf("not notified within %s: %s", patience, what)
	}
}
