package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/godbus/dbus/v5"
)

// ErrNotRunning says that nobody offers the interface.
var ErrNotRunning = errors.New("wifiprovd does not run on this machine, or does not offer its D-Bus interface")

// Read asks the daemon on the bus at address, empty for the system bus, for its
// status. It is ErrNotRunning if there is none.
func Read(ctx context.Context, address string) (Status, error) {
	conn, err := Dial(ctx, address)
	if err != nil {
		return Status{}, err
	}
	defer func() { _ = conn.Close() }()
	return ask(ctx, conn)
}

// ask is Read on a connection that stands.
func ask(ctx context.Context, conn *dbus.Conn) (Status, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var values map[string]dbus.Variant
	err := conn.Object(Name, Path).CallWithContext(ctx, properties+".GetAll", dbus.FlagNoAutoStart, Interface).Store(&values)
	var e dbus.Error
	switch {
	case errors.As(err, &e) && (e.Name == errorPrefix+"ServiceUnknown" || e.Name == errorPrefix+"NameHasNoOwner"):
		return Status{}, ErrNotRunning
	case err != nil:
		return Status{}, fmt.Errorf("ask wifiprovd for its status: %w", plain(err))
	}
	return status(values), nil
}
