package nm

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

// PMF is a profile's use of protected management frames (NMSettingWirelessSecurityPmf).
type PMF int32

// The values of PMF.
const (
	PMFDefault  PMF = 0 // where both sides can
	PMFOff      PMF = 1
	PMFRequired PMF = 3
)

// Profile is a network as NetworkManager is told of it.
type Profile struct {
	SSID   []byte
	Hidden bool
	BSSID  string // the only access point to join; empty: any of the network
	Key    string // key-mgmt: wpa-psk, sae; empty: an open network
	Secret string // UTF-8 without a zero byte, or 64 hex digits of a PSK
	PMF    PMF
	WPA1   bool // WPA2's predecessor
}

// Activation is a profile that NetworkManager was told to join with.
type Activation struct {
	uuid    string
	profile dbus.ObjectPath
	Active  dbus.ObjectPath
}

// forever is a timeout that does not end (settings manual, ipv4.dhcp-timeout): a link
// without an address stays.
const forever = int32(1<<31 - 1)

// values returns the profile as AddAndActivateConnection2 and Update2 take it. keep has
// NetworkManager join by itself whenever the network is in reach, before others.
func (p Profile) values(uuid, iface string, keep bool) map[string]map[string]dbus.Variant {
	v := dbus.MakeVariant
	all := map[string]map[string]dbus.Variant{
		"connection": {
			"id": v("wifiprovd"), "uuid": v(uuid), "type": v("802-11-wireless"), "interface-name": v(iface),
			"autoconnect": v(keep), "autoconnect-priority": v(int32(100)), "autoconnect-retries": v(int32(0)),
		},
		"802-11-wireless": {"ssid": v(p.SSID), "mode": v("infrastructure"), "hidden": v(p.Hidden)},
		"ipv4":            {"method": v("auto"), "dhcp-timeout": v(forever)},
		"ipv6":            {"method": v("auto")},
		"user":            {"data": v(map[string]string{"io.github.wifiprovd.kept": fmt.Sprint(keep)})},
	}
	if mac, err := hex.DecodeString(compact(p.BSSID)); err == nil && len(mac) == 6 && !keep {
		all["802-11-wireless"]["bssid"] = v(mac)
	}
	if p.Key == "" {
		return all
	}
	all["802-11-wireless"]["security"] = v("802-11-wireless-security")
	security := map[string]dbus.Variant{
		"key-mgmt": v(p.Key), "psk": v(p.Secret), "psk-flags": v(uint32(0)), "pmf": v(int32(p.PMF)),
		"wps-method": v(uint32(1)), // disabled: else it is tried before a password is called wrong
	}
	if p.WPA1 {
		security["proto"] = v([]string{"wpa"})
	}
	all["802-11-wireless-security"] = security
	return all
}

// compact returns a hardware address without its colons.
func compact(mac string) string {
	out := make([]byte, 0, len(mac))
	for _, c := range []byte(mac) {
		if c != ':' {
			out = append(out, c)
		}
	}
	return string(out)
}

// Kept returns the profile that Keep has made, also in an earlier run of the daemon; the
// zero value if there is none.
func (m *Manager) Kept(ctx context.Context) (Activation, error) {
	for _, uuid := range m.uuids {
		profile, err := m.find(ctx, uuid)
		if err != nil {
			return Activation{}, err
		}
		if profile == "" {
			continue
		}
		var values map[string]map[string]dbus.Variant
		if err := m.bus.Call(ctx, profile, profileIface+".GetSettings", nil, &values); err != nil {
			return Activation{}, err
		}
		if msgbus.Value[map[string]string](values["user"], "data")["io.github.wifiprovd.kept"] == "true" {
			return Activation{uuid: uuid, profile: profile}, nil
		}
	}
	return Activation{}, nil
}

// Is reports whether a is the activation of a device's profile.
func (a Activation) Is(d Device) bool { return a.uuid != "" && a.uuid == d.Profile }

// As returns a as the device's activation, which it Is.
func (a Activation) As(d Device) Activation {
	a.Active = d.Active
	return a
}

// find returns the profile with a UUID; empty: there is none.
func (m *Manager) find(ctx context.Context, uuid string) (profile dbus.ObjectPath, err error) {
	err = m.bus.Call(ctx, settingsPath, settings+".GetConnectionByUuid", []any{uuid}, &profile)
	if msgbus.IsError(err, noProfile) || msgbus.IsError(err, msgbus.ErrorPrefix+"ServiceUnknown") ||
		msgbus.IsError(err, msgbus.ErrorPrefix+"NameHasNoOwner") {
		return "", nil
	}
	return profile, err
}

// Try adds a profile beside the one that is kept, and has NetworkManager join with it. One
// that fails vanishes by itself.
func (m *Manager) Try(ctx context.Context, d Device, p Profile, kept Activation) (Activation, error) {
	a := Activation{uuid: m.uuids[0]}
	if kept.uuid == a.uuid {
		a.uuid = m.uuids[1]
	}
	if err := m.delete(ctx, a.uuid); err != nil {
		return a, err
	}
	options := map[string]dbus.Variant{"persist": dbus.MakeVariant("volatile")}
	var result map[string]dbus.Variant
	err := m.bus.Call(ctx, path, Name+".AddAndActivateConnection2",
		[]any{p.values(a.uuid, m.iface, false), d.Path, noPath, options}, &a.profile, &a.Active, &result)
	return a, err
}

// Again has NetworkManager join anew with a profile.
func (m *Manager) Again(ctx context.Context, d Device, a Activation) (Activation, error) {
	err := m.bus.Call(ctx, path, Name+".ActivateConnection", []any{a.profile, d.Path, noPath}, &a.Active)
	return a, err
}

// Back has NetworkManager join with the profile that was active in before, if it still has
// it, whosever it is.
func (m *Manager) Back(ctx context.Context, before Device) error {
	profile, err := m.find(ctx, before.Profile)
	if err != nil || profile == "" {
		return err
	}
	_, err = m.Again(ctx, before, Activation{profile: profile})
	return err
}

// Flags of Update2 (NMSettingsUpdate2Flags).
const (
	inMemory  = uint32(0x2)
	noReapply = uint32(0x40)
)

// Keep makes a profile that has joined the one that NetworkManager joins by itself.
func (m *Manager) Keep(ctx context.Context, a Activation, p Profile) error {
	var result map[string]dbus.Variant
	err := m.bus.Call(ctx, a.profile, profileIface+".Update2",
		[]any{p.values(a.uuid, m.iface, true), inMemory | noReapply, map[string]dbus.Variant{}}, &result)
	if err != nil {
		return err
	}
	for _, uuid := range m.uuids {
		if uuid != a.uuid {
			err = m.delete(ctx, uuid)
		}
	}
	return err
}

// Drop removes a profile.
func (m *Manager) Drop(ctx context.Context, a Activation) error { return m.delete(ctx, a.uuid) }

// Clear removes all profiles of wifiprovd's. It is no error if NetworkManager does not run.
func (m *Manager) Clear(ctx context.Context) error {
	for _, uuid := range m.uuids {
		if err := m.delete(ctx, uuid); err != nil {
			return err
		}
	}
	return nil
}

func (m *Manager) delete(ctx context.Context, uuid string) error {
	profile, err := m.find(ctx, uuid)
	if err != nil || profile == "" {
		return err
	}
	if err = m.bus.Call(ctx, profile, profileIface+".Delete", nil); err == nil {
		return nil
	}
	if still, failed := m.find(ctx, uuid); failed == nil && still != profile {
		return nil // it has vanished meanwhile
	}
	return err
}
