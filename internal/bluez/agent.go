package bluez

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

// rejected is the answer to whatever the pairing mode does not allow.
var rejected = dbus.NewError(bluezError+"Rejected", []any{"not allowed by the security mode"})

// agent answers BlueZ during a pairing (BlueZ doc/org.bluez.Agent.rst).
//
// If a service requires Authenticated it shows the passkey, which the kernel makes, and
// pairing without one is refused. That does not guard the services: a phone that does not
// ask for protection from a man in the middle gets Just Works whatever the agent can do.
// The flags of the characteristics do (names.go).
//
// Otherwise it has neither input nor output, and the kernel asks nothing
// (net/bluetooth/smp.c, get_auth_method). What BlueZ asks nevertheless, for one that pairs
// again after it has forgotten the gateway, is allowed only to a central of ours, and never
// vouches for a number that nobody has compared.
//
// If nothing is required the agent is there for phones that pair although they need not:
// without it the capability would be that of some other program's agent.
type agent struct {
	bus       *bus
	loop      *loop
	world     *world
	chooser   *chooser
	registrar *registrar
	lockout   *lockout
	centrals  *centrals
	services  []gatt.Service
	pairing   gatt.Pairing               // the strongest that a service requires
	show      func(gatt.Central, string) // may be nil
	log       *slog.Logger
}

// answer answers a call of a method, nil for yes. Those that are not here need a
// keyboard, or two displays to compare, or BR/EDR.
func (a *agent) answer(method string, body []any) *dbus.Error {
	var (
		device  dbus.ObjectPath
		passkey uint32
		entered uint16
		uuid    string
	)
	switch {
	case method == "Release": // BlueZ has dropped the agent
		a.registrar.agent = absent
		return nil
	case method == "Cancel": // the pairing has ended before the passkey was typed
		a.centrals.forgetPasskeys()
		return nil
	case method == "DisplayPasskey" && dbus.Store(body, &device, &passkey, &entered) == nil:
		return a.displayPasskey(device, passkey, entered)
	case method == "RequestAuthorization" && dbus.Store(body, &device) == nil:
		return a.requestAuthorization(device)
	case method == "AuthorizeService" && dbus.Store(body, &device, &uuid) == nil:
		return a.authorizeService(uuid)
	}
	return rejected
}

// displayPasskey shows the passkey, once a pairing: BlueZ calls again with each digit that
// is typed, if the phone tells. Another adapter's devices are some other program's.
func (a *agent) displayPasskey(device dbus.ObjectPath, passkey uint32, entered uint16) *dbus.Error {
	if a.pairing != gatt.Authenticated || !isBelow(device, a.chooser.current) {
		return rejected
	}
	digits := fmt.Sprintf("%06d", passkey)
	if c := a.centrals.all[device]; entered > 0 || c != nil && c.passkey == digits {
		return nil
	}
	if a.lockout.locked() {
		a.refuse(device)
		return rejected
	}
	a.lockout.shown()
	c := a.centrals.paired(device)
	c.passkey = digits
	if a.show != nil {
		a.show(c.id, digits)
	}
	return nil
}

// requestAuthorization asks whether a device may pair without a passkey.
func (a *agent) requestAuthorization(device dbus.ObjectPath) *dbus.Error {
	// BlueZ 5.66 does not always say before that a device has connected.
	ours := a.centrals.all[device] != nil ||
		isBelow(device, a.chooser.current) && a.registrar.advertised()
	if a.pairing == gatt.Authenticated || !ours {
		a.log.Warn("pairing without a passkey was refused", "central", a.world.central(device))
		return rejected
	}
	a.centrals.paired(device)
	return nil
}

// authorizeService asks whether a device that is not trusted may use a service. As the
// default agent this one is also asked about profiles of other programs.
func (a *agent) authorizeService(uuid string) *dbus.Error {
	for _, service := range a.services {
		if strings.EqualFold(service.UUID, uuid) {
			return nil
		}
	}
	return rejected
}

// refuse ends a pairing for which no passkey is shown. The kernel would go on with it,
// and BlueZ has no answer that stops it (src/agent.c does not wait for one to
// DisplayPasskey). Disconnect and RemoveDevice take two seconds (src/device.c,
// DISCONNECT_TIMER), in which a passkey can be guessed; a device that is blocked is
// disconnected at once (device_block).
func (a *agent) refuse(device dbus.ObjectPath) {
	a.log.Debug("a pairing was refused while pairing is locked",
		"event", "pairing-refused", "central", a.world.central(device))
	adapter, bonded := a.chooser.current, a.world.bonded(device)
	a.loop.workers.Go(func() {
		err := a.bus.cut(device)
		if err == nil && !bonded {
			ctx, cancel := context.WithTimeout(a.bus.ctx, callTimeout)
			defer cancel()
			err = a.bus.removeDevice(ctx, adapter, device)
		}
		if err != nil && !msgbus.IsError(err, bluezError+"DoesNotExist") {
			a.log.Debug("the central of a refused pairing was not disconnected", "err", msgbus.Plain(err))
		}
	})
}
