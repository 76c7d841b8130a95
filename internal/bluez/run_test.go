package bluez

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

func TestRunEndsWithItsContext(t *testing.T) {
	r := newRig(t, gatt.NoPairing)
	if err := r.end(); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

func TestRunEndsWithTheBus(t *testing.T) {
	r := newRig(t, gatt.NoPairing)
	_ = r.p.bus.conn.Close()
	select {
	case <-r.ended:
	case <-time.After(patience):
		t.Fatal("Run goes on")
	}
	if err := r.end(); !errors.Is(err, msgbus.ErrLost) {
		t.Errorf("got %v, want %v", err, msgbus.ErrLost)
	}
}

func TestNoBus(t *testing.T) {
	r := newRigOn(t, "unix:path=/nonexistent")
	r.start("", gatt.NoPairing)
	<-r.ended
	if err := r.end(); err == nil || !strings.HasPrefix(err.Error(), "connect to the message bus: ") {
		t.Errorf("got %v", err)
	}
}

func TestAdvertisingIsSwitchedOffAndOn(t *testing.T) {
	r := newRig(t, gatt.NoPairing)
	device := r.bluez.Connect("hci0", phone)
	r.expect("connected " + phone)
	r.p.Advertise(nil)
	r.eventually("no advertisement", func() bool { return !r.bluez.Advertising("hci0") })
	if name := r.errorName(r.bluez.Write(device, inUUID, nil)); name != "" {
		t.Errorf("without advertisement, a write was answered %s", name)
	}
	r.bluez.Stop()
	r.expect("disconnected " + phone)
	r.bluez.Start()
	r.requested("RegisterApplication", 2)
	r.p.Advertise([]gatt.Advert{testAdvert})
	r.expect("up hci0")
	r.quiet()
}
