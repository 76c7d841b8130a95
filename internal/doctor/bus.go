package doctor

import (
	"context"
	"errors"

	"github.com/godbus/dbus/v5"
)

// call calls a method of a program that runs; none is started for it.
func (v *visit) call(ctx context.Context, name string, path dbus.ObjectPath, method string, args []any, results ...any) error {
	return v.conn.Object(name, path).CallWithContext(ctx, method, dbus.FlagNoAutoStart, args...).Store(results...)
}

// property reads a property into result.
func (v *visit) property(ctx context.Context, name string, path dbus.ObjectPath, iface, property string, result any) error {
	return v.call(ctx, name, path, "org.freedesktop.DBus.Properties.Get", []any{iface, property}, result)
}

// runs says whether a program has name on the bus.
func (v *visit) runs(ctx context.Context, name string) bool {
	var has bool
	err := v.call(ctx, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus.NameHasOwner", []any{name}, &has)
	return err == nil && has
}

// isError reports whether err is the D-Bus error called name.
func isError(err error, name string) bool {
	var e dbus.Error
	return errors.As(err, &e) && e.Name == name
}

const systemd = "org.freedesktop.systemd1"

// unit returns the properties of a unit (systemd, org.freedesktop.systemd1(5)).
func (v *visit) unit(ctx context.Context, name string) (map[string]dbus.Variant, error) {
	var path dbus.ObjectPath
	if err := v.call(ctx, systemd, "/org/freedesktop/systemd1", systemd+".Manager.LoadUnit", []any{name}, &path); err != nil {
		return nil, err
	}
	var properties map[string]dbus.Variant
	err := v.call(ctx, systemd, path, "org.freedesktop.DBus.Properties.GetAll", []any{""}, &properties)
	return properties, err
}

// active says whether a unit is running.
func (v *visit) active(ctx context.Context, name string) bool {
	properties, err := v.unit(ctx, name)
	return err == nil && get[string](properties, "ActiveState") == "active"
}

func get[T any](properties map[string]dbus.Variant, name string) T {
	value, _ := properties[name].Value().(T)
	return value
}
