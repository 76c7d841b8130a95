package bluez

import (
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/bluez/gatt"
	"github.com/wifiprovd/wifiprovd/internal/dbustest"
)

const fuzzedDevice = "/org/bluez/hci0/dev_AA_BB_CC_00_00_01"

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
	p := New(Config{Name: "Test", Security: Authenticated, Log: slog.New(slog.DiscardHandler), Services: []gatt.Service{{
		UUID: serviceUUID,
		Characteristics: []*gatt.Characteristic{
			{UUID: inUUID, Write: written},
			{UUID: outUUID, Read: func(gatt.Request) ([]byte, error) { return []byte("0123456789"), nil }, Notify: &gatt.Notifier{}},
		},
	}}})
	p.bus, p.owner = &bus{conn: conn, ctx: t.Context()}, ":1.1"
	p.registration.listed, p.steps.ending = true, true // no steps: they need an answer
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
			sender, owner, known := header(m, dbus.FieldSender), p.owner, len(p.world)
			p.signal(m)
			if byBus := header(m, dbus.FieldMember) == "NameOwnerChanged" && sender == busName; owner != p.owner && !byBus {
				t.Errorf("%s made %s bluetoothd", sender, p.owner)
			} else if known != len(p.world) && !byBus && sender != owner {
				t.Errorf("%s made %d objects of %d", sender, len(p.world), known)
			}
			for _, adapter := range p.world.adapters() {
				p.world.instances(adapter)
				p.world.devices(adapter)
			}
			checkWorld(t, p.world)
		}
	})
}

func checkWorld(t *testing.T, w world) {
	t.Helper()
	for path, interfaces := range w {
		for name := range interfaces {
			if _, ok := kept[name]; !ok {
				t.Errorf("%s of %s is remembered", name, path)
			}
		}
		w.address(path)
		w.bonded(path)
	}
}

// fuzzedSignal is a signal of bluetoothd, of the bus, or of somebody who pretends.
func fuzzedSignal(p *Peripheral, v *dbustest.Values) *dbus.Message {
	word, properties := func() any { return v.Word() }, func() any { return v.Properties() }
	path := func() any { return v.Path("/org/bluez/hci0", fuzzedDevice) }
	names := func() any { return []string{v.Word(), v.Word()} }
	name := v.Pick(objectManager+".InterfacesAdded", propertiesInterface+".PropertiesChanged", objectManager+".InterfacesRemoved",
		busName+".NameOwnerChanged")
	m := fuzzedMessage(v.Pick("/org/bluez/hci0", fuzzedDevice), name)
	m.Headers[dbus.FieldSender] = dbus.MakeVariant(v.Pick(p.owner, p.owner, busName, ":1.666"))
	switch name {
	case objectManager + ".InterfacesAdded":
		m.Body = v.Body(path, func() any { return v.Interfaces() })
	case objectManager + ".InterfacesRemoved":
		m.Body = v.Body(path, names)
	case busName + ".NameOwnerChanged":
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
		t.Cleanup(func() { p.lockout.stop() })
		p.adapter = "/org/bluez/hci0"
		v := dbustest.NewValues(data, fuzzedWords...)
		for range 100 {
			if !v.More() {
				break
			}
			call := fuzzedCall(p, v)
			forged, known := *call, len(p.centrals)
			forged.Headers = maps.Clone(call.Headers)
			forged.Headers[dbus.FieldSender] = dbus.MakeVariant(":1.666")
			if p.serve(&forged); len(p.centrals) != known {
				t.Errorf("%s of another program is served", header(call, dbus.FieldMember))
			}
			p.serve(call)
		}
		if n := len(p.centrals); n > 100 {
			t.Errorf("%d centrals", n)
		}
	})
}

func fuzzedCall(p *Peripheral, v *dbustest.Values) *dbus.Message {
	device := func() any { return dbus.ObjectPath(v.Pick(fuzzedDevice, v.Word())) }
	options := func() any { return v.Properties() }
	number := func() any { return uint32(len(v.Bytes())) }
	chars := []string{agentPath, advertisementPath, applicationPath}
	for _, path := range slices.Sorted(maps.Keys(p.tree.characteristics)) {
		chars = append(chars, string(path))
	}
	member := v.Pick("WriteValue", "ReadValue", "StartNotify", "DisplayPasskey", "RequestAuthorization", "AuthorizeService",
		"RequestConfirmation", "Cancel", "Release", "GetAll", "GetManagedObjects", v.Word())
	m := fuzzedMessage(v.Pick(chars...), characteristicInterface+"."+member)
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
