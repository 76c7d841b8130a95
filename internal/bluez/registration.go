package bluez

import (
	"fmt"

	"github.com/godbus/dbus/v5"
)

// registration is what BlueZ holds of ours, as far as is known.
type registration struct {
	wanted      bool // the advertisement
	listed      bool // the world is known
	listing     bool // it is being asked for; missed is what came meanwhile
	missed      []*dbus.Message
	agent       bool
	application bool
	advertised  bool
	refresh     bool            // the advertisement is to be registered anew
	instances   int             // of advertisements, as BlueZ counts them
	free        int             // advertising instances that nobody uses
	powered     bool            // the adapter, when the world last changed
	candidate   dbus.ObjectPath // an adapter that waits for one before it
}

// signal follows a signal of the bus or of bluetoothd.
func (p *Peripheral) signal(message *dbus.Message) {
	name := header(message, dbus.FieldInterface) + "." + header(message, dbus.FieldMember)
	sender := header(message, dbus.FieldSender)
	if sender == busName && name == busName+".NameOwnerChanged" {
		var changed, old, owner string
		if dbus.Store(message.Body, &changed, &old, &owner) == nil && changed == bluezName {
			p.restarted(owner)
		}
		return
	}
	if sender == "" || sender != p.owner {
		return
	}
	p.follow(message)
	if p.registration.listing {
		p.registration.missed = append(p.registration.missed, message)
	}
	p.settle()
}

func (p *Peripheral) follow(message *dbus.Message) {
	name := header(message, dbus.FieldInterface) + "." + header(message, dbus.FieldMember)
	p.world.follow(name, dbus.ObjectPath(header(message, dbus.FieldPath)), message.Body)
}

// restarted: bluetoothd has come or gone. Everything registered with the last
// one has gone with it.
func (p *Peripheral) restarted(owner string) {
	p.startOver()
	p.owner = owner
	p.world = world{}
	p.adapter = ""
	p.registration = registration{wanted: p.registration.wanted}
	p.settle()
}

// settle draws the conclusions from a change of the world.
func (p *Peripheral) settle() {
	p.followAdapter()
	p.followCentrals()
	deferred := p.deferred
	p.deferred = nil
	for _, f := range deferred {
		f()
	}
	p.advance()
}

// next returns the first step that is missing, nil if none is or if there is
// nothing to do but wait.
func (p *Peripheral) next() *step {
	r := &p.registration
	powered := p.world.flag(p.adapter, adapterInterface, "Powered")
	pairable := p.world.flag(p.adapter, adapterInterface, "Pairable")
	bonding := p.cfg.Security != None
	switch {
	case p.owner == "":
		p.trouble(notRunning)
	case !r.listed:
		return p.list()
	case p.adapter == "" && r.candidate == "":
		p.trouble(p.noAdapter())
	case p.adapter == "":
	case !powered:
		return p.set("Powered")
	case bonding && !pairable:
		return p.set("Pairable")
	case !r.agent:
		return p.registerAgent()
	case !r.application:
		return p.registerApplication()
	case r.wanted != r.advertised, r.wanted && r.refresh:
		return p.changeAdvertisement()
	default:
		p.ready()
	}
	return nil
}

// list asks BlueZ for its objects.
func (p *Peripheral) list() *step {
	var objects map[dbus.ObjectPath]map[string]map[string]dbus.Variant
	p.registration.listing, p.registration.missed = true, nil // of a try that failed, nothing is of use
	return &step{
		what: "list Bluetooth adapters",
		do: func() error {
			return p.bus.call("/", objectManager, "GetManagedObjects", nil, &objects)
		},
		done: func() {
			p.world = world{}
			for path, interfaces := range objects {
				p.world.add(path, interfaces)
			}
			// A signal that is older than the list is followed by those that led to it.
			for _, message := range p.registration.missed {
				p.follow(message)
			}
			p.registration.listed, p.registration.listing, p.registration.missed = true, false, nil
		},
	}
}

// registerAgent makes the agent the default one: BlueZ tells only the default
// agent's capability to the kernel (src/agent.c, set_io_cap).
func (p *Peripheral) registerAgent() *step {
	capability := noInputNoOutput
	if p.cfg.Security == Authenticated {
		capability = displayOnly
	}
	path := dbus.ObjectPath(agentPath)
	return &step{
		what: "register the pairing agent",
		do: func() error {
			err := p.bus.call("/org/bluez", agentManagerInterface, "RegisterAgent", []any{path, capability})
			if err != nil && !isError(err, bluezError+"AlreadyExists") {
				return err
			}
			return p.bus.call("/org/bluez", agentManagerInterface, "RequestDefaultAgent", []any{path})
		},
		done: func() { p.registration.agent = true },
	}
}

// registerApplication makes BlueZ take over the services. Before it answers, it
// calls GetManagedObjects.
func (p *Peripheral) registerApplication() *step {
	adapter := p.adapter
	return &step{
		what: "register the GATT services",
		do: func() error {
			return p.register(adapter, gattManagerInterface, "Application", applicationPath)
		},
		done: func() { p.registration.application = true },
	}
}

// changeAdvertisement registers, unregisters or refreshes the advertisement.
func (p *Peripheral) changeAdvertisement() *step {
	adapter, wanted, was := p.adapter, p.registration.wanted, p.registration.advertised
	p.registration.refresh = false
	return &step{
		what: "register the advertisement",
		do: func() error {
			if was {
				if err := p.unregister(adapter, advertisingManagerInterface, "Advertisement", advertisementPath); err != nil {
					return fmt.Errorf("unregister it first: %w", err)
				}
			}
			if !wanted {
				return nil
			}
			return p.register(adapter, advertisingManagerInterface, "Advertisement", advertisementPath)
		},
		done: func() {
			p.registration.advertised = wanted
			if wanted && !was {
				p.ready()
				tell(p.cfg.AdvertisingUp, adapterName(adapter))
			}
		},
	}
}

// register calls RegisterApplication or RegisterAdvertisement. A registration
// that an earlier call has left behind, because its answer came too late, is
// done again: nobody knows how it ended.
func (p *Peripheral) register(adapter dbus.ObjectPath, manager, what string, path dbus.ObjectPath) error {
	register := func() error {
		return p.bus.call(adapter, manager, "Register"+what, []any{path, map[string]dbus.Variant{}})
	}
	err := register()
	if !isError(err, bluezError+"AlreadyExists") {
		return err
	}
	if err := p.unregister(adapter, manager, what, path); err != nil {
		return err
	}
	return register()
}

// unregister undoes register. What is not registered is a success.
func (p *Peripheral) unregister(adapter dbus.ObjectPath, manager, what string, path dbus.ObjectPath) error {
	err := p.bus.call(adapter, manager, "Unregister"+what, []any{path})
	if isError(err, bluezError+"DoesNotExist") {
		return nil
	}
	return err
}

// advertisementGone: BlueZ no longer advertises.
func (p *Peripheral) advertisementGone(why string) {
	if p.registration.advertised {
		p.registration.advertised = false
		p.trouble(why)
	}
	p.advance()
}
