package systemd

import (
	"context"
	"fmt"

	"github.com/coreos/go-systemd/v22/dbus"
)

// RestartUnit has systemd restart a unit, such as name.service, and returns when that is done: when it
// runs, or, a oneshot, has ended (org.freedesktop.systemd1(5), RestartUnit and JobRemoved).
func RestartUnit(ctx context.Context, name string) error {
	conn, err := dbus.NewSystemConnectionContext(ctx)
	if err != nil {
		return fmt.Errorf("connect to systemd: %w", err)
	}
	defer conn.Close()
	done := make(chan string, 1)
	if _, err := conn.RestartUnitContext(ctx, name, "replace", done); err != nil {
		return fmt.Errorf("restart %s: %w", name, err)
	}
	select {
	case result := <-done:
		if result != "done" {
			return fmt.Errorf("restart %s: systemd says %s", name, result)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("restart %s: %w", name, ctx.Err())
	}
}
