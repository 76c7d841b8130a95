package bluez

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

var errBlocked = errors.New(
	"it is blocked by rfkill: run rfkill unblock bluetooth, or use the hardware switch")

// holding is what BlueZ has of one thing that it is to hold for us.
type holding uint8

const (
	absent holding = iota
	unsure         // a step changes it, or has failed: nobody knows how far it came
	held
	stale // held, but to be registered anew
)

// begin: a step changes it.
func (h *holding) begin() { *h = unsure }

// end: the step has succeeded, and BlueZ now holds it or does not. What was lost, or
// became stale, while the step ran stays so.
func (h *holding) end(now holding) {
	if *h == unsure {
		*h = now
	}
}

// doubt: what BlueZ holds may no longer do.
func (h *holding) doubt() {
	if *h != absent {
		*h = stale
	}
}

// registrar knows what BlueZ holds of ours, and which step is missing until it holds all.
type registrar struct {
	bus      *bus
	world    *world
	chooser  *chooser
	troubles *troubles
	alias    *alias
	handler  Handler
	pairing  gatt.Pairing // the strongest that a service requires

	agent       holding // as the default one
	application holding
	adverts     adverts
	turns       alarm // for the next turn of the adverts
	complete    bool  // all adverts are on the air, and the handler knows

	coming       holding // Application.Coming
	comingWanted bool
}

// want sets what is to be advertised.
func (r *registrar) want(list []gatt.Advert) {
	if !sameAdverts(r.adverts.wanted, list) {
		r.adverts.wanted, r.complete = list, r.complete && len(list) > 0
	}
}

// reset: bluetoothd, with all that it held, is gone.
func (r *registrar) reset() {
	r.agent = absent
	r.adapterGone()
}

// adapterGone: what was registered on the adapter has gone with it. The agent belongs to
// no adapter.
func (r *registrar) adapterGone() {
	r.application, r.coming, r.complete = absent, absent, false
	r.alias.reset()
	r.adverts.lose()
}

// advertsGone: BlueZ no longer advertises, or not all.
func (r *registrar) advertsGone(problem string) {
	r.adverts.lose()
	r.incomplete(problem)
}

// released: BlueZ has dropped the advertisement at path.
func (r *registrar) released(path dbus.ObjectPath) {
	if a := r.adverts.at(path); a != nil {
		a.holding = absent
		r.incomplete("BlueZ has released the advertisement")
	}
}

func (r *registrar) incomplete(problem string) {
	if r.complete {
		r.complete = false
		r.troubles.report(problem)
	}
}

// advertised reports whether phones can find the gateway.
func (r *registrar) advertised() bool {
	return len(r.adverts.wanted) > 0 && (r.complete || r.adverts.onAir() > 0)
}

// failed: a step did not succeed.
func (r *registrar) failed(what string, err error) {
	if msgbus.Unanswered(err) {
		err = context.DeadlineExceeded
	}
	r.complete = false
	r.troubles.report(what + ": " + msgbus.Plain(err).Error())
}

// next returns the first step that is missing, nil if none is or if there is nothing to
// do but wait. An adapter that is not pairable refuses every phone that wants to bond
// (net/bluetooth/smp.c, smp_cmd_pairing_req). Nothing is served before the agent guards
// the pairing, and nothing is advertised before it is served.
func (r *registrar) next() *step {
	adapter := r.chooser.current
	now := r.world.radio(adapter)
	switch {
	case r.world.owner == "":
		r.troubles.report(notRunning)
		return nil
	case !r.world.listed:
		return r.list()
	case adapter == "":
		if !r.chooser.wait.set() {
			r.troubles.report(r.chooser.problem())
		}
		return nil
	case !now.powered:
		return r.set("Powered")
	case !now.pairable:
		return r.set("Pairable")
	case r.alias.missing(adapter):
		return r.alias.give(adapter)
	case r.agent != held:
		return r.registerAgent()
	case r.application != held:
		return r.registerApplication(&r.application, applicationPath)
	case r.comingWanted && r.coming != held:
		return r.registerApplication(&r.coming, comingPath)
	case !r.comingWanted && r.coming != absent:
		return r.unregisterComing()
	}
	if i := r.adverts.missing(); i >= 0 {
		return r.changeAdvert(i)
	}
	r.troubles.over(adapterName(adapter))
	if r.adverts.crowded() && !r.turns.set() {
		others := max(0, now.active-r.adverts.onAir())
		turn := turnTime + time.Duration(others)*kernelTime
		r.turns.start(turn, func() { r.adverts.turn++ })
	}
	if !r.complete && len(r.adverts.wanted) > 0 {
		r.complete = true
		r.handler.OnAir(adapterName(adapter))
	}
	return nil
}

// list asks BlueZ for its objects.
func (r *registrar) list() *step {
	var all objects
	r.world.missed = nil // of a try that failed, nothing is of use
	return &step{
		what: "list Bluetooth adapters",
		do: func() error {
			return r.bus.bluez.Call(r.bus.ctx, "/", msgbus.ObjectManager+".GetManagedObjects", nil, &all)
		},
		done: func() { r.world.list(all) },
	}
}

// set makes a property of the adapter true.
func (r *registrar) set(property string) *step {
	adapter := r.chooser.current
	return &step{
		what: fmt.Sprintf("set adapter %s %s", adapterName(adapter), property),
		do: func() error {
			err := r.bus.bluez.Set(r.bus.ctx, adapter, adapterInterface, property, true)
			if msgbus.IsError(err, bluezError+"Blocked") || err != nil && blocked(adapterName(adapter)) {
				return errBlocked
			}
			return err
		},
		done: func() { r.world.become(adapter, adapterInterface, property) },
	}
}

// registerAgent makes the agent the default one: BlueZ tells only the default agent's
// capability to the kernel (src/agent.c, set_io_cap).
func (r *registrar) registerAgent() *step {
	r.agent.begin()
	capability := noInputNoOutput
	if r.pairing == gatt.Authenticated {
		capability = displayOnly
	}
	return &step{
		what: "register the pairing agent",
		do: func() error {
			err := r.bus.call(managerPath, agentManagerInterface+".RegisterAgent", agentPath, capability)
			if err != nil && !msgbus.IsError(err, bluezError+"AlreadyExists") {
				return err
			}
			return r.bus.call(managerPath, requestDefaultAgent, agentPath)
		},
		done: func() { r.agent.end(held) },
	}
}

// registerApplication makes BlueZ take over the services. Before it answers, it calls
// GetManagedObjects, which the loop answers: a step that ran in the loop would hang.
func (r *registrar) registerApplication(of *holding, path dbus.ObjectPath) *step {
	of.begin()
	adapter := r.chooser.current
	return &step{
		what: "register the GATT services",
		do: func() error {
			return r.register(adapter, gattManagerInterface, "Application", path)
		},
		done: func() { of.end(held) },
	}
}

// unregisterComing takes the services away that are no longer wanted.
func (r *registrar) unregisterComing() *step {
	r.coming.begin()
	adapter := r.chooser.current
	return &step{
		what: "unregister a GATT service",
		do: func() error {
			return r.unregister(adapter, gattManagerInterface, "Application", comingPath)
		},
		done: func() { r.coming.end(absent) },
	}
}

// changeAdvert makes BlueZ hold what is wanted of the i-th advertisement, which is
// registered anew for that. That there is no room for another one is no failure.
func (r *registrar) changeAdvert(i int) *step {
	adapter, path := r.chooser.current, advertPath(i)
	was, wanted := r.adverts.begin(i)
	refused := false
	return &step{
		what: "register the advertisement",
		do: func() error {
			if !wanted || was == held || was == stale {
				err := r.unregister(adapter, advertisingManagerInterface, "Advertisement", path)
				if err != nil {
					return fmt.Errorf("unregister it first: %w", err)
				}
			}
			if !wanted {
				return nil
			}
			err := r.register(adapter, advertisingManagerInterface, "Advertisement", path)
			if refused = i > 0 && msgbus.IsError(err, bluezError+"NotPermitted"); refused {
				return nil
			}
			return err
		},
		done: func() {
			if refused {
				r.adverts.refused(i)
			} else {
				r.adverts.end(i, wanted)
			}
		},
	}
}

// register calls RegisterApplication or RegisterAdvertisement. A registration that an
// earlier call has left behind, because its answer came too late, is done again: nobody
// knows how it ended.
func (r *registrar) register(
	adapter dbus.ObjectPath, manager, what string, path dbus.ObjectPath,
) error {
	register := func() error {
		return r.bus.call(adapter, manager+".Register"+what, path, map[string]dbus.Variant{})
	}
	err := register()
	if !msgbus.IsError(err, bluezError+"AlreadyExists") {
		return err
	}
	if err := r.unregister(adapter, manager, what, path); err != nil {
		return err
	}
	return register()
}

// unregister undoes register. What is not registered is a success.
func (r *registrar) unregister(
	adapter dbus.ObjectPath, manager, what string, path dbus.ObjectPath,
) error {
	err := r.bus.call(adapter, manager+".Unregister"+what, path)
	if msgbus.IsError(err, bluezError+"DoesNotExist") {
		return nil
	}
	return err
}
