package dbustest

import (
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"
)

const (
	bluezName   = "org.bluez"
	bluezErrors = "org.bluez.Error."
	bluezRoot   = dbus.ObjectPath("/org/bluez")

	adapter1   = "org.bluez.Adapter1"
	device1    = "org.bluez.Device1"
	gattMgr1   = "org.bluez.GattManager1"
	advMgr1    = "org.bluez.LEAdvertisingManager1"
	agentMgr1  = "org.bluez.AgentManager1"
	objManager = "org.freedesktop.DBus.ObjectManager"
	properties = "org.freedesktop.DBus.Properties"
)

// BlueZ is a fake bluetoothd: adapters without radios, and devices that do what
// the test says. Its zero value is not usable.
type BlueZ struct {
	t       testing.TB
	address string

	mu       sync.Mutex
	conn     *dbus.Conn // nil: not running
	wire     *recorder
	client   string // who has asked for the objects last
	objects  managedObjects
	apps     map[dbus.ObjectPath][]*app   // by adapter
	adverts  map[dbus.ObjectPath][]advert // by adapter, in the order of registration
	agent    agent
	requests []string
	faults   map[string]*fault
	notified []Notification
}

// managedObjects is what GetManagedObjects replies.
type managedObjects map[dbus.ObjectPath]map[string]map[string]dbus.Variant

func copyObjects(objects managedObjects) managedObjects {
	copied := managedObjects{}
	for path, interfaces := range objects {
		copied[path] = map[string]map[string]dbus.Variant{}
		for name, values := range interfaces {
			copied[path][name] = maps.Clone(values)
		}
	}
	return copied
}

// export is an object of a client.
type export struct {
	owner string
	path  dbus.ObjectPath
}

// advert is an advertisement, with the properties that it had when it was registered.
type advert struct {
	export
	properties map[string]dbus.Variant
}

type agent struct {
	export
	capability string
	isDefault  bool
}

// fault is what a method answers instead of doing its work.
type fault struct {
	name  string // of the error; empty: it does not answer
	times int    // left; negative: for ever
}

// Notification is a value that a service has notified.
type Notification struct {
	UUID  string
	Value []byte
}

// NewBlueZ returns a fake bluetoothd on the bus at address that is not running
// and has no adapter. It ends with the test.
func NewBlueZ(t testing.TB, address string) *BlueZ {
	b := &BlueZ{t: t, address: address, faults: map[string]*fault{}, objects: managedObjects{}}
	t.Cleanup(b.Stop)
	return b
}

// StartBlueZ runs a fake bluetoothd with the adapter hci0, powered off.
func StartBlueZ(t testing.TB, address string) *BlueZ {
	b := NewBlueZ(t, address)
	b.AddAdapter("hci0", "00:AA:01:00:00:00")
	b.Start()
	return b
}

// Start starts it, knowing its adapters and nothing else of an earlier run.
func (b *BlueZ) Start() {
	b.t.Helper()
	conn, wire, err := connectRecorded(b.address)
	if err != nil {
		b.t.Fatal(err)
	}
	b.mu.Lock()
	b.conn, b.wire = conn, wire
	b.apps, b.adverts = map[dbus.ObjectPath][]*app{}, map[dbus.ObjectPath][]advert{}
	b.agent = agent{}
	for path, interfaces := range b.objects {
		if interfaces[device1] != nil {
			delete(b.objects, path)
		} else {
			interfaces[adapter1]["Powered"] = dbus.MakeVariant(false)
			if interfaces[advMgr1] != nil {
				interfaces[advMgr1]["ActiveInstances"] = dbus.MakeVariant(byte(0))
			}
		}
	}
	b.mu.Unlock()
	b.export(conn)
	b.listen(conn)
	if reply, err := conn.RequestName(bluezName, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		b.t.Fatalf("own %s: %v %v", bluezName, reply, err)
	}
}

// Stop ends it at once, as a crash does.
func (b *BlueZ) Stop() {
	b.mu.Lock()
	conn := b.conn
	b.conn = nil
	b.mu.Unlock()
	if conn != nil {
		_ = conn.Close()
	}
}

// Fail makes the next calls of a method, named without its interface (Set Powered
// for a property), answer with the error org.bluez.Error.NAME. A negative number
// is for ever, 0 is no longer.
func (b *BlueZ) Fail(method, name string, times int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults[method] = &fault{bluezErrors + name, times}
}

// Hang makes the next calls of a method do nothing and never answer.
func (b *BlueZ) Hang(method string, times int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults[method] = &fault{times: times}
}

// Requests returns the methods called so far, without their interfaces.
func (b *BlueZ) Requests() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.requests...)
}

func newAdapter(address string) map[string]map[string]dbus.Variant {
	return map[string]map[string]dbus.Variant{
		adapter1: {
			"Address":  dbus.MakeVariant(address),
			"Powered":  dbus.MakeVariant(false),
			"Pairable": dbus.MakeVariant(false),
		},
		gattMgr1: {},
		advMgr1: {
			"ActiveInstances":    dbus.MakeVariant(byte(0)),
			"SupportedInstances": dbus.MakeVariant(byte(5)),
		},
	}
}

// AddAdapter plugs in an adapter, powered off; name is hci0.
func (b *BlueZ) AddAdapter(name, address string) {
	path := bluezRoot + "/" + dbus.ObjectPath(name)
	b.mu.Lock()
	conn := b.conn
	b.mu.Unlock()
	if conn != nil {
		b.exportAdapter(conn, path)
	}
	b.add(path, newAdapter(address))
}

// AddDeaf plugs in an adapter that cannot be a peripheral.
func (b *BlueZ) AddDeaf(name, address string) {
	interfaces := newAdapter(address)
	delete(interfaces, gattMgr1)
	delete(interfaces, advMgr1)
	b.add(bluezRoot+"/"+dbus.ObjectPath(name), interfaces)
}

// RemoveAdapter unplugs an adapter: its devices, services and advertisements go.
func (b *BlueZ) RemoveAdapter(name string) {
	path := bluezRoot + "/" + dbus.ObjectPath(name)
	b.mu.Lock()
	delete(b.apps, path)
	delete(b.adverts, path)
	b.mu.Unlock()
	b.remove(path)
}

// Set changes a property of an object and says so.
func (b *BlueZ) Set(path dbus.ObjectPath, iface, property string, value any) {
	changed := map[string]dbus.Variant{property: dbus.MakeVariant(value)}
	b.mu.Lock()
	if b.objects[path][iface] != nil {
		maps.Copy(b.objects[path][iface], changed)
	}
	conn := b.conn
	b.mu.Unlock()
	if conn != nil {
		_ = conn.Emit(path, properties+".PropertiesChanged", iface, changed, []string{})
	}
}

func (b *BlueZ) add(path dbus.ObjectPath, interfaces map[string]map[string]dbus.Variant) {
	b.mu.Lock()
	b.objects[path] = interfaces
	conn := b.conn
	b.mu.Unlock()
	if conn != nil {
		_ = conn.Emit("/", objManager+".InterfacesAdded", path, interfaces)
	}
}

func (b *BlueZ) remove(path dbus.ObjectPath) {
	b.mu.Lock()
	var names []string
	for name := range b.objects[path] {
		names = append(names, name)
	}
	delete(b.objects, path)
	conn := b.conn
	b.mu.Unlock()
	if conn != nil {
		_ = conn.Emit("/", objManager+".InterfacesRemoved", path, names)
	}
}

// flag returns a property that is a bool.
func (b *BlueZ) flag(path dbus.ObjectPath, iface, property string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	value, _ := b.objects[path][iface][property].Value().(bool)
	return value
}

func text(v dbus.Variant) string {
	s, _ := v.Value().(string)
	return s
}

// Boot plugs in an adapter that is powered already, with a device that is bonded, as
// bluetoothd does when it starts after a crash: everything is there at once, and told
// object by object.
func (b *BlueZ) Boot(name, address, device string) dbus.ObjectPath {
	path := bluezRoot + "/" + dbus.ObjectPath(name)
	dev := path + "/dev_" + dbus.ObjectPath(strings.ReplaceAll(device, ":", "_"))
	adapter := newAdapter(address)
	adapter[adapter1]["Powered"] = dbus.MakeVariant(true)
	phone := map[string]map[string]dbus.Variant{device1: {
		"Adapter": dbus.MakeVariant(path), "Address": dbus.MakeVariant(device),
		"Connected": dbus.MakeVariant(false), "Paired": dbus.MakeVariant(true), "Bonded": dbus.MakeVariant(true),
	}}
	b.mu.Lock()
	conn := b.conn
	b.objects[path], b.objects[dev] = adapter, phone
	b.mu.Unlock()
	b.exportAdapter(conn, path)
	_ = conn.Emit("/", objManager+".InterfacesAdded", path, adapter)
	_ = conn.Emit("/", objManager+".InterfacesAdded", dev, phone)
	return dev
}

// Has reports whether there is an object.
func (b *BlueZ) Has(path dbus.ObjectPath) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.objects[path] != nil
}
