package bluez

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/rfkill"
)

// adoptTime is how long an adapter that is not hci0 waits for one that comes
// before it by name.
const adoptTime = 500 * time.Millisecond

// returnTime is how long the adapter that was ours before may take to come back,
// until another one takes its place: on a slow machine bluetoothd needs seconds
// from one adapter to the next. Phones know the gateway, and have their bonds, by
// the adapter's address.
const returnTime = 10 * time.Second

// followAdapter chooses an adapter, and notices what happens to the chosen one.
func (p *Peripheral) followAdapter() {
	if p.adapter != "" && !p.world.canAdvertise(p.adapter) {
		p.adapterGone()
	}
	if p.adapter == "" {
		p.adopt()
		return
	}
	powered := p.world.flag(p.adapter, adapterInterface, "Powered")
	instances := p.world.number(p.adapter, advertisingManagerInterface, "ActiveInstances")
	was := p.registration.instances
	p.registration.instances = instances
	free := p.world.number(p.adapter, advertisingManagerInterface, "SupportedInstances")
	if p.steps.pause != nil && (powered && !p.registration.powered || free > 0 && p.registration.free == 0) {
		p.startOver() // what was in the way is gone
	}
	p.registration.powered, p.registration.free = powered, free
	switch {
	case !powered:
		p.advertisementGone("adapter " + adapterName(p.adapter) + " was powered off")
	case was > 0 && instances == 0 && !p.steps.busy:
		p.advertisementGone("BlueZ no longer advertises")
	}
}

// adapterGone: what was registered on the adapter has gone with it. The agent
// belongs to no adapter.
func (p *Peripheral) adapterGone() {
	p.startOver()
	p.adapter = ""
	p.registration = registration{wanted: p.registration.wanted, listed: true, agent: p.registration.agent}
}

// choose returns the adapter of the configuration, or the first that can
// advertise. It returns an empty path if there is none.
func (p *Peripheral) choose() dbus.ObjectPath {
	if p.cfg.Adapter == "" && p.last != "" && p.world.canAdvertise(p.last) {
		return p.last
	}
	var first dbus.ObjectPath
	for _, path := range p.world.adapters() {
		switch {
		case !p.world.canAdvertise(path), p.cfg.Adapter != "" && adapterName(path) != p.cfg.Adapter:
		case p.cfg.Adapter != "", p.world.instances(path) > 0:
			return path
		case first == "":
			first = path
		}
	}
	return first
}

// adopt makes the chosen adapter ours. When bluetoothd starts, adapters appear
// one after the other in any order: one that is not the first by name waits for
// the others.
func (p *Peripheral) adopt() {
	path := p.choose()
	switch {
	case path == "" || path == p.registration.candidate:
	case p.cfg.Adapter != "" || path == p.last || p.last == "" && adapterName(path) == "hci0":
		p.adapter, p.last = path, path
	default:
		wait := adoptTime
		if p.last != "" {
			wait = returnTime
		}
		p.registration.candidate = path
		round := p.steps.round
		time.AfterFunc(wait, func() {
			p.inbox.post(func() {
				if round == p.steps.round && p.adapter == "" {
					p.adapter, p.registration.candidate = p.choose(), ""
					p.last = cmp.Or(p.adapter, p.last)
					p.settle()
				}
			})
		})
	}
}

// noAdapter says why no adapter was chosen.
func (p *Peripheral) noAdapter() string {
	adapters := p.world.adapters()
	if p.cfg.Adapter == "" {
		if len(adapters) > 0 {
			return "no Bluetooth adapter can advertise; waiting for one that can"
		}
		return "there is no Bluetooth adapter; waiting for one"
	}
	for _, path := range adapters {
		if adapterName(path) == p.cfg.Adapter {
			return "adapter " + p.cfg.Adapter + " cannot advertise; choose another one in the configuration (bluetooth.adapter)"
		}
	}
	return "there is no adapter " + p.cfg.Adapter + "; waiting for it"
}

// blocked reports whether rfkill blocks an adapter. BlueZ does not always say so:
// 5.82 answers Failed.
func blocked(adapter string) bool {
	soft, hard := rfkill.Blocked("/sys/class/bluetooth/" + adapter)
	return soft || hard
}

// set makes a property of the adapter true.
func (p *Peripheral) set(property string) *step {
	adapter := p.adapter
	return &step{
		what: fmt.Sprintf("set adapter %s %s", adapterName(adapter), property),
		do: func() error {
			err := p.bus.setProperty(adapter, adapterInterface, property, true)
			if err != nil && (isError(err, bluezError+"Blocked") || blocked(adapterName(adapter))) {
				return errors.New("it is blocked by rfkill: run rfkill unblock bluetooth, or use the hardware switch")
			}
			return err
		},
		// BlueZ's signal may come after its answer.
		done: func() {
			p.world.change(adapter, adapterInterface, map[string]dbus.Variant{property: dbus.MakeVariant(true)})
		},
	}
}
