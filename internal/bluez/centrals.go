package bluez

import (
	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

// central is a device that is connected to us.
type central struct {
	id       gatt.Central // as it was first seen; a bond may reveal the identity address
	used     bool         // a service or the agent
	bonds    bool         // its bond is ours: see served; it uses the agent, or had none when it came
	came     bool         // while the gateway was advertised: no other program has connected it
	reported bool         // to Handler.Bonded
	passkey  string       // the last one shown, until it is typed
}

// centrals keeps the list of the devices that are connected to us, and tells when one
// comes, bonds and goes. The kernel bounds their number.
type centrals struct {
	world     *world
	chooser   *chooser
	registrar *registrar
	lockout   *lockout
	handler   Handler
	gone      func(gatt.Central) // may be nil
	pairing   gatt.Pairing       // that bonds are made with
	all       map[dbus.ObjectPath]*central
	waited    bool // the gateway was advertised when follow was called last
	bus       *bus
	loop      *loop
}

// follow brings the list up to date with the world.
func (c *centrals) follow() {
	advertised := c.registrar.advertised()
	if advertised { // else another program has made the connection
		for _, device := range c.world.devices(c.chooser.current) {
			if c.world.connected(device) && c.all[device] == nil {
				c.get(device).came = c.waited
			}
		}
	}
	c.waited = advertised
	for device, central := range c.all {
		if c.world.connected(device) {
			c.reportBond(device, central)
		} else {
			c.left(device, central)
		}
	}
}

// disconnect disconnects those that have come to us.
func (c *centrals) disconnect() {
	for device, central := range c.all {
		if central.used || central.came {
			c.loop.workers.Go(func() { _ = c.bus.disconnect(c.bus.ctx, device) })
		}
	}
}

// left: a central has disconnected.
func (c *centrals) left(device dbus.ObjectPath, central *central) {
	delete(c.all, device)
	if c.gone != nil {
		c.gone(central.id)
	}
	c.handler.Disconnected(central.id)
	if len(c.all) == 0 {
		// A connection ends legacy advertising, and not every kernel takes it up again.
		c.registrar.adverts.renew()
	}
}

// get returns the central at path device, which is announced if it is new.
func (c *centrals) get(device dbus.ObjectPath) *central {
	known := c.all[device]
	if known == nil {
		known = &central{id: c.world.central(device)}
		c.all[device] = known
		c.handler.Connected(known.id)
		c.registrar.agent.doubt() // another program's may have become the default
	}
	return known
}

// paired notes that a device uses the agent, and returns it.
func (c *centrals) paired(device dbus.ObjectPath) *central {
	known := c.used(device)
	known.bonds = true
	c.reportBond(device, known)
	return known
}

// used notes that a device uses a service or the agent, and returns it.
func (c *centrals) used(device dbus.ObjectPath) *central {
	// BlueZ 5.66 does not always say that a device has connected.
	c.world.become(device, deviceInterface, "Connected")
	known := c.get(device)
	known.used = true
	return known
}

// served notes that a device uses a service, and returns it. A phone that pairs again has
// a bond already, and BlueZ says nothing when it gets another one (src/device.c,
// device_bonding_complete): only that it is served tells that it has typed its passkey. A service
// that requires less tells nothing of it, nor whether a bond that was there before was made with us.
func (c *centrals) served(device dbus.ObjectPath, pairing gatt.Pairing) *central {
	known := c.used(device)
	if pairing == c.pairing || !c.world.bonded(device) {
		known.bonds = true
		c.reportBond(device, known)
	}
	if pairing == gatt.Authenticated {
		c.typed(known)
	}
	return known
}

// typed: a central has typed the passkey that it was shown, if it was shown one.
func (c *centrals) typed(central *central) {
	if central.passkey != "" {
		central.passkey = ""
		c.lockout.typed()
	}
}

func (c *centrals) reportBond(device dbus.ObjectPath, central *central) {
	if central.reported || !central.bonds || !c.world.bonded(device) {
		return
	}
	central.reported = true
	c.typed(central)
	c.handler.Bonded(gatt.Bond{
		Adapter: c.world.adapterAddress(c.chooser.current),
		Central: c.world.central(device),
		Pairing: c.pairing,
	})
}

// forgetPasskeys: what was shown is of no more use.
func (c *centrals) forgetPasskeys() {
	for _, central := range c.all {
		central.passkey = ""
	}
}
