package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

// ErrNotRunning says that nobody offers the interface.
var ErrNotRunning = errors.New(
	"wifiprovd is not running on this machine, or does not offer its D-Bus interface")

// Read asks the daemon on the bus at address, empty for the system bus, for its status.
// It is ErrNotRunning if there is none.
func Read(ctx context.Context, address string) (Status, error) {
	conn, err := msgbus.Dial(ctx, address)
	if err != nil {
		return Status{}, err
	}
	defer func() { _ = conn.Close() }()
	return ask(ctx, conn)
}

// ask is Read on a connection that stands.
func ask(ctx context.Context, conn *dbus.Conn) (Status, error) {
	daemon := msgbus.Program{
		Conn: conn, Name: Name, Timeout: answerTimeout, Flags: dbus.FlagNoAutoStart}
	values, err := daemon.GetAll(ctx, Path, Interface)
	switch {
	case msgbus.IsError(err, msgbus.ErrorPrefix+"ServiceUnknown"),
		msgbus.IsError(err, msgbus.ErrorPrefix+"NameHasNoOwner"):
		return Status{}, ErrNotRunning
	case err != nil:
		return Status{}, fmt.Errorf("ask wifiprovd for its status: %w", msgbus.Plain(err))
	}
	return decode(values), nil
}
