package central

import (
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

// FuzzObjects: whatever BlueZ signals, and with it whoever advertises, is taken in without a
// crash, and the number of values that nobody has received stays bounded.
func FuzzObjects(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x00\x00\x00\x00\x02\x00\x01\x01\x02\xff\x02\x1b[\x03\x02\xff\xc4\x05\x0b\x08\x08"))
	f.Add([]byte("\x01\x01\x00\x01\x00\x01\x06\x09\x01\x02\x00\x00\x00"))
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := &Central{adapter: "/org/bluez/hci0", objects: newObjects()}
		o := c.objects
		const device, char = "/org/bluez/hci0/dev_A", "/org/bluez/hci0/dev_A/service0001/char0002"
		o.add(char, interfaces{characteristicIface: {}})
		w := o.watch(char)
		v := dbustest.NewValues(data, deviceIface, characteristicIface, "Address", "Name", "RSSI", "UUIDs", "Value", "Connected", ServiceUUID, device, char)
		path := func() any { return dbus.ObjectPath(v.Pick(device, char, v.Word())) }
		names := func() any { return []string{v.Word(), v.Word()} }
		for range 100 {
			if !v.More() {
				break
			}
			s := &dbus.Signal{Path: dbus.ObjectPath(v.Pick(device, char))}
			switch v.Pick("added", "changed", "removed") {
			case "added":
				s.Name, s.Body = msgbus.ObjectManager+".InterfacesAdded", v.Body(path, func() any { return v.Interfaces() })
			case "changed":
				s.Name = msgbus.PropertiesChanged
				s.Body = v.Body(func() any { return v.Word() }, func() any { return v.Properties() }, names)
			case "removed":
				s.Name, s.Body = msgbus.ObjectManager+".InterfacesRemoved", v.Body(path, names)
			}
			o.DeliverSignal("", "", s)
			c.heard()
		}
		if len(w.values) > maxUnread {
			t.Errorf("%d values wait", len(w.values))
		}
	})
}
