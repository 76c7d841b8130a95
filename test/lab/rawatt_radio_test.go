//go:build lab

package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// controller follows the HCI traffic of a Bluetooth controller, to know when it can be connected to.
//
// btvirt fails a connection attempt while the other controller does not advertise (real ones wait
// for it), and Linux then hangs until the attempt times out (6.12), or crashes (6.1: hci_chan_del).
// There is such a moment after every disconnection: Linux stops advertising and starts it again.
type controller struct {
	index uint16

	mu         sync.Mutex
	fd         int
	enabling   bool // what the last LE Set Advertising Enable command asked for
	advertises bool
}

var gatewayController = sync.OnceValues(func() (*controller, error) { return openController(gatewayHCI) })

// waitAdvertising waits until the gateway's controller can be connected to. The gateway must have
// noticed already that the previous phone has gone.
func waitAdvertising(t testing.TB) {
	t.Helper()
	r, err := gatewayController()
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "advertising", patience, func() error {
		if on, err := r.state(); err != nil || !on {
			return errors.Join(errors.New("it is off"), err)
		}
		return nil
	})
}

// openController follows adapter from now on. It takes the adapter for advertising until it learns
// otherwise.
func openController(adapter string) (*controller, error) {
	index, err := strconv.ParseUint(strings.TrimPrefix(adapter, "hci"), 10, 16)
	if err != nil {
		return nil, fmt.Errorf("adapter %q: %w", adapter, err)
	}
	fd, err := unix.Socket(unix.AF_BLUETOOTH, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.BTPROTO_HCI)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrHCI{Dev: 0xFFFF, Channel: unix.HCI_CHANNEL_MONITOR}); err != nil {
		return nil, errors.Join(os.NewSyscallError("bind", err), unix.Close(fd))
	}
	r := &controller{index: uint16(index), fd: fd, advertises: true}
	go func() { // so that the socket does not run full
		for {
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
			if _, err := r.state(); err != nil {
				return
			}
		}
	}()
	return r, nil
}

// state reads what has come and returns whether the controller advertises.
func (r *controller) state() (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	buffer := make([]byte, 4096)
	for {
		n, err := unix.Read(r.fd, buffer)
		switch {
		case err == unix.EAGAIN:
			return r.advertises, nil
		case err == unix.EINTR:
		case err != nil:
			return false, fmt.Errorf("read the HCI monitor: %w", err)
		case n >= 6 && binary.LittleEndian.Uint16(buffer[2:]) == r.index:
			r.hear(binary.LittleEndian.Uint16(buffer), buffer[6:n])
		}
	}
}

// Of the HCI monitor (Linux, include/net/bluetooth/hci_mon.h) and of HCI (Core
// Specification, volume 4, part E, 7.7 and 7.8.9).
const (
	monitorCommand      = 2
	monitorEvent        = 3
	setAdvertising      = 0x200A // LE Set Advertising Enable
	eventDisconnected   = 0x05
	eventCommandDone    = 0x0E
	eventLE             = 0x3E
	eventLEConnected    = 0x01
	leConnectedRole     = 6 // its place in the event
	leConnectedAsServer = 1
)

func (r *controller) hear(kind uint16, p []byte) {
	switch {
	case kind == monitorCommand && len(p) >= 4 && binary.LittleEndian.Uint16(p) == setAdvertising:
		r.enabling = p[3] == 1
	case kind == monitorEvent && len(p) >= 6 && p[0] == eventCommandDone && binary.LittleEndian.Uint16(p[3:]) == setAdvertising:
		r.advertises = r.enabling
	case kind == monitorEvent && len(p) > 0 && p[0] == eventDisconnected:
		r.advertises = false // until Linux has stopped and started it
	case kind == monitorEvent && len(p) > leConnectedRole && p[0] == eventLE && p[2] == eventLEConnected && p[leConnectedRole] == leConnectedAsServer:
		r.advertises = false
	}
}

// A phone that left is served again at once.
func TestReconnect(t *testing.T) {
	start(t, situation{config: map[string]string{"bluetooth.security": "none"}})
	p := newPhone(t, "", nil)
	p.find()
	for range 4 {
		waitAdvertising(t)
		p.connect()
		p.status()
		p.leave()
		phone := adapterAddress(t, phoneHCI)
		waitFor(t, "the gateway without the phone", patience, func() error {
			if deviceFlag(t, gatewayHCI, phone, "Connected") {
				return errors.New("it is connected")
			}
			return nil
		})
	}
}
