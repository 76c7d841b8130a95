package wpa

import (
	"context"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

// manager is what is known of NetworkManager: two masters of one radio undo each
// other's work. It belongs to the owner.
type manager struct {
	stale    bool      // NetworkManager is to be asked
	managed  bool      // it manages the interface: hands off
	released time.Time // when it will have let go of the interface; zero: it has not begun to
}

// concerns reports whether a signal may change whether the interface is managed.
func (m *manager) concerns(s *dbus.Signal) bool {
	if s.Name == managerAdded {
		return true
	}
	return len(s.Body) > 0 && (s.Name == msgbus.NameOwnerChanged && s.Body[0] == managerName ||
		s.Name == msgbus.PropertiesChanged && s.Body[0] == managerDevice)
}

// learn takes in NetworkManager's answer. A moment after it has let go of the interface,
// it takes it out of wpa_supplicant; until release has passed it counts as managed.
func (m *manager) learn(managed bool, now time.Time, release time.Duration) {
	m.released = time.Time{}
	switch {
	case managed:
		m.managed = true
	case m.managed:
		m.released = now.Add(release)
	}
}

// letGo reports that NetworkManager has let go of the interface, once.
func (m *manager) letGo(now time.Time) bool {
	if m.released.IsZero() || now.Before(m.released) {
		return false
	}
	m.managed, m.released = false, time.Time{}
	return true
}

// askManager asks NetworkManager whether it manages the interface.
func (o *owner) askManager() question {
	return func(ctx context.Context) func() {
		managed := isManaged(ctx, msgbus.Program{
			Conn: o.conn, Name: managerName, Timeout: o.times.answer, Flags: dbus.FlagNoAutoStart,
		}, o.cfg.Interface)
		return func() { o.manager.learn(managed, time.Now(), o.times.release) }
	}
}

func isManaged(ctx context.Context, manager msgbus.Program, name string) bool {
	var path dbus.ObjectPath
	if manager.Call(ctx, managerPath, managerName+".GetDeviceByIpIface", []any{name}, &path) != nil {
		return false // it does not run, or does not know the interface
	}
	var managed bool
	return manager.Get(ctx, path, managerDevice, "Managed", &managed) == nil && managed
}

// managedText says that NetworkManager manages the interface, and what to do.
func managedText(name string) string {
	return fmt.Sprintf("NetworkManager manages %s; hand it over with: nmcli device set %[1]s managed no", name)
}
