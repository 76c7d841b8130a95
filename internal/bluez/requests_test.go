package bluez

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

func TestWritesKeepOrder(t *testing.T) {
	r := newRig(t, gatt.NoPairing)
	var got []byte
	r.locked(func() {
		r.write = func(_ gatt.Request, value []byte) error { got = append(got, value...); return nil }
	})
	device := r.bluez.Connect("hci0", phone)
	var want []byte
	for range 20 {
		var calls []*dbus.Call
		for range 50 {
			value := byte(len(want))
			want = append(want, value)
			calls = append(calls, r.bluez.Write(device, inUUID, []byte{value}))
		}
		for _, call := range calls {
			if name := r.errorName(call); name != "" {
				t.Fatal(name)
			}
		}
	}
	r.locked(func() {
		if !slices.Equal(got, want) {
			t.Errorf("the writes came in another order: %v", got)
		}
	})
}

// A central that writes faster than it is served is answered with errors; the
// writes that were accepted are all handled.
func TestWritesAreBounded(t *testing.T) {
	r := newRig(t, gatt.NoPairing)
	entered, leave := make(chan struct{}, 1), make(chan struct{})
	var handled atomic.Int32
	r.locked(func() {
		r.write = func(gatt.Request, []byte) error {
			if handled.Add(1) == 1 {
				entered <- struct{}{}
				<-leave
			}
			return nil
		}
	})
	device := r.bluez.Connect("hci0", phone)
	calls := []*dbus.Call{r.bluez.Write(device, inUUID, nil)}
	<-entered
	for range maxCalls + 20 { // the bus has a bound of its own, 128
		calls = append(calls, r.bluez.Write(device, inUUID, nil))
	}
	// Those that are refused are answered while the first one is still handled.
	for _, call := range calls[1+maxCalls:] {
		if name := r.errorName(call); name == "" {
			t.Error("accepted, although the queue was full")
		}
	}
	close(leave)
	for _, call := range calls[:1+maxCalls] {
		if name := r.errorName(call); name != "" {
			t.Errorf("refused: %s", name)
		}
	}
	if got := handled.Load(); got != 1+maxCalls {
		t.Errorf("%d writes were handled, want %d", got, 1+maxCalls)
	}
}

func TestAnswers(t *testing.T) {
	r := newRig(t, gatt.NoPairing)
	var answer error
	r.locked(func() {
		r.write = func(gatt.Request, []byte) error { return answer }
		r.read = func(gatt.Request) ([]byte, error) { return nil, answer }
	})
	device := r.bluez.Connect("hci0", phone)
	for _, test := range []struct {
		err           error
		name, message string
	}{
		{nil, "", ""},
		{gatt.ErrInvalidLength, "InvalidValueLength", "invalid attribute value length"},
		{gatt.ErrInvalidOffset, "InvalidOffset", "invalid offset"},
		{gatt.ErrInProgress, "InProgress", "procedure already in progress"},
		{gatt.ErrNotPermitted, "NotPermitted", "not permitted"},
		{gatt.ErrNotSupported, "NotSupported", "request not supported"},
		{fmt.Errorf("wrapped: %w", gatt.ErrInProgress), "InProgress", "procedure already in progress"},
		{gatt.ApplicationError(0x81), "Failed", "0x81"},
		{gatt.ApplicationError(0x9f), "Failed", "0x9f"},
		{errors.New("secret"), "org.freedesktop.DBus.Error.Failed", "internal error"},
	} {
		r.locked(func() { answer = test.err })
		for what, call := range map[string]*dbus.Call{"write": r.bluez.Write(device, inUUID, nil), "read": r.bluez.Read(device, outUUID)} {
			name := r.errorName(call)
			message := ""
			if name != "" {
				message = call.Err.Error()
			}
			if name != test.name || message != test.message {
				t.Errorf("%s answered %v: got %q %q, want %q %q", what, test.err, name, message, test.name, test.message)
			}
		}
	}
}

func TestRequestOptions(t *testing.T) {
	r := newRig(t, gatt.NoPairing)
	requests := make(chan gatt.Request, 1)
	r.locked(func() {
		r.write = func(q gatt.Request, _ []byte) error { requests <- q; return nil }
		r.read = func(q gatt.Request) ([]byte, error) { requests <- q; return []byte("0123456789"), nil }
	})
	device := r.bluez.Connect("hci0", phone)

	if name := r.errorName(r.bluez.Write(device, inUUID, []byte("x"), "mtu", uint16(517))); name != "" {
		t.Fatal(name)
	}
	if got, want := <-requests, (gatt.Request{Central: phone, MTU: 517}); got != want {
		t.Errorf("write: got %+v, want %+v", got, want)
	}
	if name := r.errorName(r.bluez.Write(device, inUUID, []byte("x"), "offset", uint16(5))); name != "InvalidOffset" {
		t.Errorf("write at an offset: answered %q", name)
	}
	if len(requests) != 0 {
		t.Fatal("a write at an offset reached the handler")
	}
	for offset, want := range map[uint16]string{0: "0123456789", 4: "456789", 10: ""} {
		call := r.bluez.Read(device, outUUID, "offset", offset)
		var value []byte
		if name := r.errorName(call); name != "" || call.Store(&value) != nil || string(value) != want {
			t.Errorf("read at %d: got %q %q, want %q", offset, name, value, want)
		}
		if got := <-requests; got.Offset != offset {
			t.Errorf("read at %d: the handler was told %d", offset, got.Offset)
		}
	}
	if name := r.errorName(r.bluez.Read(device, outUUID, "offset", uint16(11))); name != "InvalidOffset" {
		t.Errorf("read after the end: answered %q", name)
	}
}

func TestWhatIsNotDeclaredIsRefused(t *testing.T) {
	r := newRig(t, gatt.NoPairing)
	device := r.bluez.Connect("hci0", phone)
	for what, call := range map[string]*dbus.Call{
		"read of a write-only characteristic": r.bluez.Read(device, inUUID),
		"write of a read-only characteristic": r.bluez.Write(device, outUUID, nil),
	} {
		if name := r.errorName(call); name != "NotSupported" {
			t.Errorf("%s: answered %q", what, name)
		}
	}
	if name := r.errorName(r.bluez.Subscribe(device, inUUID)); name != "org.freedesktop.DBus.Error.UnknownMethod" {
		t.Errorf("subscription: answered %q", name)
	}
}

// On the system bus every program that runs as root may call us.
func TestOnlyBlueZMayCall(t *testing.T) {
	r := newRig(t, gatt.NoPairing)
	r.locked(func() {
		r.write = func(gatt.Request, []byte) error { t.Error("the handler was called"); return nil }
	})
	other := dbustest.Connect(t, r.bus)
	call := other.Object(r.bluez.Client(), applicationPath+"/service0/char0").
		Go(characteristicInterface+".WriteValue", 0, nil, []byte("x"), map[string]dbus.Variant{})
	if name := r.errorName(call); name != "org.freedesktop.DBus.Error.AccessDenied" {
		t.Errorf("answered %q", name)
	}
}
