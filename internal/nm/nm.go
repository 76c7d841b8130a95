// Package nm asks NetworkManager about one Wi-Fi interface, and keeps the profiles of
// wifiprovd's in it (org.freedesktop.NetworkManager; its D-Bus API reference manual).
//
// A profile of ours lives in NetworkManager's memory, never on the disk, and has one of
// two UUIDs that are the same at every start. So whatever a crash leaves behind is found
// again, and no other profile is ever changed or deleted. While one is kept, a trial has
// the other.
package nm

import (
	"context"
	"crypto/sha1"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

// Names of NetworkManager's D-Bus interface.
const (
	Name        = "org.freedesktop.NetworkManager"
	DeviceIface = Name + ".Device"

	path         = dbus.ObjectPath("/org/freedesktop/NetworkManager")
	settingsPath = path + "/Settings"
	settings     = Name + ".Settings"
	profileIface = settings + ".Connection"
	activeIface  = Name + ".Connection.Active"
	noProfile    = settings + ".InvalidConnection"
	noPath       = dbus.ObjectPath("/")

	// unknownDevice is the answer while NetworkManager does not know an interface yet. It knows
	// each soon after the kernel does, also those that it does not manage.
	unknownDevice = Name + ".UnknownDevice"
)

// State is NMDeviceState (libnm-core-public/nm-dbus-interface.h).
type State uint32

// The states that matter here.
const (
	Unavailable  State = 20 // no radio, or no wpa_supplicant
	Disconnected State = 30
	IPConfig     State = 70 // the link stands, an address is being sought
)

// Device is what NetworkManager says of the interface. The zero value: it does not run, or
// does not know the interface.
type Device struct {
	Path     dbus.ObjectPath
	Managed  bool
	Starting bool            // it, or the interface, is new: it may still take it
	State    State           //
	Active   dbus.ObjectPath // the active connection; empty: none
	Profile  string          // its UUID
	Title    string          // its name, for a person
}

// Manager is NetworkManager, where it is about one interface. Its methods may be called
// from any goroutine.
type Manager struct {
	bus   msgbus.Program
	iface string
	uuids [2]string
}

// New returns the Manager of an interface such as wlan0, or of none yet. An answer may take as long as
// timeout. NetworkManager is not started by being asked.
func New(conn *dbus.Conn, iface string, timeout time.Duration) *Manager {
	m := &Manager{bus: msgbus.Program{Conn: conn, Name: Name, Timeout: timeout, Flags: dbus.FlagNoAutoStart}, iface: iface}
	machine, _ := os.ReadFile("/etc/machine-id") // a machine without has the same UUIDs as others
	for i := range m.uuids {
		m.uuids[i] = uuid(fmt.Sprintf("%s wifiprovd %d", strings.TrimSpace(string(machine)), i))
	}
	return m
}

// On returns the Manager of the interface of this name, which is m if it is m's. Profiles
// have the same UUIDs on every interface, so that none is left behind on another one.
func (m *Manager) On(iface string) *Manager {
	if iface == m.iface {
		return m
	}
	other := *m
	other.iface = iface
	return &other
}

// Interface returns the name of the interface; empty: none.
func (m *Manager) Interface() string { return m.iface }

// uuid returns a UUID made from a name (RFC 9562, 5.5, with a namespace of its own).
func uuid(name string) string {
	b := sha1.Sum([]byte("io.github.wifiprovd\x00" + name))
	b[6], b[8] = b[6]&0x0f|0x50, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// Ours reports whether the profile with a UUID is wifiprovd's.
func (m *Manager) Ours(uuid string) bool { return uuid == m.uuids[0] || uuid == m.uuids[1] }

// Matches are the signals that Concerns wants to see.
func Matches() [][]dbus.MatchOption {
	match := func(sender, iface, member string, more ...dbus.MatchOption) []dbus.MatchOption {
		return append(more, dbus.WithMatchSender(sender), dbus.WithMatchInterface(iface), dbus.WithMatchMember(member))
	}
	return [][]dbus.MatchOption{
		match(msgbus.BusName, msgbus.BusName, "NameOwnerChanged", dbus.WithMatchArg(0, Name)),
		match(Name, Name, "DeviceAdded"),
		match(Name, msgbus.Properties, "PropertiesChanged", dbus.WithMatchArg(0, DeviceIface)),
	}
}

// Concerns reports whether a signal may change what Look returns. Anybody may send one.
func Concerns(s *dbus.Signal) bool {
	if s.Name == Name+".DeviceAdded" {
		return true
	}
	return len(s.Body) > 0 && (s.Name == msgbus.NameOwnerChanged && s.Body[0] == Name ||
		s.Name == msgbus.PropertiesChanged && s.Body[0] == DeviceIface)
}

// Learn takes in a signal that Concerns: what it says of d's state. It reports whether
// Look has more to say.
func (d *Device) Learn(s *dbus.Signal) (stale bool) {
	if s.Name != msgbus.PropertiesChanged {
		return true
	}
	if s.Path != d.Path || len(s.Body) < 2 {
		return d.Path == ""
	}
	values, _ := s.Body[1].(map[string]dbus.Variant)
	if state, ok := values["State"].Value().(uint32); ok {
		d.State = State(state)
	}
	_, managed := values["Managed"]
	_, active := values["ActiveConnection"]
	return managed || active
}

// Look asks for the device.
func (m *Manager) Look(ctx context.Context) Device {
	var d Device
	if err := m.bus.Call(ctx, path, Name+".GetDeviceByIpIface", []any{m.iface}, &d.Path); err != nil {
		d.Starting = m.iface != "" && msgbus.IsError(err, unknownDevice)
		return d
	}
	values, err := m.bus.GetAll(ctx, d.Path, DeviceIface)
	if err != nil {
		return Device{}
	}
	d.Managed = msgbus.Value[bool](values, "Managed")
	d.State = State(msgbus.Value[uint32](values, "State"))
	if !d.Managed {
		_ = m.bus.Get(ctx, path, Name, "Startup", &d.Starting)
	}
	if active := msgbus.Value[dbus.ObjectPath](values, "ActiveConnection"); active != noPath && active != "" {
		d.Active = active
		if values, err := m.bus.GetAll(ctx, active, activeIface); err == nil {
			d.Profile, d.Title = msgbus.Value[string](values, "Uuid"), msgbus.Value[string](values, "Id")
		}
	}
	return d
}
