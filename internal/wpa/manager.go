package wpa

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
	"github.com/wifiprovd/wifiprovd/internal/nm"
)

// Backend is who keeps the networks that are joined: it follows reality, or is fixed, and
// then what is otherwise is a problem that a person has to solve. Two masters of one radio
// undo each other's work.
type Backend string

// The values of Backend.
const (
	Auto           Backend = "" // NetworkManager where it manages the interface, else wpa_supplicant
	WPASupplicant  Backend = "wpa_supplicant"
	NetworkManager Backend = "networkmanager"
)

// BackendOf returns the Backend that the configuration names: auto, wpa_supplicant or
// networkmanager.
func BackendOf(name string) Backend {
	if name == "auto" {
		return Auto
	}
	return Backend(name)
}

const (
	askStarting    = 500 * time.Millisecond // between two looks at a NetworkManager that has not decided
	startingWithin = 10 * time.Second       // after which it counts as leaving the interface alone
)

// manager is what is known of NetworkManager. It belongs to the owner.
type manager struct {
	*nm.Manager
	stale    bool // NetworkManager is to be asked
	device   nm.Device
	managed  bool      // it manages the interface
	released time.Time // when it will have let go of the interface; zero: it has not begun to
	starting time.Time // since when it has been about to decide; zero: it is not
	ask      time.Time // when it is asked again; zero: when a signal comes
}

// learn takes in NetworkManager's answer. A moment after it has let go of the interface,
// it takes it out of wpa_supplicant; until release has passed it counts as managed. It
// returns whether another one has to use the interface now.
func (m *manager) learn(d nm.Device, now time.Time, release time.Duration) (changed bool) {
	m.device, m.released, m.ask = d, time.Time{}, time.Time{}
	switch {
	case !d.Starting:
		m.starting = time.Time{}
	case m.starting.IsZero():
		m.starting = now
	}
	if m.undecided(now) {
		m.ask = now.Add(askStarting)
	}
	switch {
	case d.Managed:
		changed = !m.managed
		m.managed = true
	case m.managed:
		m.released = now.Add(release)
	}
	return changed
}

// undecided reports whether NetworkManager may still take the interface: it has just begun
// to run.
func (m *manager) undecided(now time.Time) bool {
	return !m.starting.IsZero() && now.Sub(m.starting) < startingWithin
}

// letGo reports that NetworkManager has let go of the interface, once.
func (m *manager) letGo(now time.Time) bool {
	if m.released.IsZero() || now.Before(m.released) {
		return false
	}
	m.managed, m.released = false, time.Time{}
	return true
}

// askAgain has NetworkManager asked if it is time to.
func (m *manager) askAgain(now time.Time) {
	if !m.ask.IsZero() && !now.Before(m.ask) {
		m.stale, m.ask = true, time.Time{}
	}
}

// concerning takes in a signal of NetworkManager's.
func (m *manager) concerning(signal *dbus.Signal) { m.stale = m.device.Learn(signal) || m.stale }

// askManager asks NetworkManager whether it manages the interface.
func (o *owner) askManager() question {
	last := o.manager.device.Profile
	return func(ctx context.Context) func() {
		d := o.manager.Look(ctx)
		if d.Profile != last && o.manager.Ours(d.Profile) && o.cfg.Stored != nil && !o.cfg.Stored() {
			d = orphaned(ctx, o.manager.Manager, d, o.cfg.Log)
		}
		return func() {
			o.manager.foreign(d, o.cfg)
			taken := o.manager.learn(d, time.Now(), o.times.release)
			if taken && o.station != nil && !o.manager.handsOff(o.cfg) {
				o.detach("NetworkManager has taken " + o.view.Load().iface() + " over")
				o.trouble.retry = backoff{}
			}
			if s := o.station; s != nil && s.attempt != nil {
				s.attempt.activation(d)
			}
		}
	}
}

// orphaned removes the profiles that an earlier run has left in NetworkManager, and whose
// network is in the store no more. It returns what the device is then.
func orphaned(ctx context.Context, m *nm.Manager, d nm.Device, log *slog.Logger) nm.Device {
	if err := m.Clear(ctx); err != nil {
		log.Warn("cannot remove the profile of an earlier run from NetworkManager", "err", msgbus.Plain(err))
		return d
	}
	log.Info("nothing is stored: removed the profile of an earlier run from NetworkManager", "event", "profile-removed")
	return m.Look(ctx)
}

// backend is who keeps the networks now.
func (m *manager) backend() Backend {
	if m.managed {
		return NetworkManager
	}
	return WPASupplicant
}

// foreign tells, once, that NetworkManager has joined a network with a profile that is not
// ours.
func (m *manager) foreign(d nm.Device, cfg Config) {
	if d.Managed && d.Profile != "" && d.Profile != m.device.Profile && !m.Ours(d.Profile) {
		cfg.Log.Info(fmt.Sprintf("NetworkManager turns to %q, which is not wifiprovd's: it is left alone until a phone asks to connect", d.Title),
			"event", "other-network", "profile", d.Title)
	}
}

// handsOff reports whether NetworkManager has the interface and the configuration says that
// it must not.
func (m *manager) handsOff(cfg Config) bool { return m.managed && cfg.Backend == WPASupplicant }

// mismatch says why the back-end that the configuration fixes cannot be used, or that it
// is not known yet who it is; empty: it can.
func (m *manager) mismatch(cfg Config, now time.Time) string {
	name, managed := m.Interface(), m.managed
	switch {
	case cfg.Backend == WPASupplicant && managed:
		return fmt.Sprintf("NetworkManager manages %s; hand it over with: nmcli device set %[1]s managed no, or use NetworkManager with wifi.backend: auto", name)
	case managed:
		return ""
	case m.undecided(now):
		return "waiting until NetworkManager has decided whether it manages " + name
	case cfg.Backend == NetworkManager && m.device.Path == "":
		return fmt.Sprintf("NetworkManager does not run, or does not know %s; start it with: systemctl start NetworkManager, or set wifi.backend: auto", name)
	case cfg.Backend == NetworkManager:
		return fmt.Sprintf("NetworkManager does not manage %s; hand it over with: nmcli device set %[1]s managed yes, or set wifi.backend: auto", name)
	}
	return ""
}

// managedRadio says why NetworkManager cannot use the radio; empty: it can. While it does,
// it sets the interface down and up by itself, to change its address.
func (c *Client) managedRadio(d nm.Device) string {
	if d.State > nm.Unavailable {
		return ""
	}
	if why := c.radioProblem(); why != "" {
		return why
	}
	return fmt.Sprintf("NetworkManager cannot use %s yet; see: nmcli device show %[1]s", c.view.Load().iface())
}
