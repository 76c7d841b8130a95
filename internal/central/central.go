// Package central is a phone's side of the provisioning contract, played by this machine's
// BlueZ over its D-Bus client API (BlueZ doc/org.bluez.Adapter.rst, org.bluez.Device.rst,
// org.bluez.GattCharacteristic.rst): it finds gateways, pairs with one, connects, reads, writes
// and receives notifications.
package central

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

const (
	bluezName           = "org.bluez"
	adapterIface        = "org.bluez.Adapter1"
	deviceIface         = "org.bluez.Device1"
	serviceIface        = "org.bluez.GattService1"
	characteristicIface = "org.bluez.GattCharacteristic1"
)

// How long each kind of call may take. A shorter deadline of the caller's holds.
const (
	localTimeout = 5 * time.Second // bluetoothd alone

	// An ATT transaction times out after 30 s (Core Specification, volume 3, part F, 3.3.3).
	gattTimeout = 35 * time.Second

	connectTimeout = 40 * time.Second
	connectTries   = 3 // of connections that are lost before the services are resolved

	// BlueZ 5.82 may remove a device only when its temporary timeout is over, 30 s (main.conf,
	// TemporaryTimeout).
	removeTimeout = 45 * time.Second
	removeAgain   = 5 * time.Second

	// A person types a passkey; SMP allows 30 s between two messages (part H, 3.4).
	pairTimeout = 90 * time.Second
)

// Options are how a Central works.
type Options struct {
	// Adapter is the Bluetooth adapter's name, such as hci0. Empty: the first one that is powered.
	Adapter string
	// Capability is BlueZ's name of the agent's input and output capability. Empty: KeyboardOnly,
	// which gives passkey entry with a gateway that shows a passkey, and Just Works with one that
	// cannot.
	Capability string
	// Passkey returns the six digits that the gateway shows, at most 999999. ctx ends with the
	// pairing. Nil: pairing that needs a passkey fails.
	Passkey func(ctx context.Context) (uint32, error)
	// Bus is the message bus's address. Empty: the system bus.
	Bus string
}

// Central is one Bluetooth adapter in the role of a phone.
type Central struct {
	options Options
	conn    *dbus.Conn
	objects *objects
	adapter dbus.ObjectPath
	agent   *agent
}

// Open connects to BlueZ and returns the adapter that options name. The Central outlives ctx.
func Open(ctx context.Context, options Options) (*Central, error) {
	if options.Capability == "" {
		options.Capability = "KeyboardOnly"
	}
	ctx, done := context.WithTimeout(ctx, 2*localTimeout)
	defer done()
	c := &Central{options: options, objects: newObjects()}
	var err error
	if c.conn, err = dial(ctx, options.Bus, c.objects); err != nil {
		return nil, err
	}
	if err := c.open(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Central) open(ctx context.Context) error {
	if err := c.follow(ctx); err != nil {
		return err
	}
	var err error
	if c.adapter, err = c.findAdapter(); err != nil {
		return err
	}
	c.agent = newAgent(c.options.Passkey)
	return c.agent.register(ctx, c.bluez(localTimeout), c.options.Capability)
}

// Close ends the connection to BlueZ, and with it the agent and every watch. A gateway that is
// connected stays connected: see Session.Disconnect.
func (c *Central) Close() { _ = c.conn.Close() }

// dial returns a connection whose signals go to signals. ctx bounds the dialing alone.
func dial(ctx context.Context, address string, signals dbus.SignalHandler) (*dbus.Conn, error) {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, end)
	conn, err := msgbus.Dial(life, address, dbus.WithSignalHandler(signals))
	if !stop() { // ctx has ended, and the connection with it
		return nil, fmt.Errorf("connect to the message bus: %w", ctx.Err())
	}
	if err != nil {
		end()
	}
	return conn, err
}

// findAdapter returns the adapter to use. Its errors say what to do if there is none.
func (c *Central) findAdapter() (dbus.ObjectPath, error) {
	const switchOn = "with 'bluetoothctl power on' (and 'rfkill unblock bluetooth')"
	c.objects.mu.Lock()
	defer c.objects.mu.Unlock()
	var paths []dbus.ObjectPath
	for path, ifaces := range c.objects.ifaces {
		if ifaces[adapterIface] != nil {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	for _, path := range paths {
		powered := property[bool](c.objects, path, adapterIface, "Powered")
		name := string(path[strings.LastIndexByte(string(path), '/')+1:])
		switch {
		case c.options.Adapter == "" && powered, c.options.Adapter == name && powered:
			return path, nil
		case c.options.Adapter == name:
			return "", fmt.Errorf("adapter %s is off: switch it on %s", name, switchOn)
		}
	}
	switch {
	case len(paths) == 0:
		return "", fmt.Errorf("%w: this machine has none", ErrNoAdapter)
	case c.options.Adapter == "":
		return "", fmt.Errorf("every Bluetooth adapter is off: switch one on %s", switchOn)
	}
	return "", fmt.Errorf("%w: %q; see 'bluetoothctl list'", ErrNoAdapter, c.options.Adapter)
}

// bluez returns BlueZ, for calls that may take as long as timeout.
func (c *Central) bluez(timeout time.Duration) msgbus.Program {
	return msgbus.Program{Conn: c.conn, Name: bluezName, Timeout: timeout}
}

// device returns the object of the device with that address.
func (c *Central) device(address string) (dbus.ObjectPath, error) {
	c.objects.mu.Lock()
	defer c.objects.mu.Unlock()
	for path, ifaces := range c.objects.ifaces {
		if ifaces[deviceIface] != nil && strings.HasPrefix(string(path), string(c.adapter)+"/") &&
			strings.EqualFold(property[string](c.objects, path, deviceIface, "Address"), address) {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w: %q", ErrUnknownDevice, address)
}
