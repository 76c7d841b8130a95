package dbustest

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"
)

const (
	phoneAdapter    = dbus.ObjectPath("/org/bluez/hci0")
	gattService1    = "org.bluez.GattService1"
	characteristic1 = "org.bluez.GattCharacteristic1"
)

// Behavior is how a Phone and its gateways answer.
type Behavior struct {
	// Passkey is what a gateway shows when it is paired with. Empty: it does
	// not ask for one.
	Passkey string
	// RefusePairing makes pairing fail before anything is asked.
	RefusePairing bool
	// SilentConnect leaves out the signal that a gateway is connected, as BlueZ
	// 5.66 does when the kernel reports the ATT channel before the link.
	SilentConnect bool
	// LostConnections is how many connections end as soon as they were made.
	LostConnections int
	// OnWrite answers a write; nil: every write is accepted. OnRead answers a
	// read; nil: none is permitted.
	OnWrite func(uuid string, value []byte, offset uint16) *dbus.Error
	OnRead  func(uuid string) ([]byte, *dbus.Error)
}

// Phone is a fake bluetoothd of a phone: one adapter, hci0, that hears the
// gateways that the test adds.
type Phone struct {
	t     testing.TB
	conn  *dbus.Conn
	chars []string // UUIDs of the characteristics that a gateway has

	mu       sync.Mutex
	behavior Behavior
	objects  managedObjects
	hidden   managedObjects // gateways that no discovery has reported yet
	agent    export
	cap      string
}

// Behave says how to answer from now on.
func (p *Phone) Behave(b Behavior) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.behavior = b
}

func (p *Phone) behaves() Behavior {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.behavior
}

// NewPhone runs a fake bluetoothd on the bus at address. Its gateways have the
// characteristics uuids.
func NewPhone(t testing.TB, address string, uuids ...string) *Phone {
	t.Helper()
	p := &Phone{t: t, conn: Connect(t, address), chars: uuids, hidden: managedObjects{}}
	p.objects = managedObjects{phoneAdapter: {adapter1: {"Powered": dbus.MakeVariant(true)}}}
	p.export("/", objManager, map[string]any{"GetManagedObjects": p.managed})
	p.export(bluezRoot, agentMgr1, map[string]any{"RegisterAgent": p.registerAgent})
	p.export(phoneAdapter, adapter1, map[string]any{
		"SetDiscoveryFilter": func(map[string]dbus.Variant) *dbus.Error { return nil },
		"StartDiscovery":     p.startDiscovery,
		"StopDiscovery":      func() *dbus.Error { return nil },
		"RemoveDevice":       func(device dbus.ObjectPath) *dbus.Error { p.remove(device); return nil },
	})
	if reply, err := p.conn.RequestName(bluezName, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("take the name %s: %v, %v", bluezName, reply, err)
	}
	return p
}

// AddGateway adds a gateway that the next discovery reports.
func (p *Phone) AddGateway(address, name, service string, rssi int16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	path := devicePath(address)
	p.hidden[path] = map[string]map[string]dbus.Variant{device1: {
		"Address": dbus.MakeVariant(address), "Name": dbus.MakeVariant(name), "RSSI": dbus.MakeVariant(rssi),
		"UUIDs": dbus.MakeVariant([]string{service}), "Paired": dbus.MakeVariant(false),
		"Connected": dbus.MakeVariant(false), "ServicesResolved": dbus.MakeVariant(false),
	}}
	p.export(path, device1, map[string]any{
		"Pair":       func() *dbus.Error { return p.pair(path) },
		"Connect":    func() *dbus.Error { p.connect(path); return nil },
		"Disconnect": func() *dbus.Error { p.Disconnect(address); return nil },
	})
}

// Notify gives a characteristic's value to whoever listens.
func (p *Phone) Notify(address, uuid string, value ...byte) {
	for i, c := range p.chars {
		if c == uuid {
			p.changed(charPath(devicePath(address), i), characteristic1, "Value", value)
			return
		}
	}
	p.t.Errorf("there is no characteristic %s", uuid)
}

// Disconnect ends the connection, as the gateway may do.
func (p *Phone) Disconnect(address string) {
	p.set(devicePath(address), "ServicesResolved", false)
	p.set(devicePath(address), "Connected", false)
}

// Quit ends the fake bluetoothd.
func (p *Phone) Quit() { _ = p.conn.Close() }

// Capability returns what the agent said that it can do.
func (p *Phone) Capability() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cap
}

func (p *Phone) export(path dbus.ObjectPath, iface string, methods map[string]any) {
	if err := p.conn.ExportMethodTable(methods, path, iface); err != nil {
		p.t.Fatal(err)
	}
}

func (p *Phone) managed() (managedObjects, *dbus.Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := managedObjects{}
	for path, object := range p.objects {
		all[path] = map[string]map[string]dbus.Variant{}
		for iface, values := range object {
			all[path][iface] = maps.Clone(values)
		}
	}
	return all, nil
}

func (p *Phone) registerAgent(sender dbus.Sender, path dbus.ObjectPath, capability string) *dbus.Error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.agent, p.cap = export{string(sender), path}, capability
	return nil
}

func (p *Phone) startDiscovery() *dbus.Error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for path, object := range p.hidden {
		p.add(path, object)
		delete(p.hidden, path)
	}
	return nil
}

// add makes an object known. p.mu must be held.
func (p *Phone) add(path dbus.ObjectPath, object map[string]map[string]dbus.Variant) {
	p.objects[path] = object
	p.emit("/", objManager+".InterfacesAdded", path, object)
}

func (p *Phone) remove(device dbus.ObjectPath) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for path, object := range p.objects {
		if path != device && !strings.HasPrefix(string(path), string(device)+"/") {
			continue
		}
		if path == device {
			object[device1]["Paired"] = dbus.MakeVariant(false)
			p.hidden[path] = object
		}
		delete(p.objects, path)
		p.emit("/", objManager+".InterfacesRemoved", path, []string{device1, gattService1, characteristic1})
	}
}

func (p *Phone) pair(device dbus.ObjectPath) *dbus.Error {
	p.mu.Lock()
	agent := p.agent
	p.mu.Unlock()
	failed := dbus.NewError(bluezErrors+"AuthenticationFailed", []any{"Authentication Failed"})
	b := p.behaves()
	if b.RefusePairing {
		return failed
	}
	if b.Passkey != "" {
		var passkey uint32
		err := p.conn.Object(agent.owner, agent.path).Call("org.bluez.Agent1.RequestPasskey", 0, device).Store(&passkey)
		if err != nil || fmt.Sprintf("%06d", passkey) != b.Passkey {
			return failed
		}
	}
	p.set(device, "Paired", true)
	p.connect(device)
	return nil
}

// connect says that the services are known before it says which, as BlueZ does.
func (p *Phone) connect(device dbus.ObjectPath) {
	p.mu.Lock()
	lost := p.behavior.LostConnections > 0
	if lost {
		p.behavior.LostConnections--
	}
	p.mu.Unlock()
	if lost {
		return
	}
	if p.behaves().SilentConnect {
		p.mu.Lock()
		p.objects[device][device1]["Connected"] = dbus.MakeVariant(true)
		p.mu.Unlock()
	} else {
		p.set(device, "Connected", true)
	}
	p.set(device, "ServicesResolved", true)
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, uuid := range p.chars {
		path := charPath(device, i)
		p.add(path, map[string]map[string]dbus.Variant{characteristic1: {"UUID": dbus.MakeVariant(uuid)}})
		p.export(path, characteristic1, p.characteristic(path, uuid))
	}
}

func (p *Phone) characteristic(path dbus.ObjectPath, uuid string) map[string]any {
	return map[string]any{
		"StartNotify": func() *dbus.Error { return nil },
		"StopNotify":  func() *dbus.Error { return nil },
		"WriteValue": func(value []byte, options map[string]dbus.Variant) *dbus.Error {
			offset, _ := options["offset"].Value().(uint16)
			b := p.behaves()
			if b.OnWrite == nil {
				return nil
			}
			return b.OnWrite(uuid, value, offset)
		},
		// What is read is announced like what is notified.
		"ReadValue": func(map[string]dbus.Variant) ([]byte, *dbus.Error) {
			b := p.behaves()
			if b.OnRead == nil {
				return nil, dbus.NewError(bluezErrors+"NotPermitted", []any{"Read not permitted"})
			}
			value, err := b.OnRead(uuid)
			if err == nil {
				p.changed(path, characteristic1, "Value", value)
			}
			return value, err
		},
	}
}

// set changes a property of a device and says so.
func (p *Phone) set(device dbus.ObjectPath, name string, value any) {
	p.mu.Lock()
	if object := p.objects[device]; object != nil {
		object[device1][name] = dbus.MakeVariant(value)
	}
	p.mu.Unlock()
	p.changed(device, device1, name, value)
}

func (p *Phone) changed(path dbus.ObjectPath, iface, name string, value any) {
	p.emit(path, properties+".PropertiesChanged", iface, map[string]dbus.Variant{name: dbus.MakeVariant(value)}, []string{})
}

func (p *Phone) emit(path dbus.ObjectPath, name string, values ...any) {
	if err := p.conn.Emit(path, name, values...); err != nil {
		p.t.Logf("fake bluetoothd: %v", err)
	}
}

func devicePath(address string) dbus.ObjectPath {
	return phoneAdapter + "/dev_" + dbus.ObjectPath(strings.ReplaceAll(address, ":", "_"))
}

// charPath gives handles that leave room for a service's declaration.
func charPath(device dbus.ObjectPath, i int) dbus.ObjectPath {
	return device + dbus.ObjectPath(fmt.Sprintf("/service000a/char%04x", 0x0b+2*i))
}
