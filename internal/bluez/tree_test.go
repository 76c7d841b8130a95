package bluez

import (
	"maps"
	"slices"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

func TestTreePerPairing(t *testing.T) {
	for pairing, want := range map[gatt.Pairing][3]string{
		gatt.NoPairing:     {"write", "read,notify", "write,notify"},
		gatt.Encrypt:       {"encrypt-write", "encrypt-read,encrypt-notify", "encrypt-write,encrypt-notify"},
		gatt.Authenticated: {"secure-write", "secure-read,secure-notify", "secure-write,secure-notify"},
	} {
		t.Run(want[0], func(t *testing.T) {
			r := newRig(t, pairing)
			tree := []string{serviceUUID, inUUID + " " + want[0], outUUID + " " + want[1], bothUUID + " " + want[2]}
			if got := r.bluez.Tree("hci0"); !slices.Equal(got, tree) {
				t.Errorf("got %q, want %q", got, tree)
			}
		})
	}
}

// BlueZ numbers the handles in the order of the reply: it is the declared one,
// whatever the order of Go's maps.
func TestTreeOrderAtEveryStart(t *testing.T) {
	r := newRigOn(t, dbustest.Start(t))
	r.bluez = dbustest.StartBlueZ(t, r.bus)
	for range 10 {
		r.start("", gatt.NoPairing)
		r.expect("up hci0")
		want := []string{serviceUUID, inUUID + " write", outUUID + " read,notify", bothUUID + " write,notify"}
		if got := r.bluez.Tree("hci0"); !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
		if got := r.bluez.Properties("hci0", serviceUUID)["Handle"].Value(); got != firstHandle {
			t.Fatalf("Handle is %v, want %v", got, firstHandle)
		}
		if err := r.end(); err != nil {
			t.Fatal(err)
		}
		r.bluez.Stop()
		r.bluez.Start()
	}
}

// Whatever a characteristic exports as a property, every program may read.
func TestNoValueIsExported(t *testing.T) {
	r := newRig(t, gatt.NoPairing)
	device := r.bluez.Connect("hci0", phone)
	for _, uuid := range []string{inUUID, bothUUID} {
		if name := r.errorName(r.bluez.Write(device, uuid, []byte("correct horse"))); name != "" {
			t.Fatal(name)
		}
	}
	for _, uuid := range []string{inUUID, outUUID, bothUUID} {
		got := slices.Sorted(maps.Keys(r.bluez.Properties("hci0", uuid)))
		if want := []string{"Flags", "Service", "UUID"}; !slices.Equal(got, want) {
			t.Errorf("%s has the properties %q, want %q", uuid, got, want)
		}
	}
	if got := r.bluez.Notified(); len(got) != 0 {
		t.Errorf("notified without being asked to: %v", got)
	}
}

func TestNotificationsKeepOrder(t *testing.T) {
	r := newRig(t, gatt.NoPairing)
	device := r.bluez.Connect("hci0", phone)
	if name := r.errorName(r.bluez.Subscribe(device, outUUID)); name != "" {
		t.Fatal(name)
	}
	for i := range byte(100) {
		r.notify.Send([]byte{i})
	}
	r.eventually("100 notifications", func() bool { return len(r.bluez.Notified()) == 100 })
	for i, n := range r.bluez.Notified() {
		if n.UUID != outUUID || !slices.Equal(n.Value, []byte{byte(i)}) {
			t.Fatalf("notification %d is %v", i, n)
		}
	}
}

// A pairing requirement belongs to a service; the strongest one says who may pair.
func TestPairingOfServices(t *testing.T) {
	r := newRigOn(t, dbustest.Start(t))
	r.bluez = dbustest.StartBlueZ(t, r.bus)
	services := r.services(gatt.NoPairing)
	const uuid, in = "8b840011-f6fa-4e33-9a0c-e14d9f35f201", "8b840012-f6fa-4e33-9a0c-e14d9f35f201"
	guarded := &gatt.Characteristic{UUID: in, Write: func(gatt.Request, []byte) error { return nil }}
	services = append(services, gatt.Service{
		UUID: uuid, Pairing: gatt.Authenticated, Characteristics: []*gatt.Characteristic{guarded},
	})
	r.startServices("", services)
	r.expect("up hci0")
	tree := []string{
		serviceUUID, inUUID + " write", outUUID + " read,notify", bothUUID + " write,notify",
		uuid, in + " secure-write",
	}
	if got := r.bluez.Tree("hci0"); !slices.Equal(got, tree) {
		t.Errorf("got %q, want %q", got, tree)
	}
	r.requested("Set Pairable", 1)
	if got := r.bluez.Capability(); got != "DisplayOnly" {
		t.Errorf("capability %q", got)
	}
	device := r.bluez.Connect("hci0", phone)
	r.expect("connected " + phone)
	if r.bluez.AskAgent("RequestAuthorization", device) == nil {
		t.Error("a pairing without a passkey was allowed")
	}
	r.writes(device)
	r.bluez.Bond(device)
	r.expect("bonded " + adapterAddr + " " + phone + " authenticated")
}

func TestDescriptors(t *testing.T) {
	const description = "00002901-0000-1000-8000-00805f9b34fb"
	for pairing, flag := range map[gatt.Pairing]string{
		gatt.NoPairing: "read", gatt.Encrypt: "encrypt-read", gatt.Authenticated: "secure-read",
	} {
		t.Run(pairing.String(), func(t *testing.T) {
			r := newRigOn(t, dbustest.Start(t))
			r.bluez = dbustest.StartBlueZ(t, r.bus)
			services := r.services(pairing)
			services[0].Characteristics[1].Descriptors = []gatt.Descriptor{
				{UUID: description, Value: []byte("0123456789")},
			}
			r.startServices("", services)
			r.expect("up hci0")
			tree := r.bluez.Tree("hci0")
			if len(tree) != 5 || tree[3] != description+" "+flag {
				t.Fatalf("got %q", tree)
			}
			properties := r.bluez.Properties("hci0", description)
			if properties["Characteristic"].Value() != applicationPath+"/service0/char1" || len(properties) != 3 {
				t.Errorf("exported as %v", properties)
			}
			device := r.bluez.Connect("hci0", phone)
			r.expect("connected " + phone)
			for offset, want := range map[uint16]string{0: "0123456789", 4: "456789", 10: ""} {
				call := r.bluez.Read(device, description, "offset", offset)
				var value []byte
				if name := r.errorName(call); name != "" || call.Store(&value) != nil || string(value) != want {
					t.Errorf("read at %d: got %q %q, want %q", offset, name, value, want)
				}
			}
			late := r.bluez.Read(device, description, "offset", uint16(11))
			if name := r.errorName(late); name != "InvalidOffset" {
				t.Errorf("read after the end: answered %q", name)
			}
			name := r.errorName(r.bluez.Write(device, description, []byte("x")))
			if name != msgbus.ErrorPrefix+"UnknownMethod" {
				t.Errorf("write: answered %q", name)
			}
		})
	}
}
