//go:build lab

package lab

import (
	"testing"

	"github.com/godbus/dbus/v5"
)

// A GATT application that does nothing, to compare with: one characteristic with
// the daemon's flags in security mode encrypt.
const (
	noopUUID        = "8b84ff02-f6fa-4e33-9a0c-e14d9f35f201"
	noopServiceUUID = "8b84ff01-f6fa-4e33-9a0c-e14d9f35f201"
	noopRoot        = dbus.ObjectPath("/lab/noop")
	noopService     = noopRoot + "/service"
	noopValue       = noopService + "/value"
)

// registerNoop adds the application to the gateway's adapter until the test ends.
func registerNoop(t testing.TB) {
	t.Helper()
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	type interfaces = map[string]map[string]dbus.Variant
	objects := map[dbus.ObjectPath]interfaces{
		noopService: {"org.bluez.GattService1": {
			"UUID":    dbus.MakeVariant(noopServiceUUID),
			"Primary": dbus.MakeVariant(true),
		}},
		noopValue: {"org.bluez.GattCharacteristic1": {
			"UUID":    dbus.MakeVariant(noopUUID),
			"Service": dbus.MakeVariant(noopService),
			"Flags":   dbus.MakeVariant([]string{"encrypt-write"}),
		}},
	}
	for _, export := range []struct {
		path   dbus.ObjectPath
		iface  string
		method map[string]any
	}{
		{noopRoot, "org.freedesktop.DBus.ObjectManager", map[string]any{
			"GetManagedObjects": func() (map[dbus.ObjectPath]interfaces, *dbus.Error) { return objects, nil },
		}},
		{noopValue, "org.bluez.GattCharacteristic1", map[string]any{
			"WriteValue": func([]byte, map[string]dbus.Variant) *dbus.Error { return nil },
		}},
	} {
		if err := conn.ExportMethodTable(export.method, export.path, export.iface); err != nil {
			t.Fatal(err)
		}
	}
	adapter := conn.Object("org.bluez", "/org/bluez/"+gatewayHCI)
	if err := adapter.Call("org.bluez.GattManager1.RegisterApplication", 0, noopRoot, map[string]dbus.Variant{}).Err; err != nil {
		t.Fatalf("register the application that does nothing: %v", err)
	}
}
