package central

import (
	"bytes"
	"errors"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
)

const (
	fuzzedDevice  = "/org/bluez/hci0/dev_A"
	fuzzedChar    = fuzzedDevice + "/service0001/char0002"
	fuzzedAddress = "AA:BB:CC:00:00:01"
)

// FuzzReplies: whatever BlueZ answers, and with it a gateway, an error stays one,
// what is read is what was sent, and a list that cannot be read changes nothing.
func FuzzReplies(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x00\x00\x02hi"))
	bus := dbustest.NewAnswerer(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		v := dbustest.NewValues(data, attText+"0e", attText+"100", "Not paired", "Invalid Length", "Not connected", "Read not permitted",
			"Connected", "Paired", "UUID", StatusUUID, fuzzedAddress).Valid()
		b := &fuzzedBlueZ{v: v}
		bus.Set(b.answer)
		c := &Central{conn: bus.Conn, adapter: "/org/bluez/hci0", objects: newObjects(), agent: newAgent(nil)}
		for range 20 {
			before := len(c.objects.ifaces)
			if err := c.refresh(t.Context()); err != nil && len(c.objects.ifaces) != before {
				t.Errorf("%d objects of %d: %v", len(c.objects.ifaces), before, err)
			}
			if path, err := c.findAdapter(); err == nil && !get[bool](c.objects, path, adapterIface, "Powered") {
				t.Errorf("adapter %s is off", path)
			}
			b.fuzzSession(t, &Session{central: c, device: fuzzedDevice})
			if !get[bool](c.objects, fuzzedDevice, deviceIface, "Connected") {
				err := c.Pair(t.Context(), fuzzedAddress)
				b.check(t, "Pair", err)
			}
			if !v.More() {
				break
			}
		}
	})
}

// fuzzedBlueZ remembers its last answer.
type fuzzedBlueZ struct {
	v       *dbustest.Values
	method  string
	failure string
	value   []byte // of ReadValue; nil: another type, of which the bus library takes some
}

func (b *fuzzedBlueZ) fuzzSession(t *testing.T, s *Session) {
	t.Helper()
	if attributes, err := s.Attributes(); err == nil {
		for i := range attributes {
			if i > 0 && attributes[i].Handle < attributes[i-1].Handle {
				t.Errorf("attributes %+v", attributes)
			}
		}
	}
	b.method = ""
	value, err := s.Read(t.Context(), StatusUUID)
	b.check(t, "ReadValue", err)
	if b.method == "ReadValue" && err == nil && b.value != nil && !bytes.Equal(value, b.value) {
		t.Errorf("read % x instead of % x", value, b.value)
	}
	b.check(t, "WriteValue", s.Write(t.Context(), StatusUUID, []byte("x")))
	if status, err := s.ReadStatus(t.Context()); err == nil && b.value != nil && len(b.value) != 1 && status != StatusMalformed {
		t.Errorf("% x is %s", b.value, status)
	}
	if reason, err := s.ReadReason(t.Context()); err == nil && b.value != nil && (len(b.value) != 1 || byte(reason) != b.value[0]) {
		t.Errorf("% x is %s", b.value, reason)
	}
	if networks, err := s.readPages(t.Context(), 5); err == nil && len(networks) > 5+128 {
		t.Errorf("%d networks", len(networks))
	}
	if stop, err := s.central.discover(t.Context()); err == nil {
		stop()
	}
}

// check checks what became of a failure that was the answer to method.
func (b *fuzzedBlueZ) check(t *testing.T, method string, err error) {
	t.Helper()
	if b.method == method && (err == nil) != (b.failure == "") && b.failure != bluezErrors+"AlreadyExists" && method != "ReadValue" {
		t.Errorf("%s answered with %q gives %v", method, b.failure, err)
	}
	var raw dbus.Error
	if errors.As(err, &raw) {
		t.Errorf("an error of the bus library: %#v", raw)
	}
	if err != nil && b.method == "WriteValue" && errors.Unwrap(err) == nil {
		t.Errorf("an error without a cause: %v", err)
	}
}

func (b *fuzzedBlueZ) answer(_ dbus.ObjectPath, method string, _ []any) (string, []any) {
	v := b.v
	b.method = method[bytes.LastIndexByte([]byte(method), '.')+1:]
	b.failure = v.Pick("", "", "", "", "", "", bluezErrors+"Failed", bluezErrors+"NotPermitted", bluezErrors+"InvalidArguments", bluezErrors+"AlreadyExists",
		bluezErrors+"AuthenticationFailed", bluezErrors+"NotConnected", "org.freedesktop.DBus.Error.UnknownObject", "org.freedesktop.DBus.Error.ServiceUnknown")
	switch {
	case b.failure != "":
		return b.failure, v.Body(func() any { return v.Word() })
	case b.method == "GetManagedObjects":
		return "", v.Body(func() any { return b.objects() })
	case b.method == "ReadValue":
		body := v.Body(func() any { return v.Bytes() })
		b.value = nil
		if len(body) > 0 {
			b.value, _ = body[0].([]byte)
		}
		return "", body
	}
	return "", v.Body()
}

func (b *fuzzedBlueZ) objects() map[dbus.ObjectPath]interfaces {
	v := b.v
	flag, off := func() any { return v.Int() >= 0 }, func() any { return v.Int() < 0 }
	type field = dbustest.Field
	return map[dbus.ObjectPath]interfaces{
		v.Path("/org/bluez/hci0"): {adapterIface: v.Fields(field{Name: "Powered", Make: flag})},
		v.Path(fuzzedDevice): {deviceIface: v.Fields(field{Name: "Connected", Make: flag}, field{Name: "Paired", Make: off},
			field{Name: "Address", Make: func() any { return v.Pick(fuzzedAddress, v.Word()) }})},
		v.Path(fuzzedChar):   {characteristicIface: v.Fields(field{Name: "UUID", Make: func() any { return v.Pick(StatusUUID, ReasonUUID, ScanPageUUID, v.Word()) }})},
		v.Path("/org/bluez"): v.Interfaces(),
	}
}
