// Package central is a phone's side of the provisioning contract, played by this
// machine's BlueZ over its D-Bus client API (BlueZ doc/org.bluez.Adapter.rst,
// org.bluez.Device.rst, org.bluez.GattCharacteristic.rst): it finds gateways,
// pairs with one, writes, reads and listens.
package central

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	bluezName           = "org.bluez"
	adapterIface        = "org.bluez.Adapter1"
	deviceIface         = "org.bluez.Device1"
	serviceIface        = "org.bluez.GattService1"
	characteristicIface = "org.bluez.GattCharacteristic1"
	propertiesIface     = "org.freedesktop.DBus.Properties"
	objectManagerIface  = "org.freedesktop.DBus.ObjectManager"
)

// The longest that each kind of call may take; a shorter deadline of the
// caller's holds.
const (
	localTimeout   = 5 * time.Second  // bluetoothd alone
	gattTimeout    = 35 * time.Second // an ATT transaction ends after 30 s (Core Specification, volume 3, part F, 3.3.3)
	connectTimeout = 40 * time.Second
	connectTries   = 3 // of connections that end before the services are known
	removeAgain    = 5 * time.Second
	removeTimeout  = 45 * time.Second // BlueZ 5.82 may do it only when the time of a temporary device is over, 30 s (main.conf)
	pairTimeout    = 90 * time.Second // a person types a passkey; SMP allows 30 s between two messages
)

// Options are how a Central works.
type Options struct {
	// Adapter is the Bluetooth adapter's name, such as hci0. Empty: the first
	// that is powered.
	Adapter string
	// Capability is what BlueZ calls an agent's input and output capability.
	// Empty: KeyboardOnly, which gives passkey entry with a gateway that shows
	// one, and Just Works with a gateway that cannot.
	Capability string
	// Passkey is asked for the six digits that the gateway shows, at most
	// 999999. ctx ends when the pairing does. Nil: pairing that needs one fails.
	Passkey func(ctx context.Context) (uint32, error)
	// Bus is the message bus's address. Empty: the system bus.
	Bus string
	// Rescan switches the controller's scanning off and on while looking for
	// gateways. Virtual controllers (BlueZ's btvirt) report an advertisement
	// only at that moment. It needs the right to open a raw HCI socket, and no
	// real controller needs it.
	Rescan bool
}

// Central is one Bluetooth adapter in the role of a phone.
type Central struct {
	options Options
	conn    *dbus.Conn
	objects *objects
	adapter dbus.ObjectPath
	agent   *agent
}

// Open connects to BlueZ and returns the adapter that options name.
func Open(ctx context.Context, options Options) (*Central, error) {
	if options.Capability == "" {
		options.Capability = "KeyboardOnly"
	}
	ctx, done := context.WithTimeout(ctx, 2*localTimeout)
	defer done()
	c := &Central{options: options, objects: newObjects()}
	conn, err := dial(ctx, options.Bus, c.objects)
	if err != nil {
		return nil, fmt.Errorf("connect to the message bus: %w", err)
	}
	c.conn = conn
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
	return c.agent.register(ctx, c.conn, c.options.Capability)
}

// Close ends the connection to BlueZ, and with it the agent and every watch. A
// gateway that is connected stays connected: see Session.Disconnect.
func (c *Central) Close() { _ = c.conn.Close() }

// dial gives a connection of its own whose signals go to signals.
func dial(ctx context.Context, address string, signals dbus.SignalHandler) (*dbus.Conn, error) {
	type result struct {
		conn *dbus.Conn
		err  error
	}
	results := make(chan result, 1)
	go func() { // Hello may hang: godbus has no deadline for it
		var r result
		handler := dbus.WithSignalHandler(signals)
		if address == "" {
			r.conn, r.err = dbus.ConnectSystemBus(handler)
		} else {
			r.conn, r.err = dbus.Connect(address, handler)
		}
		results <- r
	}()
	select {
	case r := <-results:
		return r.conn, r.err
	case <-ctx.Done():
		go func() {
			if r := <-results; r.conn != nil {
				_ = r.conn.Close()
			}
		}()
		return nil, timedOut(ctx, "no answer")
	}
}

// findAdapter returns the adapter to use, and says what to do if there is none.
func (c *Central) findAdapter() (dbus.ObjectPath, error) {
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
			return "", fmt.Errorf("adapter %s is off: switch it on with 'bluetoothctl power on' (and 'rfkill unblock bluetooth')", name)
		}
	}
	switch {
	case len(paths) == 0:
		return "", fmt.Errorf("%w: this machine has none", ErrNoAdapter)
	case c.options.Adapter == "":
		return "", fmt.Errorf("every Bluetooth adapter is off: switch one on with 'bluetoothctl power on' (and 'rfkill unblock bluetooth')")
	}
	return "", fmt.Errorf("%w: %q; see 'bluetoothctl list'", ErrNoAdapter, c.options.Adapter)
}

// call calls a method of BlueZ and waits for its answer, at most timeout.
func (c *Central) call(ctx context.Context, timeout time.Duration, path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return c.conn.Object(bluezName, path).CallWithContext(ctx, method, 0, args...)
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
