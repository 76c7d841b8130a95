package central

import (
	"context"
	"fmt"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

type interfaces = map[string]map[string]dbus.Variant

// follow subscribes to BlueZ's signals and fills c.objects.
func (c *Central) follow(ctx context.Context) error {
	matches := [][]dbus.MatchOption{
		{dbus.WithMatchSender(bluezName)},
		{dbus.WithMatchSender(msgbus.BusName), dbus.WithMatchMember("NameOwnerChanged"),
			dbus.WithMatchArg(0, bluezName)},
	}
	for _, match := range matches {
		if err := c.conn.AddMatchSignalContext(ctx, match...); err != nil {
			return fmt.Errorf("listen to BlueZ: %w", err)
		}
	}
	return c.refresh(ctx)
}

// refresh replaces c.objects by what BlueZ has now. Signals that come before the answer are
// applied after it: one that is older than the answer only repeats what the answer has.
func (c *Central) refresh(ctx context.Context) error {
	o := c.objects
	o.refreshing.Lock()
	defer o.refreshing.Unlock()
	o.update(func() { o.hold = true })
	var managed map[dbus.ObjectPath]interfaces
	err := c.bluez(localTimeout).Call(ctx, "/", msgbus.ObjectManager+".GetManagedObjects", nil, &managed)
	o.update(func() {
		if err == nil {
			o.ifaces = managed
		}
		for _, signal := range o.held {
			o.apply(signal)
		}
		o.hold, o.held = false, nil
	})
	if err != nil {
		return fmt.Errorf("ask BlueZ for its objects: %w", fromBlueZ(err))
	}
	return nil
}

// DeliverSignal implements dbus.SignalHandler. godbus calls it before it reads the next message,
// so the answer to a call never overtakes the signals that BlueZ sent before it.
func (o *objects) DeliverSignal(_, _ string, signal *dbus.Signal) {
	o.update(func() {
		if o.hold {
			o.held = append(o.held, signal)
			return
		}
		o.apply(signal)
	})
}

// Terminate implements dbus.Terminator: the connection has ended.
func (o *objects) Terminate() {
	o.update(func() { o.end(msgbus.ErrLost) })
}

// apply applies one signal. The lock must be held.
func (o *objects) apply(signal *dbus.Signal) {
	switch signal.Name {
	case msgbus.ObjectManager + ".InterfacesAdded":
		var path dbus.ObjectPath
		var added interfaces
		if dbus.Store(signal.Body, &path, &added) == nil {
			o.add(path, added)
		}
	case msgbus.ObjectManager + ".InterfacesRemoved":
		var path dbus.ObjectPath
		var names []string
		if dbus.Store(signal.Body, &path, &names) == nil {
			o.remove(path, names)
		}
	case msgbus.PropertiesChanged:
		var iface string
		var changed map[string]dbus.Variant
		var invalidated []string
		if dbus.Store(signal.Body, &iface, &changed, &invalidated) == nil {
			o.set(signal.Path, iface, changed, invalidated)
		}
	case msgbus.NameOwnerChanged:
		o.end(ErrBlueZGone)
	}
}
