package bluez

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestRunEndsWithItsContext(t *testing.T) {
	r := newRig(t, None)
	if err := r.end(); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

func TestRunEndsWithTheBus(t *testing.T) {
	r := newRig(t, None)
	_ = r.p.bus.conn.Close()
	select {
	case <-r.ended:
	case <-time.After(patience):
		t.Fatal("Run goes on")
	}
	if err := r.end(); !errors.Is(err, errBusLost) {
		t.Errorf("got %v, want %v", err, errBusLost)
	}
}

func TestNoBus(t *testing.T) {
	r := newRigOn(t, "unix:path=/nonexistent")
	r.start(Config{})
	<-r.ended
	if err := r.end(); err == nil || !strings.HasPrefix(err.Error(), "connect to the message bus: ") {
		t.Errorf("got %v", err)
	}
}

func TestAdvertisingIsSwitchedOffAndOn(t *testing.T) {
	r := newRig(t, None)
	device := r.bluez.Connect("hci0", phone)
	r.expect("connected " + phone)
	r.p.Advertise(false)
	r.eventually("no advertisement", func() bool { return !r.bluez.Advertising("hci0") })
	if name := r.errorName(r.bluez.Write(device, inUUID, nil)); name != "" {
		t.Errorf("without advertisement, a write was answered %s", name)
	}
	r.bluez.Stop()
	r.expect("disconnected " + phone)
	r.bluez.Start()
	r.eventually("the services are back", func() bool {
		return count(r.bluez.Requests(), "RegisterApplication") == 2
	})
	r.p.Advertise(true)
	r.expect("up hci0")
	r.quiet()
}
