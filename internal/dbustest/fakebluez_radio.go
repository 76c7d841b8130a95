package dbustest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// What happens on the air, and what BlueZ makes of it.

const (
	gattChar1      = "org.bluez.GattCharacteristic1"
	gattDesc1      = "org.bluez.GattDescriptor1"
	advertisement1 = "org.bluez.LEAdvertisement1"
	agent1         = "org.bluez.Agent1"
	answerTimeout  = 10 * time.Second
)

// Connect makes the phone at address connect to adapter (hci0), and returns its
// device's path.
func (b *BlueZ) Connect(adapter, address string) dbus.ObjectPath {
	owner := bluezRoot + "/" + dbus.ObjectPath(adapter)
	path := owner + "/dev_" + dbus.ObjectPath(strings.ReplaceAll(address, ":", "_"))
	b.mu.Lock()
	known, conn := b.objects[path] != nil, b.conn
	b.mu.Unlock()
	if !known {
		if conn != nil {
			b.exportAt(conn, path, properties, "Set")
			b.exportAt(conn, path, device1, "Disconnect")
		}
		b.add(path, map[string]map[string]dbus.Variant{device1: {
			"Adapter": dbus.MakeVariant(owner), "Address": dbus.MakeVariant(address),
			"Connected": dbus.MakeVariant(false), "Paired": dbus.MakeVariant(false), "Bonded": dbus.MakeVariant(false),
		}})
	}
	b.Set(path, device1, "Connected", true)
	return path
}

// Blocked reports whether a device is kept from connecting.
func (b *BlueZ) Blocked(device dbus.ObjectPath) bool { return b.flag(device, device1, "Blocked") }

// Disconnect ends a phone's connection.
func (b *BlueZ) Disconnect(device dbus.ObjectPath) { b.Set(device, device1, "Connected", false) }

// Bond pairs a phone, without asking the agent.
func (b *BlueZ) Bond(device dbus.ObjectPath) {
	b.Set(device, device1, "Paired", true)
	b.Set(device, device1, "Bonded", true)
}

// Capability returns the capability of the default agent, empty if there is none.
func (b *BlueZ) Capability() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.agent.isDefault {
		return ""
	}
	return b.agent.capability
}

// Advertising reports whether adapter (hci0) is powered and advertises.
func (b *BlueZ) Advertising(adapter string) bool {
	path := bluezRoot + "/" + dbus.ObjectPath(adapter)
	powered := b.flag(path, adapter1, "Powered")
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.adverts[path]) > 0 && powered
}

// Advertisements returns the properties of what adapter (hci0) advertises, as they were
// registered, in the order of the paths.
func (b *BlueZ) Advertisements(adapter string) []map[string]dbus.Variant {
	b.mu.Lock()
	defer b.mu.Unlock()
	registered := slices.SortedFunc(slices.Values(b.adverts[bluezRoot+"/"+dbus.ObjectPath(adapter)]), func(x, y advert) int {
		return cmp.Compare(x.path, y.path)
	})
	var list []map[string]dbus.Variant
	for _, a := range registered {
		list = append(list, a.properties)
	}
	return list
}

// Release ends the last advertisement that was registered: BlueZ tells its owner.
func (b *BlueZ) Release(adapter string) {
	path := bluezRoot + "/" + dbus.ObjectPath(adapter)
	b.mu.Lock()
	last := len(b.adverts[path]) - 1
	e := b.adverts[path][last].export
	b.adverts[path] = b.adverts[path][:last]
	b.mu.Unlock()
	if err := b.ask(e, advertisement1+".Release").Err; err != nil {
		b.t.Errorf("release the advertisement: %v", err)
	}
}

// Drop ends the last advertisement that was registered, without telling its owner.
func (b *BlueZ) Drop(adapter string) {
	path := bluezRoot + "/" + dbus.ObjectPath(adapter)
	b.mu.Lock()
	last := len(b.adverts[path]) - 1
	b.adverts[path] = b.adverts[path][:last]
	b.mu.Unlock()
	b.Set(path, advMgr1, "ActiveInstances", byte(last))
}

// AskAgent calls a method of the default agent and returns its error.
func (b *BlueZ) AskAgent(method string, args ...any) error {
	b.mu.Lock()
	e := b.agent.export
	b.mu.Unlock()
	return b.ask(e, agent1+"."+method, args...).Err
}

// Client returns the bus name of who has asked for BlueZ's objects last.
func (b *BlueZ) Client() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.client
}

// Sync returns when the client, which answers calls in order, has taken in all
// signals and calls so far.
func (b *BlueZ) Sync() {
	b.t.Helper()
	// The error that there is no such method is an answer, too.
	if _, ok := b.ask(export{b.Client(), "/"}, "org.bluez.Fake.Sync").Err.(dbus.Error); !ok {
		b.t.Fatal("the client does not answer")
	}
}

// Tree returns the objects of the applications on adapter (hci0), in the order in
// which they gave them, each as its UUID and its Flags.
func (b *BlueZ) Tree(adapter string) []string {
	var list []string
	for _, a := range b.appsOn(adapter) {
		for _, path := range a.order {
			for _, values := range a.objects[path] {
				flags, _ := values["Flags"].Value().([]string)
				list = append(list, strings.TrimSpace(text(values["UUID"])+" "+strings.Join(flags, ",")))
			}
		}
	}
	return list
}

// Properties returns the properties of the service, characteristic or descriptor with
// this UUID.
func (b *BlueZ) Properties(adapter, uuid string) map[string]dbus.Variant {
	for _, a := range b.appsOn(adapter) {
		for _, interfaces := range a.objects {
			for _, values := range interfaces {
				if text(values["UUID"]) == uuid {
					return values
				}
			}
		}
	}
	b.t.Fatalf("there is no %s", uuid)
	return nil
}

// Write starts to write a characteristic as the phone at device and returns the
// call. More options, as name and value, may follow.
func (b *BlueZ) Write(device dbus.ObjectPath, uuid string, value []byte, options ...any) *dbus.Call {
	return b.request(device, uuid, "WriteValue", []any{value}, options)
}

// Read starts to read a characteristic or descriptor as the phone at device.
func (b *BlueZ) Read(device dbus.ObjectPath, uuid string, options ...any) *dbus.Call {
	return b.request(device, uuid, "ReadValue", nil, options)
}

// Subscribe starts to subscribe to a characteristic.
func (b *BlueZ) Subscribe(device dbus.ObjectPath, uuid string) *dbus.Call {
	a, path, _ := b.find(device, uuid)
	return b.connection().Object(a.owner, path).Go(gattChar1+".StartNotify", 0, nil)
}

func (b *BlueZ) request(device dbus.ObjectPath, uuid, method string, args []any, options []any) *dbus.Call {
	a, path, iface := b.find(device, uuid)
	dict := map[string]dbus.Variant{"device": dbus.MakeVariant(device), "link": dbus.MakeVariant("LE"), "mtu": dbus.MakeVariant(uint16(23))}
	for i := 0; i+1 < len(options); i += 2 {
		dict[options[i].(string)] = dbus.MakeVariant(options[i+1])
	}
	return b.connection().Object(a.owner, path).Go(iface+"."+method, 0, nil, append(args, dict)...)
}

// find returns the characteristic or descriptor with this UUID, and which of the two it is.
func (b *BlueZ) find(device dbus.ObjectPath, uuid string) (a *app, path dbus.ObjectPath, iface string) {
	adapter := strings.TrimPrefix(string(device[:strings.LastIndex(string(device), "/")]), string(bluezRoot)+"/")
	for _, a := range b.appsOn(adapter) {
		for _, path := range a.order {
			for _, iface := range []string{gattChar1, gattDesc1} {
				if text(a.objects[path][iface]["UUID"]) == uuid {
					return a, path, iface
				}
			}
		}
	}
	b.t.Fatalf("there is no characteristic or descriptor %s", uuid)
	return nil, "", ""
}

func (b *BlueZ) appsOn(adapter string) []*app {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.apps[bluezRoot+"/"+dbus.ObjectPath(adapter)]
	if len(list) == 0 {
		b.t.Fatalf("no application is registered on %s", adapter)
	}
	return slices.Clone(list)
}

func (b *BlueZ) connection() *dbus.Conn {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conn == nil {
		b.t.Fatal("the fake bluetoothd is not running")
	}
	return b.conn
}

func (b *BlueZ) ask(e export, method string, args ...any) *dbus.Call {
	if e.owner == "" {
		return &dbus.Call{Err: fmt.Errorf("nobody to ask for %s", method)}
	}
	return askOn(b.connection(), e, method, args...)
}

func askOn(conn *dbus.Conn, e export, method string, args ...any) *dbus.Call {
	ctx, cancel := context.WithTimeout(conn.Context(), answerTimeout)
	defer cancel()
	return conn.Object(e.owner, e.path).CallWithContext(ctx, method, 0, args...)
}
