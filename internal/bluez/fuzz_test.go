package bluez

import (
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

const fuzzedDevice = "/org/bluez/hci0/dev_AA_BB_CC_00_00_01"

// deaf is a Handler that does nothing.
type deaf struct{}

func (deaf) Connected(gatt.Central)    {}
func (deaf) Disconnected(gatt.Central) {}
func (deaf) Bonded(gatt.Bond)          {}
func (deaf) OnAir(string)              {}
func (deaf) OffAir(string)             {}

// nowhere is a bus connection that takes everything and says nothing.
type nowhere struct{ io.Writer }

func (nowhere) Read([]byte) (int, error) { return 0, io.EOF }
func (nowhere) Close() error             { return nil }

func newFuzzed(t *testing.T) *Peripheral {
	conn, err := dbus.NewConn(nowhere{io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	return newFuzzedOn(t, conn)
}

func newFuzzedOn(t *testing.T, conn *dbus.Conn) *Peripheral {
	written := func(gatt.Request, []byte) error { return nil }
	p := New(Config{Log: slog.New(slog.DiscardHandler)})
	p.assemble(newBus(t.Context(), conn), Application{Services: []gatt.Service{{
		UUID: serviceUUID, Pairing: gatt.Authenticated,
		Characteristics: []*gatt.Characteristic{
			{UUID: inUUID, Write: written},
			{UUID: outUUID, Read: func(gatt.Request) ([]byte, error) { return []byte("0123456789"), nil }, Notify: &gatt.Notifier{}},
		},
	}}}, deaf{})
	p.registrar.want([]gatt.Advert{{ServiceUUIDs: []string{serviceUUID}, Name: "Test"}})
	p.registrar.adverts.begin(0) // something to read and to release
	p.world.owner, p.world.listed = ":1.1", true
	p.steps.ending = true // no steps: they need an answer
	return p
}

var fuzzedWords = []string{
	"Adapter", "Address", "Connected", "Paired", "Bonded", "Powered", "Pairable", "ActiveInstances", "SupportedInstances",
	adapterInterface, deviceInterface, advertisingManagerInterface, gattManagerInterface,
	"/org/bluez/hci0", fuzzedDevice, "AA:BB:CC:00:00:01", "device", "mtu", "offset", ":1.1", bluezName,
}

func addSeeds(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x00\x00\x01\x00\x00\x0d\x00\x02\x01\x09\x03\x01\x07\x05\x01\x01\x0a\x01\x04\x0e\x02\x01\x09"))
	f.Add([]byte("\x00\x01\x00\x02\x00\x00\x0a\x00\x01\x02\x01\x01\x01\x02\x05\xff\x00"))
	f.Add([]byte("\x01\x00\x02\x10\x11\x12\x13\x14\x02\x10\x0a\x0e\x12\x03\xff\xff"))
	f.Add([]byte("\x02\x01\x00\x0e\x00\x03\x07\xff\x00\x00"))
}

// FuzzObjects: what BlueZ and the bus signal, whatever its types, crashes nothing.
// No adapter or device is made of what is none, and what others than these two say
// changes nothing.
func FuzzObjects(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		p := newFuzzed(t)
		v := dbustest.NewValues(data, fuzzedWords...)
		for range 100 {
			if !v.More() {
				break
			}
			m := fuzzedSignal(p, v)
			sender, owner, known := header(m, dbus.FieldSender), p.world.owner, len(p.world.objects)
			p.signal(m)
			if byBus := header(m, dbus.FieldMember) == "NameOwnerChanged" && sender == msgbus.BusName; owner != p.world.owner && !byBus {
				t.Errorf("%s made %s bluetoothd", sender, p.world.owner)
			} else if known != len(p.world.objects) && !byBus && sender != owner {
				t.Errorf("%s made %d objects of %d", sender, len(p.world.objects), known)
			}
			for _, adapter := range p.world.adapters() {
				p.world.radio(adapter)
				p.world.devices(adapter)
			}
			checkWorld(t, p.world)
		}
	})
}

func checkWorld(t *testing.T, w *world) {
	t.Helper()
	for path, interfaces := range w.objects {
		for name := range interfaces {
			if _, ok := kept[name]; !ok {
				t.Errorf("%s of %s is remembered", name, path)
			}
		}
		w.central(path)
		w.bonded(path)
	}
}

// fuzzedSignal is a signal of bluetoothd, of the bus, or of somebody who pretends.
func fuzzedSignal(p *Peripheral, v *dbustest.Values) *dbus.Message {
	word, properties := func() any { return v.Word() }, func() any { return v.Properties() }
	path := func() any { return v.Path("/org/bluez/hci0", fuzzedDevice) }
	names := func() any { return []string{v.Word(), v.Word()} }
	name := v.Pick(msgbus.ObjectManager+".InterfacesAdded", msgbus.PropertiesChanged, msgbus.ObjectManager+".InterfacesRemoved",
		msgbus.NameOwnerChanged)
	m := fuzzedMessage(v.Pick("/org/bluez/hci0", fuzzedDevice), name)
	m.Headers[dbus.FieldSender] = dbus.MakeVariant(v.Pick(p.world.owner, p.world.owner, msgbus.BusName, ":1.666"))
	switch name {
	case msgbus.ObjectManager + ".InterfacesAdded":
		m.Body = v.Body(path, func() any { return v.Interfaces() })
	case msgbus.ObjectManager + ".InterfacesRemoved":
		m.Body = v.Body(path, names)
	case msgbus.NameOwnerChanged:
		m.Body = v.Body(word, word, word)
	default:
		m.Body = v.Body(word, properties, names)
	}
	return m
}

// FuzzCalls: no method call from BlueZ crashes the peripheral, and the same call
// from another program does nothing.
func FuzzCalls(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		p := newFuzzed(t)
		t.Cleanup(func() { p.server.agent.lockout.pause.stop() })
		p.chooser.current = "/org/bluez/hci0"
		v := dbustest.NewValues(data, fuzzedWords...)
		for range 100 {
			if !v.More() {
				break
			}
			call := fuzzedCall(p, v)
			forged, known := *call, len(p.centrals.all)
			forged.Headers = maps.Clone(call.Headers)
			forged.Headers[dbus.FieldSender] = dbus.MakeVariant(":1.666")
			if p.server.serve(&forged); len(p.centrals.all) != known {
				t.Errorf("%s of another program is served", header(call, dbus.FieldMember))
			}
			p.server.serve(call)
		}
		if n := len(p.centrals.all); n > 100 {
			t.Errorf("%d centrals", n)
		}
	})
}

func fuzzedCall(p *Peripheral, v *dbustest.Values) *dbus.Message {
	device := func() any { return dbus.ObjectPath(v.Pick(fuzzedDevice, v.Word())) }
	options := func() any { return v.Properties() }
	number := func() any { return uint32(len(v.Bytes())) }
	chars := []string{string(agentPath), string(advertPath(0)), string(applicationPath)}
	for _, path := range slices.Sorted(maps.Keys(p.server.tree.characteristics)) {
		chars = append(chars, string(path))
	}
	member := v.Pick("WriteValue", "ReadValue", "StartNotify", "DisplayPasskey", "RequestAuthorization", "AuthorizeService",
		"RequestConfirmation", "Cancel", "Release", "GetAll", "GetManagedObjects", v.Word())
	iface := characteristicInterface // an agent's methods are known by their names alone
	switch member {
	case "GetAll":
		iface = msgbus.Properties
	case "GetManagedObjects":
		iface = msgbus.ObjectManager
	case "Release":
		iface = advertisementInterface
	}
	m := fuzzedMessage(v.Pick(chars...), iface+"."+member)
	switch member {
	case "WriteValue":
		m.Body = v.Body(func() any { return v.Bytes() }, options)
	case "ReadValue":
		m.Body = v.Body(options)
	case "DisplayPasskey":
		m.Body = v.Body(device, number, func() any { return uint16(0) })
	case "RequestAuthorization":
		m.Body = v.Body(device)
	default:
		m.Body = v.Body(device, v.Value)
	}
	return m
}

func fuzzedMessage(path, name string) *dbus.Message {
	dot := strings.LastIndex(name, ".")
	return &dbus.Message{Type: dbus.TypeMethodCall, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldSender:    dbus.MakeVariant(":1.1"),
		dbus.FieldPath:      dbus.MakeVariant(dbus.ObjectPath(path)),
		dbus.FieldInterface: dbus.MakeVariant(name[:dot]),
		dbus.FieldMember:    dbus.MakeVariant(name[dot+1:]),
	}}
}
