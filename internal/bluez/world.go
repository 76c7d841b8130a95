package bluez

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"
)

// world mirrors what BlueZ's object manager shows: of each object the interfaces
// in kept, of each interface the properties.
type world map[dbus.ObjectPath]map[string]map[string]dbus.Variant

// kept names what the loop looks at. Nothing else is remembered: whoever is in
// radio range adds devices and properties.
var kept = map[string][]string{
	adapterInterface:            {"Address", "Powered", "Pairable"},
	advertisingManagerInterface: {"ActiveInstances", "SupportedInstances"},
	gattManagerInterface:        {},
	deviceInterface:             {"Adapter", "Address", "Connected", "Paired", "Bonded"},
}

// add takes in an object of GetManagedObjects or InterfacesAdded.
func (w world) add(path dbus.ObjectPath, interfaces map[string]map[string]dbus.Variant) {
	for name, properties := range interfaces {
		if _, ok := kept[name]; !ok {
			continue
		}
		if w[path] == nil {
			w[path] = map[string]map[string]dbus.Variant{}
		}
		w[path][name] = map[string]dbus.Variant{}
		w.change(path, name, properties)
	}
}

// remove takes out what InterfacesRemoved names.
func (w world) remove(path dbus.ObjectPath, interfaces []string) {
	for _, name := range interfaces {
		delete(w[path], name)
	}
	if len(w[path]) == 0 {
		delete(w, path)
	}
}

// change takes in a PropertiesChanged.
func (w world) change(path dbus.ObjectPath, name string, properties map[string]dbus.Variant) {
	known := w[path][name]
	if known == nil {
		return
	}
	for _, property := range kept[name] {
		if value, ok := properties[property]; ok {
			known[property] = value
		}
	}
}

// follow takes in a signal of BlueZ.
func (w world) follow(signal string, path dbus.ObjectPath, body []any) {
	var (
		interfaces map[string]map[string]dbus.Variant
		properties map[string]dbus.Variant
		names      []string
		name       string
	)
	switch signal {
	case objectManager + ".InterfacesAdded":
		if dbus.Store(body, &path, &interfaces) == nil {
			w.add(path, interfaces)
		}
	case objectManager + ".InterfacesRemoved":
		if dbus.Store(body, &path, &names) == nil {
			w.remove(path, names)
		}
	case propertiesInterface + ".PropertiesChanged":
		if dbus.Store(body, &name, &properties, &names) == nil {
			w.change(path, name, properties)
		}
	}
}

func (w world) has(path dbus.ObjectPath, name string) bool { return w[path][name] != nil }

func (w world) flag(path dbus.ObjectPath, name, property string) bool {
	value, _ := w[path][name][property].Value().(bool)
	return value
}

func (w world) text(path dbus.ObjectPath, name, property string) string {
	value, _ := w[path][name][property].Value().(string)
	return value
}

func (w world) number(path dbus.ObjectPath, name, property string) int {
	value, _ := w[path][name][property].Value().(byte)
	return int(value)
}

// adapters returns the paths of the adapters, by name: hci2 before hci10.
func (w world) adapters() []dbus.ObjectPath {
	var list []dbus.ObjectPath
	for path := range w {
		if w.has(path, adapterInterface) {
			list = append(list, path)
		}
	}
	slices.SortFunc(list, func(a, b dbus.ObjectPath) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	return list
}

// canAdvertise reports whether the adapter at path can be a peripheral.
func (w world) canAdvertise(path dbus.ObjectPath) bool {
	return w.has(path, gattManagerInterface) && w.has(path, advertisingManagerInterface)
}

// instances returns how many advertisements the adapter at path has, used and
// free. BlueZ shows 0 until the kernel has told it, and does not say when it has.
func (w world) instances(path dbus.ObjectPath) int {
	return w.number(path, advertisingManagerInterface, "SupportedInstances") +
		w.number(path, advertisingManagerInterface, "ActiveInstances")
}

// adapterAt returns the path of the adapter whose address this is, or an empty path.
func (w world) adapterAt(address string) dbus.ObjectPath {
	for _, path := range w.adapters() {
		if w.text(path, adapterInterface, "Address") == address {
			return path
		}
	}
	return ""
}

// devices returns the paths of the adapter's devices, in order.
func (w world) devices(adapter dbus.ObjectPath) []dbus.ObjectPath {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(w)), func(path dbus.ObjectPath) bool {
		return !w.has(path, deviceInterface) || !strings.HasPrefix(string(path), string(adapter)+"/")
	})
}

// address returns a device's address: the Address property or, if the device is
// not known, what its path says (/org/bluez/hci0/dev_00_AA_01_01_00_24).
func (w world) address(device dbus.ObjectPath) string {
	if address := w.text(device, deviceInterface, "Address"); address != "" {
		return address
	}
	_, address, _ := strings.Cut(string(device), "/dev_")
	return strings.ReplaceAll(address, "_", ":")
}

// bonded reports whether keys are stored for a device. The Bonded property
// exists from BlueZ 5.65.
func (w world) bonded(device dbus.ObjectPath) bool {
	if _, ok := w[device][deviceInterface]["Bonded"]; ok {
		return w.flag(device, deviceInterface, "Bonded")
	}
	return w.flag(device, deviceInterface, "Paired")
}

// adapterName returns hci0 for /org/bluez/hci0.
func adapterName(path dbus.ObjectPath) string {
	return string(path)[strings.LastIndex(string(path), "/")+1:]
}
