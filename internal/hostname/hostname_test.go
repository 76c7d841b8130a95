package hostname

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
)

// daemon is a systemd-hostnamed that takes every name but one.
type daemon struct {
	mu         sync.Mutex
	properties *prop.Properties
}

const refused = "refused"

// SetStaticHostname is the method.
func (d *daemon) SetStaticHostname(name string, interactive bool) *dbus.Error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if name == refused || interactive {
		return dbus.NewError("org.freedesktop.DBus.Error.InvalidArgs", []any{"Invalid static hostname"})
	}
	d.properties.SetMust(hostnamed, "Hostname", name)
	return nil
}

func TestKeeper(t *testing.T) {
	bus, ctx := dbustest.Start(t), context.Background()
	k := Keeper{BusAddress: bus}
	if err := k.Reachable(ctx); err == nil || !strings.Contains(err.Error(), "there is no") {
		t.Errorf("nobody is there: %v", err)
	}
	if _, err := k.Name(ctx); err == nil {
		t.Error("nobody has a name")
	}

	conn := dbustest.Connect(t, bus)
	d := &daemon{}
	var err error
	d.properties, err = prop.Export(conn, path, prop.Map{hostnamed: {"Hostname": {Value: "gateway"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Export(d, path, hostnamed); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.RequestName(hostnamed, 0); err != nil {
		t.Fatal(err)
	}
	if err := k.Reachable(ctx); err != nil {
		t.Error(err)
	}
	if name, err := k.Name(ctx); name != "gateway" || err != nil {
		t.Errorf("%q, %v", name, err)
	}
	if err := k.SetName(ctx, refused); err == nil || !strings.Contains(err.Error(), "InvalidArgs") {
		t.Errorf("got %v", err)
	}
	if err := k.SetName(ctx, "boiler-7"); err != nil {
		t.Error(err)
	}
	if name, err := k.Name(ctx); name != "boiler-7" || err != nil {
		t.Errorf("%q, %v", name, err)
	}
}
