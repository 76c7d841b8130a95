package bluez

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

// objects is what an object manager shows: of each object the interfaces, of each
// interface the properties.
type objects map[dbus.ObjectPath]map[string]map[string]dbus.Variant

// world mirrors bluetoothd: its name on the bus, and what of its objects is in kept.
type world struct {
	owner   string // unique name; empty: it is not running
	listed  bool   // objects is all there is
	objects objects
	missed  []*dbus.Message // signals since the objects were asked for, while they are not listed
}

// kept names what the loop looks at. Nothing else is remembered: whoever is in radio
// range adds devices and properties.
var kept = map[string][]string{
	adapterInterface:            {"Address", "Name", "Alias", "Powered", "Pairable"},
	advertisingManagerInterface: {"ActiveInstances", "SupportedInstances"},
	gattManagerInterface:        {},
	deviceInterface:             {"Adapter", "Address", "Connected", "Paired", "Bonded"},
}

// list takes in the answer to GetManagedObjects. A signal that is older than the answer
// does no harm: it is followed by those that led to the answer.
func (w *world) list(all objects) {
	w.objects, w.listed = nil, true
	for path, interfaces := range all {
		w.add(path, interfaces)
	}
	missed := w.missed
	w.missed = nil
	for _, message := range missed {
		w.follow(message)
	}
}

// follow takes in a signal of bluetoothd.
func (w *world) follow(message *dbus.Message) {
	if !w.listed {
		w.missed = append(w.missed, message)
	}
	var (
		path       = dbus.ObjectPath(header(message, dbus.FieldPath))
		interfaces map[string]map[string]dbus.Variant
		properties map[string]dbus.Variant
		names      []string
		name       string
	)
	switch member(message) {
	case msgbus.ObjectManager + ".InterfacesAdded":
		if dbus.Store(message.Body, &path, &interfaces) == nil {
			w.add(path, interfaces)
		}
	case msgbus.ObjectManager + ".InterfacesRemoved":
		if dbus.Store(message.Body, &path, &names) == nil {
			w.remove(path, names)
		}
	case msgbus.PropertiesChanged:
		if dbus.Store(message.Body, &name, &properties, &names) == nil {
			w.change(path, name, properties)
		}
	}
}

func (w *world) add(path dbus.ObjectPath, interfaces map[string]map[string]dbus.Variant) {
	for name, properties := range interfaces {
		if _, ok := kept[name]; !ok {
			continue
		}
		if w.objects == nil {
			w.objects = objects{}
		}
		if w.objects[path] == nil {
			w.objects[path] = map[string]map[string]dbus.Variant{}
		}
		w.objects[path][name] = map[string]dbus.Variant{}
		w.change(path, name, properties)
	}
}

func (w *world) remove(path dbus.ObjectPath, interfaces []string) {
	for _, name := range interfaces {
		delete(w.objects[path], name)
	}
	if len(w.objects[path]) == 0 {
		delete(w.objects, path)
	}
}

func (w *world) change(path dbus.ObjectPath, name string, properties map[string]dbus.Variant) {
	known := w.objects[path][name]
	if known == nil {
		return
	}
	for _, property := range kept[name] {
		if value, ok := properties[property]; ok {
			known[property] = value
		}
	}
}

// become notes that a property is true, of which BlueZ's signal may come late.
func (w *world) become(path dbus.ObjectPath, name, property string) {
	w.change(path, name, map[string]dbus.Variant{property: dbus.MakeVariant(true)})
}

func (w *world) has(path dbus.ObjectPath, name string) bool { return w.objects[path][name] != nil }

// property returns a property, T's zero value if it is unknown or of another type.
func property[T any](w *world, path dbus.ObjectPath, iface, name string) T {
	return msgbus.Value[T](w.objects[path][iface], name)
}

// adapters returns the paths of the adapters, by name: hci2 before hci10.
func (w *world) adapters() []dbus.ObjectPath {
	var list []dbus.ObjectPath
	for path := range w.objects {
		if w.has(path, adapterInterface) {
			list = append(list, path)
		}
	}
	slices.SortFunc(list, func(a, b dbus.ObjectPath) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	return list
}

// adapterAt returns the path of the adapter with this address, empty if there is none.
func (w *world) adapterAt(address string) dbus.ObjectPath {
	for _, path := range w.adapters() {
		if w.adapterAddress(path) == address {
			return path
		}
	}
	return ""
}

func (w *world) adapterAddress(adapter dbus.ObjectPath) string {
	return property[string](w, adapter, adapterInterface, "Address")
}

// canAdvertise reports whether the adapter at path can be a peripheral.
func (w *world) canAdvertise(path dbus.ObjectPath) bool {
	return w.has(path, gattManagerInterface) && w.has(path, advertisingManagerInterface)
}

// radio is the state of an adapter.
type radio struct {
	powered, pairable bool
	active, free      int // advertising instances, of all programs
}

// radio returns the state of the adapter at path. BlueZ shows no instances until the
// kernel has told it, and does not say when it has.
func (w *world) radio(path dbus.ObjectPath) radio {
	return radio{
		powered:  property[bool](w, path, adapterInterface, "Powered"),
		pairable: property[bool](w, path, adapterInterface, "Pairable"),
		active:   int(property[byte](w, path, advertisingManagerInterface, "ActiveInstances")),
		free:     int(property[byte](w, path, advertisingManagerInterface, "SupportedInstances")),
	}
}

// devices returns the paths of the adapter's devices, in order.
func (w *world) devices(adapter dbus.ObjectPath) []dbus.ObjectPath {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(w.objects)), func(path dbus.ObjectPath) bool {
		return !w.has(path, deviceInterface) || !isBelow(path, adapter)
	})
}

func (w *world) connected(device dbus.ObjectPath) bool {
	return property[bool](w, device, deviceInterface, "Connected")
}

// central returns a device as the central that it is: by its Address property or, if the
// device is not known, what its path says (/org/bluez/hci0/dev_00_AA_01_01_00_24).
func (w *world) central(device dbus.ObjectPath) gatt.Central {
	if address := property[string](w, device, deviceInterface, "Address"); address != "" {
		return gatt.Central(address)
	}
	_, address, _ := strings.Cut(string(device), "/dev_")
	return gatt.Central(strings.ReplaceAll(address, "_", ":"))
}

// bonded reports whether keys are stored for a device. The Bonded property exists from
// BlueZ 5.65.
func (w *world) bonded(device dbus.ObjectPath) bool {
	if _, ok := w.objects[device][deviceInterface]["Bonded"]; ok {
		return property[bool](w, device, deviceInterface, "Bonded")
	}
	return property[bool](w, device, deviceInterface, "Paired")
}

// adapterName returns hci0 for /org/bluez/hci0.
func adapterName(path dbus.ObjectPath) string {
	return string(path)[strings.LastIndex(string(path), "/")+1:]
}

// isBelow reports whether a device is one of the adapter's.
func isBelow(device, adapter dbus.ObjectPath) bool {
	return adapter != "" && strings.HasPrefix(string(device), string(adapter)+"/")
}
