package bluez

import (
	"context"
	"errors"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

const (
	phone2      = "AA:BB:CC:00:00:02"
	adapterAddr = "00:AA:01:00:00:00"
)

var phoneBond = gatt.Bond{Adapter: adapterAddr, Central: phone}

func (r *rig) writes(device dbus.ObjectPath) {
	r.t.Helper()
	if name := r.errorName(r.bluez.Write(device, inUUID, nil)); name != "" {
		r.t.Fatalf("a write was answered %s", name)
	}
}

func TestCentralsComeAndGo(t *testing.T) {
	r := newRig(t, gatt.NoPairing)
	one := r.bluez.Connect("hci0", phone)
	two := r.bluez.Connect("hci0", phone2)
	r.bluez.Connect("hci0", phone) // says again what is known
	r.expect("connected "+phone, "connected "+phone2)
	r.bluez.Disconnect(one)
	r.bluez.Disconnect(one)
	r.expect("disconnected " + phone)
	r.bluez.Disconnect(two)
	r.expect("disconnected " + phone2)
	r.quiet()
}

// A sensor that another program has connected is not a central, unless it uses
// the service.
func TestWhoIsACentralWithoutAdvertising(t *testing.T) {
	r := newRig(t, gatt.NoPairing)
	r.p.Advertise(nil)
	r.eventually("no advertisement", func() bool { return !r.bluez.Advertising("hci0") })
	device := r.bluez.Connect("hci0", phone)
	r.quiet()
	r.writes(device)
	r.expect("connected " + phone)
	r.bluez.Disconnect(device)
	r.expect("disconnected " + phone)
	r.quiet()
}

func TestWritesOfACentralComeBeforeItsEnd(t *testing.T) {
	r := newRig(t, gatt.NoPairing)
	for range 20 {
		device := r.bluez.Connect("hci0", phone)
		call := r.bluez.Write(device, inUUID, nil)
		r.bluez.Disconnect(device)
		r.expect("connected "+phone, "disconnected "+phone)
		if name := r.errorName(call); name != "" {
			t.Fatal(name)
		}
	}
	r.quiet()
}

func TestBondsAreReportedOnce(t *testing.T) {
	r := newRig(t, gatt.Encrypt)
	sensor := r.bluez.Connect("hci0", phone2)
	r.bluez.Bond(sensor) // it never uses the service
	device := r.bluez.Connect("hci0", phone)
	r.expect("connected "+phone2, "connected "+phone)
	r.bluez.Bond(device)
	r.writes(device)
	r.expect("bonded " + adapterAddr + " " + phone + " encrypt")
	r.writes(device)
	r.bluez.Disconnect(sensor)
	r.expect("disconnected " + phone2)
	r.quiet()

	other := r.bluez.Connect("hci0", "AA:BB:CC:00:00:03")
	r.expect("connected AA:BB:CC:00:00:03")
	r.writes(other) // bonds afterwards
	r.bluez.Bond(other)
	r.expect("bonded " + adapterAddr + " AA:BB:CC:00:00:03 encrypt")
	r.quiet()
}

func TestRemoveBond(t *testing.T) {
	r := newRig(t, gatt.Encrypt)
	ctx := t.Context()
	device := r.bluez.Connect("hci0", phone)
	r.bluez.Bond(device)
	r.expect("connected " + phone)
	for range 2 { // the second time BlueZ knows none
		if err := r.p.RemoveBond(ctx, phoneBond); err != nil {
			t.Fatal(err)
		}
	}
	r.expect("disconnected " + phone)

	r.bluez.Connect("hci0", phone)
	r.expect("connected " + phone)
	r.bluez.Fail("RemoveDevice", "DoesNotExist", 1)
	if err := r.p.RemoveBond(ctx, phoneBond); err != nil {
		t.Errorf("a bond that has just gone: %v", err)
	}
	r.bluez.Fail("RemoveDevice", "Failed", 1)
	err := r.p.RemoveBond(ctx, phoneBond)
	want := "remove the bond with " + phone + ": org.bluez.Error.Failed: as the test wants it"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if e := (dbus.Error{}); errors.As(err, &e) {
		t.Error("the D-Bus library's error left the package")
	}
}

// BlueZ 5.82 does not answer if the connection ends in that moment.
func TestRemoveBondAsksAgain(t *testing.T) {
	r := newRig(t, gatt.Encrypt)
	r.bluez.Connect("hci0", phone)
	r.expect("connected " + phone)
	r.bluez.Hang("RemoveDevice", 1)
	if err := r.p.RemoveBond(t.Context(), phoneBond); err != nil {
		t.Fatal(err)
	}
	r.expect("disconnected " + phone)
}

func TestRemoveBondWaitsForTheAdapter(t *testing.T) {
	r := newRig(t, gatt.Encrypt)
	r.bluez.RemoveAdapter("hci0")
	r.expect("down there is no Bluetooth adapter; waiting for one")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.p.RemoveBond(ctx, phoneBond); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	result := make(chan error, 1)
	go func() { result <- r.p.RemoveBond(t.Context(), phoneBond) }()
	r.bluez.AddAdapter("hci0", adapterAddr)
	r.expect("up hci0")
	if err := <-result; err != nil {
		t.Error(err)
	}
}

func TestAgentShowsAPasskeyOnce(t *testing.T) {
	r := newRig(t, gatt.Authenticated)
	device := r.bluez.Connect("hci0", phone)
	r.expect("connected " + phone)
	show := func(passkey uint32, entered uint16) {
		t.Helper()
		if err := r.bluez.AskAgent("DisplayPasskey", device, passkey, entered); err != nil {
			t.Fatal(err)
		}
	}
	for entered := range uint16(7) {
		show(1234, entered)
	}
	show(1234, 0)
	r.expect("passkey " + phone + " 001234")
	r.quiet()
	if err := r.bluez.AskAgent("Cancel"); err != nil {
		t.Fatal(err)
	}
	show(1234, 0) // another pairing
	show(999999, 0)
	r.expect("passkey "+phone+" 001234", "passkey "+phone+" 999999")
	r.bluez.Bond(device)
	r.expect("bonded " + adapterAddr + " " + phone + " authenticated")
	r.quiet()
}

func TestAgentIsForOneAdapter(t *testing.T) {
	r := newRig(t, gatt.Authenticated)
	r.bluez.AddAdapter("hci1", "00:AA:01:00:00:01")
	device := r.bluez.Connect("hci1", phone)
	if err := r.bluez.AskAgent("DisplayPasskey", device, uint32(1), uint16(0)); err == nil {
		t.Error("a passkey was shown for another adapter's device")
	}
	r.quiet()
}

func TestAgentAllowsWhatTheModeAllows(t *testing.T) {
	const other = "/org/bluez/hci1/dev_AA_BB_CC_00_00_09" // some other program's
	for _, test := range []struct {
		pairing gatt.Pairing
		method  string
		args    []any
		allowed bool
	}{
		{gatt.Encrypt, "RequestAuthorization", nil, true},
		{gatt.Encrypt, "RequestConfirmation", []any{uint32(1)}, false},
		{gatt.Encrypt, "DisplayPasskey", []any{uint32(1), uint16(0)}, false},
		{gatt.Encrypt, "RequestPasskey", nil, false},
		{gatt.Encrypt, "RequestPinCode", nil, false},
		{gatt.Encrypt, "AuthorizeService", []any{serviceUUID}, true},
		{gatt.Encrypt, "AuthorizeService", []any{"0000110b-0000-1000-8000-00805f9b34fb"}, false},
		{gatt.Authenticated, "RequestAuthorization", nil, false},
		{gatt.Authenticated, "DisplayPasskey", []any{uint32(1), uint16(1)}, true},
		{gatt.Authenticated, "RequestConfirmation", []any{uint32(1)}, false},
		{gatt.Authenticated, "DisplayPinCode", []any{"1234"}, false},
		{gatt.Authenticated, "AuthorizeService", []any{"0000110b-0000-1000-8000-00805f9b34fb"}, false},
		{gatt.Authenticated, "Nonsense", nil, false},
		{gatt.NoPairing, "RequestAuthorization", nil, true},
	} {
		t.Run(test.method, func(t *testing.T) {
			r := newRig(t, test.pairing)
			device := r.bluez.Connect("hci0", phone)
			r.expect("connected " + phone)
			err := r.bluez.AskAgent(test.method, append([]any{device}, test.args...)...)
			if allowed := err == nil; allowed != test.allowed {
				t.Errorf("%s: got %v", test.pairing, err)
			}
			if err := r.bluez.AskAgent("RequestAuthorization", dbus.ObjectPath(other)); err == nil {
				t.Error("another adapter's device was allowed to pair")
			}
			r.quiet()
		})
	}
}

// Nothing has to pair, but a phone that does of its own accord is not refused.
func TestNoneMakesTheAdapterPairable(t *testing.T) {
	r := newRig(t, gatt.NoPairing)
	if count(r.bluez.Requests(), "Set Pairable") != 1 {
		t.Error("Pairable was not set")
	}
}

// TestRemoveBondAsBluetoothdStarts: it tells of its devices after the adapter.
func TestRemoveBondAsBluetoothdStarts(t *testing.T) {
	r := newRigOn(t, dbustest.Start(t))
	r.bluez = dbustest.NewBlueZ(t, r.bus)
	r.start("", gatt.Encrypt)
	r.expect(noDaemon)
	result := make(chan error, 1)
	go func() { result <- r.p.RemoveBond(t.Context(), phoneBond) }()
	r.bluez.Start()
	r.eventually("list", func() bool { return count(r.bluez.Requests(), "GetManagedObjects") > 0 })
	r.bluez.Sync()
	device := r.bluez.Boot("hci0", adapterAddr, phone)
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	if r.bluez.Has(device) {
		t.Error("bluetoothd has the bond still")
	}
}

// TestDisconnectAll: who came to us is disconnected, and whoever uses a service; what
// another program has connected is left alone.
func TestDisconnectAll(t *testing.T) {
	const phone3 = "AA:BB:CC:00:00:03"
	r := newRig(t, gatt.NoPairing)
	r.p.Advertise(nil)
	r.eventually("no advertisement", func() bool { return !r.bluez.Advertising("hci0") })
	r.bluez.Connect("hci0", phone3) // another program's sensor
	r.quiet()
	r.p.Advertise([]gatt.Advert{testAdvert})
	r.expect("connected "+phone3, "up hci0")
	r.bluez.Connect("hci0", phone)
	user := r.bluez.Connect("hci0", phone2)
	r.expect("connected "+phone, "connected "+phone2)
	r.writes(user)
	r.p.Advertise(nil)
	r.eventually("no advertisement", func() bool { return !r.bluez.Advertising("hci0") })
	r.p.DisconnectAll()
	got := map[string]bool{<-r.events: true, <-r.events: true}
	if !got["disconnected "+phone] || !got["disconnected "+phone2] {
		t.Errorf("got %v", got)
	}
	r.quiet()
}
