//go:build lab

package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// deviceFlag returns a property that bluetoothd has for a device on an adapter; false if it does not
// know the device.
func deviceFlag(t testing.TB, adapter, address, property string) bool {
	t.Helper()
	value, _ := deviceObject(t, adapter, address)[property].Value().(bool)
	return value
}

// deviceObject returns the properties that bluetoothd has for a device on an adapter; nil: none.
func deviceObject(t testing.TB, adapter, address string) map[string]dbus.Variant {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var device map[string]dbus.Variant
	err := bus(t).Object("org.bluez", devicePath(adapter, address)).
		CallWithContext(ctx, "org.freedesktop.DBus.Properties.GetAll", dbus.FlagNoAutoStart, "org.bluez.Device1").Store(&device)
	var e dbus.Error
	if err != nil && !(errors.As(err, &e) && e.Name == "org.freedesktop.DBus.Error.UnknownObject") {
		t.Fatal(err)
	}
	return device
}

func devicePath(adapter, address string) dbus.ObjectPath {
	return dbus.ObjectPath(fmt.Sprintf("/org/bluez/%s/dev_%s", adapter, strings.ReplaceAll(address, ":", "_")))
}

// waitGone waits until the gateway has no connection to the phone at address. The daemon learns it at
// the same time and registers its advertisement anew. Who connects before that may wait for long:
// BlueZ 5.66 sends the kernel one command at a time, and here, where one bluetoothd has both ends,
// the phone's command, which waits for an advertisement, is ahead of the gateway's, which would
// advertise.
func waitGone(t testing.TB, address string) {
	t.Helper()
	defer time.Sleep(300 * time.Millisecond)
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

// advertises returns nil if bluetoothd counts that many advertisements on the gateway's adapter.
func (g *gateway) advertises(want byte) error {
	n, err := instances(g.t)
	if err == nil && n != want {
		err = fmt.Errorf("%d advertisements, want %d", n, want)
	}
	return err
}

func instances(t testing.TB) (n byte, err error) {
	value, err := bus(t).Object("org.bluez", "/org/bluez/"+gatewayHCI).GetProperty("org.bluez.LEAdvertisingManager1.ActiveInstances")
	if err == nil {
		err = value.Store(&n)
	}
	return n, err
}
