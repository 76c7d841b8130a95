package bluez

import (
	"context"
	"log/slog"
	"slices"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

const (
	comingUUID = "021a9004-0382-4aea-bff4-6b3f1c5adfb4"
	laterUUID  = "021aff51-0382-4aea-bff4-6b3f1c5adfb4"
)

// startComing starts a peripheral with a service that comes and goes, and needs no pairing.
func (r *rig) startComing(pairing gatt.Pairing, later func(gatt.Request, func([]byte, error))) {
	r.p = New(Config{
		BusAddress: r.bus, Log: slog.New(&recorder{Handler: slog.NewTextHandler(r.t.Output(), nil), rig: r}),
		Passkey: func(c gatt.Central, digits string) { r.say("passkey", string(c), digits) },
	})
	r.p.Advertise([]gatt.Advert{testAdvert})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	write := func(gatt.Request, []byte) error { return nil }
	go func() {
		defer close(ended)
		_ = r.p.Run(ctx, Application{
			Services: r.services(pairing),
			Coming: []gatt.Service{{UUID: comingUUID, Characteristics: []*gatt.Characteristic{
				{UUID: laterUUID, Write: write, ReadLater: later, Descriptors: []gatt.Descriptor{
					{UUID: "00002901-0000-1000-8000-00805f9b34fb", Value: []byte("prov-session")},
				}},
			}}},
			Gone: func(c gatt.Central) { r.gone = c },
		}, r)
	}()
	r.t.Cleanup(func() { stop(); <-ended })
	r.expect("up hci0")
}

// A service comes and goes, and the others do not notice: they are an application of their own,
// and keep their handles.
func TestComing(t *testing.T) {
	r := newRigOn(t, dbustest.Start(t))
	r.bluez = dbustest.StartBlueZ(t, r.bus)
	r.startComing(gatt.Encrypt, func(_ gatt.Request, answer func([]byte, error)) { answer([]byte("value"), nil) })
	others := r.bluez.Tree("hci0")
	if len(others) != 4 {
		t.Fatalf("at first: %q", others)
	}
	want := append(slices.Clone(others), comingUUID, laterUUID+" read,write", "00002901-0000-1000-8000-00805f9b34fb read")
	for range 2 {
		r.p.Offer(true)
		r.eventually("the service comes", func() bool { return slices.Equal(r.bluez.Tree("hci0"), want) })
		if got := r.bluez.Properties("hci0", comingUUID)["Handle"].Value(); got != firstHandle+handleStride {
			t.Errorf("its handle is %v", got)
		}
		r.p.Offer(false)
		r.eventually("it goes", func() bool { return slices.Equal(r.bluez.Tree("hci0"), others) })
	}
	if n := count(r.bluez.Requests(), "UnregisterApplication"); n != 2 {
		t.Errorf("%d were taken away", n)
	}
	r.p.Offer(true)
	r.eventually("the service comes", func() bool { return slices.Equal(r.bluez.Tree("hci0"), want) })
	r.bluez.Stop()
	r.expect("down " + notRunning)
	r.bluez.Start()
	r.expect("up hci0")
	r.eventually("it comes with bluetoothd", func() bool { return slices.Equal(r.bluez.Tree("hci0"), want) })
}

// A read that is answered later keeps nobody else waiting, and has its offset all the same.
func TestReadLater(t *testing.T) {
	r := newRigOn(t, dbustest.Start(t))
	r.bluez = dbustest.StartBlueZ(t, r.bus)
	waiting := make(chan func([]byte, error), 1)
	r.startComing(gatt.NoPairing, func(_ gatt.Request, answer func([]byte, error)) { waiting <- answer })
	r.p.Offer(true)
	r.eventually("the service comes", func() bool { return len(r.bluez.Tree("hci0")) > 4 })
	device := r.bluez.Connect("hci0", phone)
	r.expect("connected " + phone)
	slow := r.bluez.Read(device, laterUUID, "offset", uint16(3))
	answer := <-waiting
	r.writes(device)
	answer([]byte("012345"), nil)
	var value []byte
	if name := r.errorName(slow); name != "" || slow.Store(&value) != nil || string(value) != "345" {
		t.Errorf("got %q %q", name, value)
	}
	for offset, err := range map[uint16]error{7: nil, 0: gatt.ErrNotPermitted} {
		call := r.bluez.Read(device, laterUUID, "offset", offset)
		(<-waiting)([]byte("012345"), err)
		if name := r.errorName(call); name != "InvalidOffset" && name != "NotPermitted" {
			t.Errorf("at %d: %q", offset, name)
		}
	}
}

// Who uses a service that asks for no pairing has not typed a passkey, and has no bond with us
// for an old one.
func TestComingTellsNothingOfPairing(t *testing.T) {
	r := newRigOn(t, dbustest.Start(t))
	r.bluez = dbustest.StartBlueZ(t, r.bus)
	r.startComing(gatt.Authenticated, func(_ gatt.Request, answer func([]byte, error)) { answer(nil, nil) })
	r.p.Offer(true)
	r.eventually("the service comes", func() bool { return len(r.bluez.Tree("hci0")) > 4 })
	old := r.bluez.Connect("hci0", "AA:BB:CC:00:00:09")
	r.bluez.Bond(old)
	r.expect("connected AA:BB:CC:00:00:09")
	if name := r.errorName(r.bluez.Read(old, laterUUID)); name != "" {
		t.Fatal(name)
	}
	r.quiet()
	device := r.bluez.Connect("hci0", phone)
	r.expect("connected " + phone)
	for n := range freeGuesses {
		if err := r.bluez.AskAgent("DisplayPasskey", device, uint32(n), uint16(0)); err != nil {
			t.Fatal(err)
		}
		if name := r.errorName(r.bluez.Read(device, laterUUID)); name != "" {
			t.Fatal(name)
		}
	}
	if n := r.logs("pairing-locked"); n != 1 {
		t.Errorf("locked %d times after %d guesses", n, freeGuesses)
	}
}
