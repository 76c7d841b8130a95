package central

import (
	"context"
	"fmt"

	"github.com/godbus/dbus/v5"
)

// follow fills c.objects and keeps it up to date until running ends.
func (c *Central) follow(ctx, running context.Context) error {
	matches := [][]dbus.MatchOption{
		{dbus.WithMatchSender(bluezName)},
		{dbus.WithMatchSender("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, bluezName)},
	}
	for _, match := range matches {
		if err := c.conn.AddMatchSignalContext(ctx, match...); err != nil {
			return fmt.Errorf("listen to BlueZ: %w", err)
		}
	}
	signals := make(chan *dbus.Signal, 64)
	c.conn.Signal(signals)

	// Signals of changes before this answer come after it; applied again they
	// change nothing.
	var managed map[dbus.ObjectPath]map[string]map[string]dbus.Variant
	if err := c.call(ctx, localTimeout, "/", objectManagerIface+".GetManagedObjects").Store(&managed); err != nil {
		return fmt.Errorf("ask BlueZ what there is: %w", fromBlueZ(err))
	}
	for path, ifaces := range managed {
		c.objects.add(path, ifaces)
	}
	go c.apply(running, signals)
	return nil
}

func (c *Central) apply(ctx context.Context, signals <-chan *dbus.Signal) {
	for {
		select {
		case signal, ok := <-signals:
			if !ok {
				c.objects.end(fmt.Errorf("the connection to the message bus was lost"))
				return
			}
			c.applyOne(signal)
		case <-ctx.Done():
			return
		}
	}
}

func (c *Central) applyOne(signal *dbus.Signal) {
	switch signal.Name {
	case objectManagerIface + ".InterfacesAdded":
		var path dbus.ObjectPath
		var ifaces map[string]map[string]dbus.Variant
		if dbus.Store(signal.Body, &path, &ifaces) == nil {
			c.objects.update(func() { c.objects.add(path, ifaces) })
		}
	case objectManagerIface + ".InterfacesRemoved":
		var path dbus.ObjectPath
		var names []string
		if dbus.Store(signal.Body, &path, &names) == nil {
			c.objects.update(func() { c.objects.remove(path, names) })
		}
	case propertiesIface + ".PropertiesChanged":
		var iface string
		var changed map[string]dbus.Variant
		var invalidated []string
		if dbus.Store(signal.Body, &iface, &changed, &invalidated) == nil {
			c.objects.update(func() { c.objects.set(signal.Path, iface, changed, invalidated) })
		}
	case "org.freedesktop.DBus.NameOwnerChanged":
		c.objects.end(ErrBlueZGone)
	}
}
