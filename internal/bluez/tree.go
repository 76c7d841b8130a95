package bluez

import (
	"fmt"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

// Attribute handles are asked for and not left to BlueZ, which hands out higher ones each
// time a service comes back (src/shared/gatt-db.c). Phones that have bonded keep the
// handles they saw. BlueZ fills a service's handles in the order of the GetManagedObjects
// reply; the Handle property of a characteristic means different things in 5.66 and 5.82
// and is left out.
// All stay below 0x0400: BlueZ hashes the table with one writev of a piece a handle, of
// which Linux takes 1024 (src/shared/gatt-db.c, db_hash_update; writev(2)). With a higher
// one the Database Hash reads as zeros, and no client can keep what it has discovered.
const (
	firstHandle  uint16 = 0x0200 // above those that BlueZ hands out itself
	handleStride uint16 = 0x0040 // room for a service to grow without moving the next
)

// The reply of GetManagedObjects, in order: godbus encodes maps in random order. It is
// announced as managedObjectsSignature.
type (
	object struct {
		Path       dbus.ObjectPath
		Interfaces []objectInterface
	}
	objectInterface struct {
		Name       string
		Properties []namedValue
	}
	namedValue struct {
		Name  string
		Value dbus.Variant
	}
)

const (
	managedObjectsSignature = "a{oa{sa{sv}}}"
	propertiesSignature     = "a{sv}"
)

// tree is what this package exports of the declared services. BlueZ refuses all of it for
// one flag that it does not know.
type tree struct {
	objects         []object // of the services that stay
	coming          []object // of those that come and go
	characteristics map[dbus.ObjectPath]characteristic
	descriptors     map[dbus.ObjectPath]descriptor
	pairing         gatt.Pairing // the strongest that a service requires
}

// characteristic and descriptor are with the pairing that their service requires.
type (
	characteristic struct {
		*gatt.Characteristic
		pairing gatt.Pairing
	}
	descriptor struct {
		gatt.Descriptor
		pairing gatt.Pairing
	}
)

// asCharacteristic returns d as what is read like it.
func (d descriptor) asCharacteristic() characteristic {
	read := func(gatt.Request) ([]byte, error) { return d.Value, nil }
	return characteristic{&gatt.Characteristic{UUID: d.UUID, Read: read}, d.pairing}
}

func newTree(services, coming []gatt.Service) *tree {
	t := &tree{
		characteristics: map[dbus.ObjectPath]characteristic{},
		descriptors:     map[dbus.ObjectPath]descriptor{},
	}
	t.addServices(comingPath, coming, firstHandle+uint16(len(services))*handleStride)
	t.coming, t.objects = t.objects, nil
	t.addServices(applicationPath, services, firstHandle)
	return t
}

func (t *tree) addServices(root dbus.ObjectPath, services []gatt.Service, handle uint16) {
	for i, service := range services {
		t.pairing = max(t.pairing, service.Pairing)
		path := dbus.ObjectPath(fmt.Sprintf("%s/service%d", root, i))
		t.add(path, serviceInterface,
			namedValue{"UUID", dbus.MakeVariant(service.UUID)},
			namedValue{"Primary", dbus.MakeVariant(true)},
			namedValue{"Handle", dbus.MakeVariant(handle)})
		for j, c := range service.Characteristics {
			below := dbus.ObjectPath(fmt.Sprintf("%s/char%d", path, j))
			t.addCharacteristic(below, path, characteristic{c, service.Pairing})
		}
		handle += handleStride
	}
}

// addCharacteristic adds a characteristic and its descriptors. It exports no Value, which
// every program on the bus could read, and neither WriteAcquired nor NotifyAcquired, which
// make BlueZ pass values through sockets. It does not allow write-without-response: BlueZ
// then drops the errors of write requests, too.
func (t *tree) addCharacteristic(
	path, service dbus.ObjectPath, c characteristic,
) {
	t.characteristics[path] = c
	f := flags[c.pairing]
	var list []string
	if c.Read != nil || c.ReadLater != nil {
		list = append(list, f.read)
	}
	if c.Write != nil {
		list = append(list, f.write)
	}
	if c.Notify != nil {
		list = append(list, f.notify)
	}
	t.add(path, characteristicInterface,
		namedValue{"UUID", dbus.MakeVariant(c.UUID)},
		namedValue{"Service", dbus.MakeVariant(service)},
		namedValue{"Flags", dbus.MakeVariant(list)})
	for i, d := range c.Descriptors {
		below := dbus.ObjectPath(fmt.Sprintf("%s/desc%d", path, i))
		t.descriptors[below] = descriptor{d, c.pairing}
		t.add(below, descriptorInterface,
			namedValue{"UUID", dbus.MakeVariant(d.UUID)},
			namedValue{"Characteristic", dbus.MakeVariant(path)},
			namedValue{"Flags", dbus.MakeVariant([]string{f.read})})
	}
}

func (t *tree) add(path dbus.ObjectPath, name string, properties ...namedValue) {
	t.objects = append(t.objects, object{path, []objectInterface{{name, properties}}})
}
