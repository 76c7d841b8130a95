// Package hostname reads and sets the machine's host name through systemd-hostnamed, which may
// write /etc/hostname for a daemon that may not (org.freedesktop.hostname1(5)).
package hostname

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

// The names of systemd-hostnamed on the bus.
const (
	hostnamed = "org.freedesktop.hostname1"
	path      = dbus.ObjectPath("/org/freedesktop/hostname1")
)

// callTimeout is how long an answer may take: the bus starts systemd-hostnamed for the call.
const callTimeout = 8 * time.Second

// Keeper is systemd-hostnamed. Each method has a connection of its own: nobody asks often.
type Keeper struct {
	BusAddress string // of the message bus; empty: the system bus
}

// Reachable returns nil if systemd-hostnamed runs or can be started.
func (k Keeper) Reachable(ctx context.Context) error {
	return k.dial(ctx, func(p msgbus.Program) error {
		bus := msgbus.Program{Conn: p.Conn, Name: msgbus.BusName, Timeout: p.Timeout}
		var startable, running []string
		lists := map[string]*[]string{"ListActivatableNames": &startable, "ListNames": &running}
		for method, names := range lists {
			if err := bus.Call(ctx, msgbus.BusPath, msgbus.BusName+"."+method, nil, names); err != nil {
				return err
			}
		}
		if !slices.Contains(append(startable, running...), hostnamed) {
			return errors.New("there is no systemd-hostnamed")
		}
		return nil
	})
}

// Name returns the host name. It is not that of the kernel as this process sees it, which
// ProtectHostname= of the unit keeps as it was at the start.
func (k Keeper) Name(ctx context.Context) (name string, err error) {
	err = k.dial(ctx, func(p msgbus.Program) error {
		return p.Get(ctx, path, hostnamed, "Hostname", &name)
	})
	return name, err
}

// SetName sets the host name, also for after a restart.
func (k Keeper) SetName(ctx context.Context, name string) error {
	return k.dial(ctx, func(p msgbus.Program) error {
		const nobodyIsAsked = false // whether polkit may ask a person for a password
		return p.Call(ctx, path, hostnamed+".SetStaticHostname", []any{name, nobodyIsAsked})
	})
}

// dial has ask talk to systemd-hostnamed.
func (k Keeper) dial(ctx context.Context, ask func(msgbus.Program) error) error {
	conn, err := msgbus.Dial(ctx, k.BusAddress)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := ask(msgbus.Program{Conn: conn, Name: hostnamed, Timeout: callTimeout}); err != nil {
		return fmt.Errorf("systemd-hostnamed: %w", msgbus.Plain(err))
	}
	return nil
}
