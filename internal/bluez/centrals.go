package bluez

import "github.com/godbus/dbus/v5"

// central is a device that is connected to us.
type central struct {
	address  string // as it was first seen, also if the device reveals another one later
	used     bool   // a service or the agent
	reported bool   // to Bonded
	passkey  string // the last one shown
}

// followCentrals brings the list of centrals up to date with the world.
func (p *Peripheral) followCentrals() {
	for _, device := range p.world.devices(p.adapter) {
		// What connects while we do not advertise was connected by another program.
		if p.registration.wanted && p.registration.advertised && p.connected(device) {
			p.central(device)
		}
	}
	for device, c := range p.centrals {
		if !p.connected(device) {
			delete(p.centrals, device)
			tell(p.cfg.CentralDisconnected, c.address)
			if len(p.centrals) == 0 {
				// A connection ends legacy advertising, and not every kernel
				// takes it up again.
				p.registration.refresh = true
			}
			continue
		}
		p.reportBond(device, c)
	}
}

func (p *Peripheral) connected(device dbus.ObjectPath) bool {
	return p.world.flag(device, deviceInterface, "Connected")
}

// central returns the central at path device, which is announced if it is new.
func (p *Peripheral) central(device dbus.ObjectPath) *central {
	c := p.centrals[device]
	if c == nil {
		c = &central{address: p.world.address(device)}
		p.centrals[device] = c
		tell(p.cfg.CentralConnected, c.address)
		p.registration.agent = false // another program's may have become the default
	}
	return c
}

// used notes that a device uses a service or the agent.
func (p *Peripheral) used(device dbus.ObjectPath) *central {
	// BlueZ 5.66 does not always say that a device has connected.
	p.world.change(device, deviceInterface, map[string]dbus.Variant{"Connected": dbus.MakeVariant(true)})
	c := p.central(device)
	c.used = true
	p.reportBond(device, c)
	return c
}

func (p *Peripheral) reportBond(device dbus.ObjectPath, c *central) {
	if c.reported || !c.used || !p.world.bonded(device) {
		return
	}
	c.reported = true
	if c.passkey != "" {
		p.pairedByPasskey()
	}
	tell(p.cfg.Bonded, p.bond(device))
}

func (p *Peripheral) bond(device dbus.ObjectPath) Bond {
	return Bond{
		Adapter: p.world.text(p.adapter, adapterInterface, "Address"),
		Address: p.world.address(device),
	}
}

// tell calls a callback that may be nil.
func tell[T any](callback func(T), value T) {
	if callback != nil {
		callback(value)
	}
}
