package wpa

import (
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// A ScanDone of somebody else's scan, from before, says nothing about ours.
func TestEarlierScanDone(t *testing.T) {
	r := newRig(t)
	r.Air(lab())
	r.SlowScans()
	r.InterfaceSignal("ScanDone", true)
	result := make(chan error, 1)
	go func() {
		_, err := r.join(t, credentials(testPassphrase, wifi.AutoDetect), 0)
		result <- err
	}()
	if err := r.until(t, r.FinishScan); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	if n := len(r.Calls("Scan")); n != 1 {
		t.Errorf("%d scans", n)
	}
}

// Only wpa_supplicant is listened to.
func TestForgedSignal(t *testing.T) {
	address := dbustest.Start(t)
	r := &rig{WPA: dbustest.StartWPA(t, address, "wlan0")}
	r.Air(lab())
	r.run(t, address)
	r.isAvailable(t, "")
	r.joined(t)
	dev := r.view.Load().dev
	forger := dbustest.Connect(t, address)
	forge := func(path dbus.ObjectPath, iface, name string, body ...any) {
		forger.Send(&dbus.Message{Type: dbus.TypeSignal, Body: body, Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldDestination: dbus.MakeVariant(dev.supplicant.Conn.Names()[0]),
			dbus.FieldPath:        dbus.MakeVariant(path),
			dbus.FieldInterface:   dbus.MakeVariant(iface),
			dbus.FieldMember:      dbus.MakeVariant(name),
			dbus.FieldSignature:   dbus.MakeVariant(dbus.SignatureOf(body...)),
		}}, nil)
	}
	forge("/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged", service, dev.owner, "")
	forge(rootPath, rootIface, "InterfaceRemoved", dev.path)
	forge(dev.path, msgbus.Properties, "PropertiesChanged", ifaceIface,
		map[string]dbus.Variant{"DisconnectReason": dbus.MakeVariant(int32(99)), "State": dbus.MakeVariant(stateDisabled)}, []string{})
	// When the bus answers, it has passed these on.
	var id string
	if err := forger.BusObject().Call("org.freedesktop.DBus.GetId", 0).Store(&id); err != nil {
		t.Fatal(err)
	}
	r.Change(dbustest.Step{"DisconnectReason": int32(23)})
	r.Change(state("disconnected"))
	if why := r.loss(t); !strings.Contains(why, "reason 23") {
		t.Errorf("lost: %s", why)
	}
	r.isQuiet(t)
}

// Signals that were on their way while the interface was looked for are older than
// what was found.
func TestOldSignals(t *testing.T) {
	o := newOwner(t.Context(), New(Config{Interface: wlan0}), nil, func(_, _, _ string) {})
	dev := &device{owner: ":1.1", path: "/i", since: 10}
	o.station = &station{dev: dev, state: "completed"}
	changed := map[string]dbus.Variant{"State": dbus.MakeVariant("disconnected")}
	body := []any{ifaceIface, changed, []string{}}
	ended := []any{service, ":1.1", ""}
	o.receive(&dbus.Signal{Sequence: 9, Sender: ":1.1", Path: "/i", Name: msgbus.PropertiesChanged, Body: body})
	o.receive(&dbus.Signal{Sequence: 9, Sender: msgbus.BusName, Name: msgbus.NameOwnerChanged, Body: []any{service, ":1.0", ""}})
	if o.station == nil || o.station.state != "completed" {
		t.Error("an old signal was believed")
	}
	o.receive(&dbus.Signal{Sequence: 11, Sender: ":1.1", Path: "/i", Name: msgbus.PropertiesChanged, Body: body})
	if o.station.state != "disconnected" {
		t.Error("a new signal was not believed")
	}
	o.receive(&dbus.Signal{Sequence: 12, Sender: msgbus.BusName, Name: msgbus.NameOwnerChanged, Body: ended})
	if o.station != nil {
		t.Error("wpa_supplicant's end was not believed")
	}
}

// The numbers of networks are used again: what tidies up after a lost connection
// must not remove the network of the next one.
func TestForgetLate(t *testing.T) {
	r := newRig(t)
	r.Air(lab())
	r.joined(t)
	r.joined(t)
	r.forget(t.Context(), r.links[0])
	if n := r.Networks(); n != 1 {
		t.Errorf("%d networks are left of the later connection", n)
	}
}
