package nm

import (
	"regexp"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

func TestUUID(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	a, again, other := uuid("a"), uuid("a"), uuid("b")
	if !form.MatchString(a) || a != again || a == other {
		t.Errorf("%s, %s, %s", a, again, other)
	}
}

func TestProfileValues(t *testing.T) {
	p := Profile{SSID: []byte{0xff}, BSSID: "02:00:00:00:01:0a", Key: "sae", Secret: "a password", PMF: PMFRequired}
	trial, kept := p.values("u", "wlan0", false), p.values("u", "wlan0", true)
	for _, c := range []struct {
		section, key string
		trial, kept  any
	}{
		{"connection", "autoconnect", false, true},
		{"connection", "interface-name", "wlan0", "wlan0"},
		{"802-11-wireless", "ssid", "\xff", "\xff"},
		{"802-11-wireless", "bssid", "\x02\x00\x00\x00\x01\x0a", nil}, // a network that is kept may roam
		{"802-11-wireless", "security", "802-11-wireless-security", "802-11-wireless-security"},
		{"802-11-wireless-security", "key-mgmt", "sae", "sae"},
		{"802-11-wireless-security", "psk", "a password", "a password"},
		{"802-11-wireless-security", "psk-flags", uint32(0), uint32(0)}, // else NetworkManager throws the password away
		{"802-11-wireless-security", "pmf", int32(3), int32(3)},
		{"ipv4", "dhcp-timeout", forever, forever},
	} {
		for i, got := range []any{trial[c.section][c.key].Value(), kept[c.section][c.key].Value()} {
			if b, ok := got.([]byte); ok {
				got = string(b)
			}
			if want := []any{c.trial, c.kept}[i]; got != want {
				t.Errorf("%s.%s is %v, want %v", c.section, c.key, got, want)
			}
		}
	}
	if open := (Profile{SSID: []byte("open")}).values("u", "wlan0", false); open["802-11-wireless-security"] != nil {
		t.Errorf("an open network has %v", open["802-11-wireless-security"])
	}
}

func TestLearn(t *testing.T) {
	changed := func(path dbus.ObjectPath, values map[string]dbus.Variant) *dbus.Signal {
		return &dbus.Signal{Name: msgbus.PropertiesChanged, Path: path, Body: []any{DeviceIface, values, []string{}}}
	}
	state := map[string]dbus.Variant{"State": dbus.MakeVariant(uint32(IPConfig))}
	active := map[string]dbus.Variant{"ActiveConnection": dbus.MakeVariant(dbus.ObjectPath("/a"))}
	for _, c := range []struct {
		name   string
		signal *dbus.Signal
		state  State
		stale  bool
	}{
		{"its state", changed("/d", state), IPConfig, false},
		{"another's state", changed("/e", state), Disconnected, false},
		{"its connection", changed("/d", active), Disconnected, true},
		{"a new device", &dbus.Signal{Name: Name + ".DeviceAdded"}, Disconnected, true},
		{"nonsense", &dbus.Signal{Name: msgbus.PropertiesChanged, Path: "/d", Body: []any{DeviceIface, "x"}}, Disconnected, false},
	} {
		d := Device{Path: "/d", Managed: true, State: Disconnected}
		if stale := d.Learn(c.signal); stale != c.stale || d.State != c.state {
			t.Errorf("%s: stale %v, state %d", c.name, stale, d.State)
		}
	}
}
