package nm

import (
	"sync/atomic"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

// TestEnableWireless: it is switched on once, and only where NetworkManager runs.
func TestEnableWireless(t *testing.T) {
	address := dbustest.Start(t)
	enable := func(want bool) {
		t.Helper()
		if was, err := (Wireless{Bus: address}).EnableWireless(t.Context()); was != want || err != nil {
			t.Errorf("got %v, %v", was, err)
		}
	}
	enable(false)
	var enabled atomic.Bool
	conn := dbustest.Connect(t, address)
	err := conn.ExportMethodTable(map[string]any{
		"Get": func(iface, name string) (dbus.Variant, *dbus.Error) {
			if iface != Name || name != "WirelessEnabled" {
				t.Errorf("asked for %s of %s", name, iface)
			}
			return dbus.MakeVariant(enabled.Load()), nil
		},
		"Set": func(iface, name string, value dbus.Variant) *dbus.Error {
			if iface != Name || name != "WirelessEnabled" {
				t.Errorf("sets %s of %s", name, iface)
			}
			enabled.Store(value.Value().(bool))
			return nil
		},
	}, path, msgbus.Properties)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.RequestName(Name, 0); err != nil {
		t.Fatal(err)
	}
	enable(true)
	if !enabled.Load() {
		t.Error("it is off")
	}
	enable(false)
}
