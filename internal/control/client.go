package control

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

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

// Open has the daemon on the bus at address, empty for the system bus, open a window for so
// long, in whole seconds; 0: as configured. It is ErrNotRunning if there is none. Only root
// may.
func Open(ctx context.Context, address string, window time.Duration) error {
	return request(ctx, address, "Open", uint32(window/time.Second))
}

// Close has the daemon end the window, as Open.
func Close(ctx context.Context, address string) error { return request(ctx, address, "Close") }

func request(ctx context.Context, address, method string, args ...any) error {
	conn, err := msgbus.Dial(ctx, address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	for begin := time.Now(); ; {
		err := daemonOn(conn).Call(ctx, Path, Interface+"."+method, args)
		if err != nil {
			err = asked("ask wifiprovd to "+strings.ToLower(method), err)
		}
		if !errors.Is(err, ErrNotRunning) || time.Since(begin) > startTime {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(startTime / 10):
		}
	}
}

// startTime is how long a daemon that has just started may take to come onto the bus, after
// it has told systemd that it is ready.
const startTime = 3 * time.Second

func daemonOn(conn *dbus.Conn) msgbus.Program {
	return msgbus.Program{Conn: conn, Name: Name, Timeout: answerTimeout, Flags: dbus.FlagNoAutoStart}
}

// asked returns the error of a call: ErrNotRunning, or what was to be done and why it was not.
func asked(what string, err error) error {
	switch {
	case msgbus.IsError(err, msgbus.ErrorPrefix+"ServiceUnknown"),
		msgbus.IsError(err, msgbus.ErrorPrefix+"NameHasNoOwner"):
		return ErrNotRunning
	case msgbus.IsError(err, msgbus.ErrorPrefix+"AccessDenied"):
		return fmt.Errorf("%s: only root may; use sudo", what)
	}
	return fmt.Errorf("%s: %w", what, msgbus.Plain(err))
}

// ask is Read on a connection that stands.
func ask(ctx context.Context, conn *dbus.Conn) (Status, error) {
	values, err := daemonOn(conn).GetAll(ctx, Path, Interface)
	if err != nil {
		return Status{}, asked("ask wifiprovd for its status", err)
	}
	return decode(values), nil
}
