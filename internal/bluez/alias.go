package bluez

import (
	"context"
	"log/slog"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

// farewellTime is how long bluetoothd may take to answer what is asked when Run ends.
const farewellTime = time.Second

// alias is the adapter's Alias: the GAP device name, which phones read, keep, and then
// show in place of the advertised name. BlueZ stores it.
type alias struct {
	bus    *bus
	world  *world
	log    *slog.Logger
	wanted string          // empty: it is left as it is
	set    dbus.ObjectPath // the adapter that has it since bluetoothd and the adapter came; empty: none
	owner  dbus.ObjectPath // the adapter that former is of
	former string          // what was there before; empty: BlueZ's default, its Name, which follows the host's
}

// reset: bluetoothd or the adapter has gone, and somebody may change it meanwhile.
func (a *alias) reset() { a.set = "" }

// missing reports whether the adapter is still to be given the name.
func (a *alias) missing(adapter dbus.ObjectPath) bool { return a.wanted != "" && a.set != adapter }

// give returns the step that gives the adapter the name. It never fails: phones find a
// gateway with another name, too.
func (a *alias) give(adapter dbus.ObjectPath) *step {
	now := property[string](a.world, adapter, adapterInterface, "Alias")
	return &step{
		what: "set the name of adapter " + adapterName(adapter),
		do: func() error {
			if now == a.wanted {
				return nil
			}
			if err := a.bus.bluez.Set(a.bus.ctx, adapter, adapterInterface, "Alias", a.wanted); err != nil {
				a.log.Warn("the adapter's name cannot be set; phones may show another one", "adapter", adapterName(adapter), "err", msgbus.Plain(err))
			}
			return nil
		},
		done: func() {
			a.set = adapter
			switch {
			case now != a.wanted && now != property[string](a.world, adapter, adapterInterface, "Name"):
				a.owner, a.former = adapter, now
			case a.owner != adapter: // the default, or left behind by an earlier run that was killed
				a.owner, a.former = adapter, ""
			}
		},
	}
}

// giveBack gives the adapter its former name back.
func (a *alias) giveBack(ctx context.Context) {
	if a.set == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, farewellTime)
	defer cancel()
	if err := a.bus.bluez.Set(ctx, a.set, adapterInterface, "Alias", a.former); err != nil {
		a.log.Debug("the adapter's name cannot be given back", "err", msgbus.Plain(err))
	}
}
