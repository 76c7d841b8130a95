package central_test

import (
	"errors"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// BlueZ's answers to WriteValue (5.66 and 5.82, src/gatt-client.c,
// create_gatt_dbus_error) and what they are here.
func TestWriteErrors(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       error
	}{
		{"org.bluez.Error.NotPermitted", "Read not permitted", central.ATTReadNotPermitted},
		{"org.bluez.Error.NotPermitted", "Write not permitted", central.ATTWriteNotPermitted},
		{"org.bluez.Error.NotPermitted", "Not paired", central.ATTNotPaired},
		{"org.bluez.Error.InvalidArguments", "Invalid offset", central.ATTInvalidOffset},
		{"org.bluez.Error.InvalidArguments", "Invalid Length", central.ATTInvalidValueLength},
		{"org.bluez.Error.NotAuthorized", "Operation Not Authorized", central.ATTNotAuthorized},
		{"org.bluez.Error.NotSupported", "Operation is not supported", central.ATTNotSupported},
		{"org.bluez.Error.Failed", "Operation failed with ATT error: 0x81", central.ATTBadSecurity},
		{"org.bluez.Error.Failed", "Operation failed with ATT error: 0x82", central.ATTBadControl},
		{"org.bluez.Error.Failed", "Operation failed with ATT error: 0xfe", central.ATTInProgress},
		{"org.bluez.Error.Failed", "Operation failed with ATT error: 0x0e", central.ATTUnlikely},
		{"org.bluez.Error.Failed", "Not connected", central.ErrNotConnected},
		{"org.bluez.Error.InProgress", "In Progress", central.ErrInProgress},
	} {
		t.Run(test.text, func(t *testing.T) {
			fake, c := open(t, central.Options{})
			fake.Behave(dbustest.Behavior{OnWrite: func(string, []byte, uint16) *dbus.Error {
				return dbus.NewError(test.name, []any{test.text})
			}})
			if err := connect(t, c).WriteControl(background(t), central.ControlConnect); !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
}

func TestWriteWhat(t *testing.T) {
	fake, c := open(t, central.Options{})
	type write struct {
		uuid, value string
		offset      uint16
	}
	writes := make(chan write, 16)
	fake.Behave(dbustest.Behavior{OnWrite: func(uuid string, value []byte, offset uint16) *dbus.Error {
		writes <- write{uuid, string(value), offset}
		return nil
	}})
	s := connect(t, c)
	for _, err := range []error{
		s.WriteSSID(background(t), "Home"),
		s.WritePassword(background(t), wifi.Passphrase{}),
		s.WriteSecurity(background(t), wifi.AutoDetect),
		s.WriteControl(background(t), central.ControlErase),
		s.WriteAt(background(t), central.PasswordUUID, []byte("word"), 4),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	want := []write{{central.SSIDUUID, "Home", 0}, {central.PasswordUUID, "", 0}, {central.SecurityUUID, "\xff", 0},
		{central.ControlUUID, "\x02", 0}, {central.PasswordUUID, "word", 4}}
	for _, w := range want {
		if got := <-writes; got != w {
			t.Errorf("wrote %v, want %v", got, w)
		}
	}
}

func TestConnectWithoutSignal(t *testing.T) {
	fake, c := open(t, central.Options{})
	fake.Behave(dbustest.Behavior{SilentConnect: true})
	connect(t, c)
}

// A connection that is lost at once is tried again, but not for ever.
func TestConnectAgain(t *testing.T) {
	fake, c := open(t, central.Options{})
	find(t, c)
	fake.Behave(dbustest.Behavior{LostConnections: 3})
	if _, err := c.Connect(background(t), gateway); !errors.Is(err, central.ErrNotConnected) {
		t.Fatalf("connected after three lost connections: %v", err)
	}
	fake.Behave(dbustest.Behavior{LostConnections: 2})
	if _, err := c.Connect(background(t), gateway); err != nil {
		t.Fatal(err)
	}
}

func TestNotAGateway(t *testing.T) {
	bus := dbustest.Start(t)
	fake := dbustest.NewPhone(t, bus, central.SSIDUUID)
	fake.AddGateway(gateway, "", central.ServiceUUID, -50)
	c, err := central.Open(background(t), central.Options{Bus: bus})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	find(t, c)
	if _, err := c.Connect(background(t), gateway); !errors.Is(err, central.ErrNoCharacteristic) {
		t.Errorf("connect to what has no Status: %v", err)
	}
}

func TestWatch(t *testing.T) {
	fake, c := open(t, central.Options{})
	s := connect(t, c)
	statuses, err := s.WatchStatus(background(t))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		fake.Notify(gateway, central.StatusUUID, byte(i))
		fake.Notify(gateway, central.ReasonUUID, 9)
	}
	fake.Notify(gateway, central.StatusUUID)
	for i := range 200 {
		if got := <-statuses; got != central.Status(i) {
			t.Fatalf("got %d, want %d", got, i)
		}
	}
	if got := <-statuses; got != central.StatusMalformed {
		t.Errorf("a notification of no bytes: %v", got)
	}
	fake.Disconnect(gateway)
	if _, open := <-statuses; open {
		t.Error("the watch goes on without a connection")
	}
	<-s.Lost()
	if err := s.WriteControl(background(t), central.ControlErase); !errors.Is(err, central.ErrNotConnected) {
		t.Errorf("write without a connection: %v", err)
	}
}

// A gateway that floods does not fill this machine's memory.
func TestWatchIsBounded(t *testing.T) {
	fake, c := open(t, central.Options{})
	s := connect(t, c)
	values, err := s.Watch(background(t), central.StatusUUID)
	if err != nil {
		t.Fatal(err)
	}
	for range 300 {
		fake.Notify(gateway, central.StatusUUID, 2)
	}
	// An answer comes after the signals before it.
	if _, err := c.Connect(background(t), gateway); err != nil {
		t.Fatal(err)
	}
	n := 0
	for range values {
		n++
	}
	if n != 256 {
		t.Errorf("%d values were kept, want 256 and the end", n)
	}
}

func TestReason(t *testing.T) {
	fake, c := open(t, central.Options{})
	fake.Behave(dbustest.Behavior{OnRead: func(uuid string) ([]byte, *dbus.Error) {
		if uuid == central.ReasonUUID {
			return []byte{2}, nil
		}
		return nil, nil
	}})
	s := connect(t, c)
	if reason, err := s.ReadReason(background(t)); err != nil || reason != wifi.FailureNotFound {
		t.Errorf("%v, %v", reason, err)
	}
	if status, err := s.ReadStatus(background(t)); err != nil || status != central.StatusMalformed {
		t.Errorf("a status of no bytes: %v, %v", status, err)
	}
}

func TestAttributes(t *testing.T) {
	_, c := open(t, central.Options{})
	got, err := connect(t, c).Attributes()
	if err != nil || len(got) != len(uuids) {
		t.Fatalf("%v, %v", got, err)
	}
	for i, a := range got {
		if a.UUID != uuids[i] || a.Handle != uint16(0x0b+2*i) {
			t.Errorf("attribute %d is %+v", i, a)
		}
	}
}

func TestBlueZGone(t *testing.T) {
	fake, c := open(t, central.Options{})
	s := connect(t, c)
	values, err := s.Watch(background(t), central.StatusUUID)
	if err != nil {
		t.Fatal(err)
	}
	fake.Quit()
	for range values {
	}
	<-s.Lost()
	if err := s.WriteControl(background(t), central.ControlErase); !errors.Is(err, central.ErrBlueZGone) {
		t.Errorf("%v", err)
	}
}
