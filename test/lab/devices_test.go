//go:build lab

package lab

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

// deviceFlag returns a property of the device with an address, as an adapter of
// bluetoothd's has it; false if it does not know the device.
func deviceFlag(t testing.TB, adapter, address, property string) bool {
	t.Helper()
	value, _ := deviceObject(t, adapter, address)[property].Value().(bool)
	return value
}

// deviceObject returns what an adapter of bluetoothd's knows of the device with
// an address; nil is nothing.
func deviceObject(t testing.TB, adapter, address string) map[string]dbus.Variant {
	t.Helper()
	all, err := objects(t, "org.bluez", "/")
	if err != nil {
		t.Fatal(err)
	}
	return all[devicePath(adapter, address)]["org.bluez.Device1"]
}

func devicePath(adapter, address string) dbus.ObjectPath {
	return dbus.ObjectPath(fmt.Sprintf("/org/bluez/%s/dev_%s", adapter, strings.ReplaceAll(address, ":", "_")))
}

// waitGone waits until the gateway has no connection to the phone at address.
func waitGone(t testing.TB, address string) {
	t.Helper()
	waitFor(t, "the gateway without "+address, patience, func() error {
		if deviceFlag(t, gatewayHCI, address, "Connected") {
			return errors.New("it is connected")
		}
		return nil
	})
}

// bonded reports whether the gateway has a bond with the phone at address.
func (g *gateway) bonded(address string) bool {
	g.t.Helper()
	return deviceFlag(g.t, gatewayHCI, address, "Bonded")
}

// noBond returns nil if the gateway has no bond with the phone at address.
func (g *gateway) noBond(address string) error {
	g.t.Helper()
	if g.bonded(address) {
		return errors.New("there is a bond with " + address)
	}
	return nil
}

// advertises returns nil if the gateway's adapter has that many advertisements,
// as bluetoothd counts them.
func (g *gateway) advertises(want byte) error {
	value, err := bus(g.t).Object("org.bluez", "/org/bluez/"+gatewayHCI).GetProperty("org.bluez.LEAdvertisingManager1.ActiveInstances")
	if err == nil && value.Value() != want {
		err = fmt.Errorf("%v advertisements, want %d", value, want)
	}
	return err
}
