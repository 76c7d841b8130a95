package bluez

import (
	"fmt"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/bluez/gatt"
)

// Attribute handles are asked for and not left to BlueZ, which hands out higher
// ones each time a service comes back (src/shared/gatt-db.c). Phones that have
// bonded keep the handles they saw. BlueZ fills a service's handles in the order
// of the GetManagedObjects reply; the Handle property of a characteristic means
// different things in 5.66 and 5.82 and is left out.
const (
	firstHandle  uint16 = 0x1000 // far above those that BlueZ hands out itself
	handleStride uint16 = 0x0100 // room for a service to grow without moving the next
)

// The reply of GetManagedObjects, in order. It is announced as
// managedObjectsSignature.
type (
	object struct {
		Path       dbus.ObjectPath
		Interfaces []objectInterface
	}
	objectInterface struct {
		Name       string
		Properties []property
	}
	property struct {
		Name  string
		Value dbus.Variant
	}
)

const (
	managedObjectsSignature = "a{oa{sa{sv}}}"
	propertiesSignature     = "a{sv}"
)

// tree is what this package exports of the declared services.
type tree struct {
	objects         []object
	characteristics map[dbus.ObjectPath]*gatt.Characteristic
}

func newTree(services []gatt.Service, security Security) *tree {
	t := &tree{characteristics: map[dbus.ObjectPath]*gatt.Characteristic{}}
	handle := firstHandle
	for i, service := range services {
		path := dbus.ObjectPath(fmt.Sprintf("%s/service%d", applicationPath, i))
		t.add(path, serviceInterface,
			property{"UUID", dbus.MakeVariant(service.UUID)},
			property{"Primary", dbus.MakeVariant(true)},
			property{"Handle", dbus.MakeVariant(handle)})
		for j, c := range service.Characteristics {
			characteristic := dbus.ObjectPath(fmt.Sprintf("%s/char%d", path, j))
			t.characteristics[characteristic] = c
			t.add(characteristic, characteristicInterface,
				property{"UUID", dbus.MakeVariant(c.UUID)},
				property{"Service", dbus.MakeVariant(path)},
				property{"Flags", dbus.MakeVariant(characteristicFlags(c, security))})
		}
		handle += handleStride
	}
	return t
}

func (t *tree) add(path dbus.ObjectPath, name string, properties ...property) {
	t.objects = append(t.objects, object{path, []objectInterface{{name, properties}}})
}

func characteristicFlags(c *gatt.Characteristic, security Security) []string {
	var list []string
	if c.Read != nil {
		list = append(list, flags[security].read)
	}
	if c.Write != nil {
		list = append(list, flags[security].write)
	}
	if c.Notify != nil {
		list = append(list, flags[security].notify)
	}
	return list
}

// advertisement returns the properties of the advertisement. Only what is set is
// exported: BlueZ takes the mere presence of some properties as a wish.
func advertisement(name string, services []gatt.Service) []property {
	list := []property{
		{"Type", dbus.MakeVariant("peripheral")},
		{"Discoverable", dbus.MakeVariant(true)},
	}
	if len(services) > 0 {
		list = append(list, property{"ServiceUUIDs", dbus.MakeVariant([]string{services[0].UUID})})
	}
	if name != "" {
		list = append(list, property{"LocalName", dbus.MakeVariant(name)})
	}
	return list
}
