package nm

import (
	"context"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

// Wireless is NetworkManager's switch for all Wi-Fi (org.freedesktop.NetworkManager, property
// WirelessEnabled). While it is off, NetworkManager blocks every Wi-Fi radio by rfkill and uses
// none; it remembers it over reboots, and Raspberry Pi OS has it off until a country is set
// (RPi-Distro/pi-gen, stage2/02-net-tweaks). Bus is the address of the message bus; empty: the
// system bus.
type Wireless struct{ Bus string }

// EnableWireless turns the switch on. It reports whether it was off. Where NetworkManager does not
// run, there is no switch.
func (w Wireless) EnableWireless(ctx context.Context) (was bool, err error) {
	conn, err := msgbus.Dial(ctx, w.Bus)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close() }()
	manager := msgbus.Program{Conn: conn, Name: Name, Timeout: msgbus.DialTimeout, Flags: dbus.FlagNoAutoStart}
	if owner, err := manager.Owner(ctx); owner == "" {
		return false, err
	}
	enabled := true
	if err := manager.Get(ctx, path, Name, "WirelessEnabled", &enabled); err != nil || enabled {
		return false, err
	}
	return true, manager.Set(ctx, path, Name, "WirelessEnabled", true)
}
