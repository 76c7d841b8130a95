package bluez

import (
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

const hci0 = "/org/bluez/hci0"

const noDaemon = "down " + notRunning

// whole fails the test unless everything is registered with BlueZ.
func (r *rig) whole(capability string) {
	r.t.Helper()
	if !r.bluez.Advertising("hci0") {
		r.t.Error("hci0 does not advertise")
	}
	if got := r.bluez.Capability(); got != capability {
		r.t.Errorf("the default agent's capability is %q, want %q", got, capability)
	}
	if got := len(r.bluez.Tree("hci0")); got != 4 {
		r.t.Errorf("%d objects are exported, want 4", got)
	}
}

func TestBluetoothdComesLater(t *testing.T) {
	r := newRigOn(t, dbustest.Start(t))
	r.bluez = dbustest.NewBlueZ(t, r.bus)
	r.start("", gatt.Encrypt)
	r.expect(noDaemon)
	r.bluez.AddAdapter("hci0", "00:AA:01:00:00:00")
	r.bluez.Start()
	r.expect("up hci0")
	r.whole("NoInputNoOutput")
	r.quiet()
}

func TestBluetoothdRestarts(t *testing.T) {
	r := newRig(t, gatt.Authenticated)
	r.whole("DisplayOnly")
	device := r.bluez.Connect("hci0", phone)
	r.expect("connected " + phone)
	for range 3 {
		r.bluez.Stop()
		r.expect("disconnected "+phone, noDaemon)
		r.bluez.Start()
		r.expect("up hci0")
		r.whole("DisplayOnly")
		device = r.bluez.Connect("hci0", phone)
		r.expect("connected " + phone)
	}
	if name := r.errorName(r.bluez.Write(device, inUUID, nil)); name != "" {
		t.Errorf("a write was answered %s", name)
	}
	r.quiet()
}

// While bluetoothd starts, its adapter cannot do everything yet. What is told is
// where that came from.
func TestBluetoothdRestartsSlowly(t *testing.T) {
	r := newRig(t, gatt.Encrypt)
	r.bluez.Stop()
	r.bluez.RemoveAdapter("hci0")
	r.bluez.AddDeaf("hci0", "00:AA:01:00:00:00")
	r.bluez.Start()
	r.bluez.Sync()
	r.bluez.RemoveAdapter("hci0")
	r.bluez.AddAdapter("hci0", "00:AA:01:00:00:00")
	r.expect(noDaemon, "up hci0")
	r.whole("NoInputNoOutput")
	r.quiet()
}

func TestAdapterIsUnpluggedAndPluggedIn(t *testing.T) {
	r := newRig(t, gatt.Encrypt)
	r.bluez.RemoveAdapter("hci0")
	r.expect("down there is no Bluetooth adapter; waiting for one")
	r.bluez.AddAdapter("hci0", "00:AA:01:00:00:00")
	r.expect("up hci0")
	r.whole("NoInputNoOutput")
	r.quiet()
}

func TestAdapterIsPoweredOff(t *testing.T) {
	r := newRig(t, gatt.NoPairing)
	r.bluez.Set(hci0, adapterInterface, "Powered", false)
	r.expect("down adapter hci0 was powered off", "up hci0")
	r.whole("NoInputNoOutput")
	r.quiet()
}

func TestAdapterIsBlocked(t *testing.T) {
	r := newRigOn(t, dbustest.Start(t))
	r.bluez = dbustest.StartBlueZ(t, r.bus)
	r.bluez.Fail("Set Powered", "Blocked", -1)
	r.start("", gatt.NoPairing)
	r.expect("down set adapter hci0 Powered: it is blocked by rfkill: run rfkill unblock bluetooth, or use the hardware switch")
	r.eventually("three tries", func() bool { return count(r.bluez.Requests(), "Set Powered") >= 3 })
	r.bluez.Fail("Set Powered", "", 0)
	r.bluez.Set(hci0, adapterInterface, "Powered", true) // what BlueZ does when it is unblocked
	r.expect("up hci0")
	r.quiet()
}

func TestAdvertisementIsReleased(t *testing.T) {
	r := newRig(t, gatt.NoPairing)
	r.bluez.Release("hci0")
	r.expect("down BlueZ has released the advertisement", "up hci0")
	r.whole("NoInputNoOutput")
	r.quiet()
}

func TestAdvertisementVanishes(t *testing.T) {
	r := newRig(t, gatt.NoPairing)
	r.bluez.Drop("hci0")
	r.expect("down BlueZ no longer advertises", "up hci0")
	r.whole("NoInputNoOutput")
	r.quiet()
}

// Some kernels do not take up advertising when a central has left.
func TestAdvertisementIsRenewedAfterACentral(t *testing.T) {
	r := newRig(t, gatt.NoPairing)
	device := r.bluez.Connect("hci0", phone)
	r.expect("connected " + phone)
	r.bluez.Disconnect(device)
	r.expect("disconnected " + phone)
	r.eventually("a new registration", func() bool {
		return count(r.bluez.Requests(), "RegisterAdvertisement") == 2 && r.bluez.Advertising("hci0")
	})
	r.quiet()
}

func TestRegistrationFailsAndSucceeds(t *testing.T) {
	for method, text := range map[string]string{
		"RegisterAgent":         "register the pairing agent",
		"RequestDefaultAgent":   "register the pairing agent",
		"RegisterApplication":   "register the GATT services",
		"RegisterAdvertisement": "register the advertisement",
		"GetManagedObjects":     "list Bluetooth adapters",
		"Set Powered":           "set adapter hci0 Powered",
		"Set Pairable":          "set adapter hci0 Pairable",
	} {
		t.Run(method, func(t *testing.T) {
			r := newRigOn(t, dbustest.Start(t))
			r.bluez = dbustest.StartBlueZ(t, r.bus)
			r.bluez.Fail(method, "NotReady", 3)
			r.start("", gatt.Encrypt)
			r.expect("down " + text + ": org.bluez.Error.NotReady: as the test wants it") // once for three times
			r.expect("up hci0")
			r.whole("NoInputNoOutput")
			r.quiet()
		})
	}
}

// A registration whose answer came too late is in BlueZ's books.
func TestRegistrationThatBlueZHasAlready(t *testing.T) {
	for _, method := range []string{"RegisterAgent", "RegisterApplication", "RegisterAdvertisement"} {
		t.Run(method, func(t *testing.T) {
			r := newRigOn(t, dbustest.Start(t))
			r.bluez = dbustest.StartBlueZ(t, r.bus)
			r.bluez.Fail(method, "AlreadyExists", 1)
			r.start("", gatt.Encrypt)
			r.expect("up hci0")
			r.quiet()
		})
	}
}

func TestBluetoothdDoesNotAnswer(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the deadline of a call")
	}
	r := newRigOn(t, dbustest.Start(t))
	r.bluez = dbustest.StartBlueZ(t, r.bus)
	r.bluez.Hang("RegisterApplication", 1)
	r.start("", gatt.NoPairing)
	r.expect("down register the GATT services: context deadline exceeded", "up hci0")
}

func TestAgentIsReleased(t *testing.T) {
	r := newRig(t, gatt.Encrypt)
	if err := r.bluez.AskAgent("Release"); err != nil {
		t.Fatal(err)
	}
	r.requested("RegisterAgent", 2)
}

func TestWhichAdapter(t *testing.T) {
	add := func(b *dbustest.BlueZ, names ...string) {
		for _, name := range names {
			if deaf, ok := strings.CutPrefix(name, "deaf "); ok {
				b.AddDeaf(deaf, "00:AA:01:00:00:0"+deaf[3:4])
			} else {
				b.AddAdapter(name, "00:AA:01:00:00:0"+name[3:4])
			}
		}
	}
	for _, test := range []struct {
		name, configured string
		before, after    []string // adapters at the start, and plugged in later
		want             []string
	}{
		{"the first", "", []string{"hci10", "hci2", "hci1"}, nil, []string{"up hci1"}},
		{"the configured one", "hci2", []string{"hci0", "hci2"}, nil, []string{"up hci2"}},
		{"the first that can", "", []string{"deaf hci0", "hci1"}, nil, []string{"up hci1"}},
		{"none", "", nil, []string{"hci0"}, []string{"down there is no Bluetooth adapter; waiting for one", "up hci0"}},
		{"none that can", "", []string{"deaf hci0"}, []string{"hci1"},
			[]string{"down no Bluetooth adapter can advertise; waiting for one that can", "up hci1"}},
		{"not the configured one", "hci1", []string{"hci0"}, []string{"hci1"},
			[]string{"down there is no adapter hci1; waiting for it", "up hci1"}},
		{"the configured one cannot", "hci1", []string{"hci0", "deaf hci1"}, nil,
			[]string{"down adapter hci1 cannot advertise; choose another one in the configuration (bluetooth.adapter)"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRigOn(t, dbustest.Start(t))
			r.bluez = dbustest.NewBlueZ(t, r.bus)
			add(r.bluez, test.before...)
			r.bluez.Start()
			r.start(test.configured, gatt.NoPairing)
			r.expect(test.want[0])
			add(r.bluez, test.after...)
			r.expect(test.want[1:]...)
			r.quiet()
		})
	}
}

// When bluetoothd starts, adapters come one by one.
func TestFirstAdapterComesLast(t *testing.T) {
	r := newRigOn(t, dbustest.Start(t))
	r.bluez = dbustest.NewBlueZ(t, r.bus)
	r.bluez.Start()
	r.start("", gatt.NoPairing)
	r.requested("GetManagedObjects", 1)
	r.bluez.AddAdapter("hci1", "00:AA:01:00:00:01")
	r.bluez.AddAdapter("hci0", "00:AA:01:00:00:00")
	for {
		if event := <-r.events; strings.HasPrefix(event, "up ") {
			if event != "up hci0" {
				t.Error(event)
			}
			return
		}
	}
}

// After a restart of bluetoothd the gateway stays on its adapter, even if another one comes
// first; TestChooserWaits has how long it waits.
func TestSameAdapterAgain(t *testing.T) {
	r := newRig(t, gatt.Encrypt)
	r.bluez.Stop()
	r.expect(noDaemon)
	r.bluez.RemoveAdapter("hci0")
	r.bluez.AddAdapter("hci1", "00:AA:01:00:00:01")
	r.bluez.Start()
	r.requested("GetManagedObjects", 2)
	r.bluez.Sync()
	r.bluez.AddAdapter("hci0", "00:AA:01:00:00:00")
	r.expect("up hci0")
	r.quiet()
}

// BlueZ calls back before it has registered the services. Whoever goes before
// that leaves it with half a registration.
func TestRunEndsAfterTheStepThatRuns(t *testing.T) {
	for range 10 {
		t.Run("", func(t *testing.T) {
			r := newRigOn(t, dbustest.Start(t))
			r.bluez = dbustest.StartBlueZ(t, r.bus)
			r.start("", gatt.Encrypt)
			r.requested("RegisterApplication", 1)
			if err := r.end(); err != nil {
				t.Errorf("got %v, want nil", err)
			}
			if len(r.bluez.Tree("hci0")) == 0 {
				t.Error("the registration was not finished")
			}
		})
	}
}
