package bluez

import (
	"maps"
	"slices"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
)

func TestTreePerSecurity(t *testing.T) {
	for security, want := range map[Security][3]string{
		None:          {"write", "read,notify", "write,notify"},
		Encrypt:       {"encrypt-write", "encrypt-read,encrypt-notify", "encrypt-write,encrypt-notify"},
		Authenticated: {"secure-write", "secure-read,secure-notify", "secure-write,secure-notify"},
	} {
		t.Run(want[0], func(t *testing.T) {
			r := newRig(t, security)
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
		r.start(Config{})
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
	r := newRig(t, None)
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

func TestAdvertisement(t *testing.T) {
	r := newRig(t, None)
	got := r.bluez.Advertisement("hci0")
	want := map[string]any{"Type": "peripheral", "Discoverable": true, "LocalName": "Test"}
	uuids, _ := got["ServiceUUIDs"].Value().([]string)
	if !slices.Equal(uuids, []string{serviceUUID}) {
		t.Errorf("ServiceUUIDs %q", uuids)
	}
	delete(got, "ServiceUUIDs")
	for name, value := range got {
		if value.Value() != want[name] {
			t.Errorf("%s is %v, want %v", name, value, want[name])
		}
	}
	if len(got) != len(want) {
		t.Errorf("properties %v, want %v only", got, want)
	}
}

func TestNotificationsKeepOrder(t *testing.T) {
	r := newRig(t, None)
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
