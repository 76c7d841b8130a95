package systemd

import (
	"context"
	"fmt"

	"github.com/coreos/go-systemd/v22/dbus"
)

// StartUnit has systemd start a unit, such as name.service, and returns when that is done: when it
// runs, or, a oneshot, has ended. One that runs already is left as it is.
func StartUnit(ctx context.Context, name string) error {
	return job(ctx, "start", name, (*dbus.Conn).StartUnitContext)
}

// RestartUnit has systemd restart a unit, and returns when that is done, as StartUnit does.
func RestartUnit(ctx context.Context, name string) error {
	return job(ctx, "restart", name, (*dbus.Conn).RestartUnitContext)
}

// job has systemd do something with a unit, and waits for the result (org.freedesktop.systemd1(5),
// JobRemoved).
func job(ctx context.Context, what, name string, begin func(*dbus.Conn, context.Context, string, string, chan<- string) (int, error)) error {
	conn, err := dbus.NewSystemConnectionContext(ctx)
	if err != nil {
		return fmt.Errorf("connect to systemd: %w", err)
	}
	defer conn.Close()
	done := make(chan string, 1)
	if _, err := begin(conn, ctx, name, "replace", done); err != nil {
		return fmt.Errorf("%s %s: %w", what, name, err)
	}
	select {
	case result := <-done:
		if result != "done" {
			return fmt.Errorf("%s %s: systemd says %s", what, name, result)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s %s: %w", what, name, ctx.Err())
	}
}
