package doctor

import (
	"context"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

// program returns a program on the bus to ask. It is not started for that.
func (v *visit) program(name string) msgbus.Program {
	return msgbus.Program{
		Conn: v.conn, Name: name, Timeout: checkTimeout, Flags: dbus.FlagNoAutoStart}
}

// runs reports whether a program has name on the bus.
func (v *visit) runs(ctx context.Context, name string) bool {
	owner, err := v.program(name).Owner(ctx)
	return err == nil && owner != ""
}

const systemd = "org.freedesktop.systemd1"

// unit returns the properties of a unit (systemd, org.freedesktop.systemd1(5)).
func (v *visit) unit(ctx context.Context, name string) (map[string]dbus.Variant, error) {
	manager := v.program(systemd)
	var path dbus.ObjectPath
	err := manager.Call(ctx, "/org/freedesktop/systemd1", systemd+".Manager.LoadUnit",
		[]any{name}, &path)
	if err != nil {
		return nil, err
	}
	return manager.GetAll(ctx, path, "")
}

// active reports whether a unit is running.
func (v *visit) active(ctx context.Context, name string) bool {
	properties, err := v.unit(ctx, name)
	return err == nil && msgbus.Value[string](properties, "ActiveState") == "active"
}
