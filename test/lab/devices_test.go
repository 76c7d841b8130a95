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

// waitGone waits until the gateway has no connection to the phone at address. The
// daemon, which is told at the same time, then registers its advertisement anew. Who
// connects before that may wait for long: BlueZ 5.66 sends the kernel one command at a
// time, and here the phone's one, which waits for an advertisement, is before the
// gateway's one that makes it advertise.
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

// advertises returns nil if the gateway's adapter has that many advertisements,
// as bluetoothd counts them.
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
