package wpa

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
	"github.com/wifiprovd/wifiprovd/internal/nm"
	"github.com/wifiprovd/wifiprovd/internal/verdict"
)

const (
	ownNetwork   = dbus.ObjectPath("/fi/w1/wpa_supplicant1/Interfaces/0/Networks/0")
	otherNetwork = dbus.ObjectPath("/fi/w1/wpa_supplicant1/Interfaces/0/Networks/9")
)

// A connection to the network of another program is not ours, however well it
// stands.
func TestTaken(t *testing.T) {
	for name, take := range map[string]func(*rig){
		"it says so": func(r *rig) {
			r.Change(state("disconnected"))
			r.Change(dbustest.Step{"State": "completed", "CurrentNetwork": otherNetwork})
		},
		"it says what was selected": func(r *rig) { r.InterfaceSignal("NetworkSelected", otherNetwork) },
		"it says only that it is connected": func(r *rig) {
			r.Set("CurrentNetwork", otherNetwork)
			r.Change(state("disconnected"))
			r.Change(state("completed"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.Air(lab())
			r.joined(t)
			take(r)
			if why := r.loss(t); !strings.Contains(why, "another program selected") {
				t.Errorf("lost: %s", why)
			}
			r.joined(t)
			r.isQuiet(t)
		})
	}
}

func TestRemovedWhileConnected(t *testing.T) {
	r := newRig(t)
	r.Air(lab())
	r.joined(t)
	r.InterfaceSignal("NetworkRemoved", ownNetwork)
	r.Change(state("disconnected"))
	if why := r.loss(t); !strings.Contains(why, "another program removed") {
		t.Errorf("lost: %s", why)
	}
	r.joined(t)
	r.isQuiet(t)
}

// A network that is removed in the middle of an attempt is added again, and so is
// one that another program selects its own in place of. Which is ours is told by
// more than the path: wpa_supplicant gives it to the next one that is added.
func TestMeddlingWhileJoining(t *testing.T) {
	inScan := func(o *owner) bool { return o.station.mine == "" && o.station.none > o.station.dev.since }
	tests := map[string]struct {
		when   func(*owner) bool
		signal string
		path   dbus.ObjectPath
		first  []verdict.Change // and no further
		added  int
	}{
		"removed":                       {inHandshake, "NetworkRemoved", ownNetwork, toHandshake, 2},
		"selected another":              {inHandshake, "NetworkSelected", otherNetwork, toHandshake, 2},
		"selected another between ours": {inScan, "NetworkSelected", ownNetwork, outOfReach, 3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.Air(lab())
			r.Hear(time.Second, lab())
			r.Next(steps(test.first)...)
			r.SlowScans()
			go func() {
				if test.added == 3 {
					_ = r.until(t, func() bool { return len(r.Calls("RemoveNetwork")) > 0 })
				}
				r.sees(t, test.when)
				r.InterfaceSignal(test.signal, test.path)
				r.sees(t, func(o *owner) bool { return o.station.taken || test.added == 2 })
				_ = r.until(t, r.FinishScan) // if there is one
			}()
			r.joined(t)
			if n := len(r.Calls("AddNetwork")); n != test.added {
				t.Errorf("%d networks were added, want %d", n, test.added)
			}
			if n := strings.Count(r.log.String(), "ours is added again"); n != 1 {
				t.Errorf("said %d times that it is added again: %s", n, r.log)
			}
		})
	}
}

// Another program's network may be why a search found nothing.
func TestTakenWhileSearching(t *testing.T) {
	r := newRig(t)
	r.SlowScans()
	said := func() bool { return strings.Contains(r.log.String(), errTaken.Error()+"; ours is added again") }
	go func() {
		_ = r.until(t, func() bool { return len(r.Calls("Scan")) > 0 })
		r.InterfaceSignal("NetworkSelected", otherNetwork)
		r.sees(t, func(o *owner) bool { return o.station.taken })
		_ = r.until(t, func() bool { r.FinishScan(); return said() })
		r.Air(lab())
		_ = r.until(t, r.FinishScan)
	}()
	r.joined(t)
	if !said() {
		t.Errorf("nothing is said of it:\n%s", r.log)
	}
}

// A wpa_supplicant that hangs is noticed, and so is that it goes on.
func TestCheck(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Air(lab())
	r.Hang("GetInterface")
	r.Check()
	r.isAvailable(t, "wpa_supplicant does not answer")
	r.Check() // one runs
	r.Answer("GetInterface")
	r.isAvailable(t, "")
	r.joined(t)
	r.isQuiet(t)
}

// nmFake is a NetworkManager with one device.
type nmFake struct {
	t       *testing.T
	conn    *dbus.Conn
	managed atomic.Bool
}

const (
	managerPath       = dbus.ObjectPath("/org/freedesktop/NetworkManager")
	managerDevicePath = managerPath + "/Devices/1"
)

func startManager(t *testing.T, address string) *nmFake {
	t.Helper()
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	m := &nmFake{t: t, conn: conn}
	device := func(name string) (dbus.ObjectPath, *dbus.Error) {
		if name != "wlan0" {
			return "", dbus.NewError(nm.Name+".UnknownDevice", nil)
		}
		return managerDevicePath, nil
	}
	get := func(string) (map[string]dbus.Variant, *dbus.Error) {
		return map[string]dbus.Variant{"Managed": dbus.MakeVariant(m.managed.Load())}, nil
	}
	if err := conn.ExportMethodTable(map[string]any{"GetDeviceByIpIface": device}, managerPath, nm.Name); err != nil {
		t.Fatal(err)
	}
	if err := conn.ExportMethodTable(map[string]any{"GetAll": get}, managerDevicePath, msgbus.Properties); err != nil {
		t.Fatal(err)
	}
	find := func(string) (dbus.ObjectPath, *dbus.Error) {
		return "", dbus.NewError(nm.Name+".Settings.InvalidConnection", nil)
	}
	if err := conn.ExportMethodTable(map[string]any{"GetConnectionByUuid": find}, managerPath+"/Settings", nm.Name+".Settings"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.RequestName(nm.Name, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *nmFake) manage(on bool) {
	m.managed.Store(on)
	changed := map[string]dbus.Variant{"Managed": dbus.MakeVariant(on)}
	if err := m.conn.Emit(managerDevicePath, msgbus.PropertiesChanged, nm.DeviceIface, changed, []string{}); err != nil {
		m.t.Error(err)
	}
}

// While NetworkManager manages the interface, it is left alone, and whatever else
// happens to it is no news.
func TestManaged(t *testing.T) {
	address := dbustest.Start(t)
	r := &rig{WPA: dbustest.StartWPA(t, address, "wlan0"), backend: WPASupplicant}
	r.Air(lab())
	r.run(t, address)
	r.isAvailable(t, "")
	m := startManager(t, address)
	m.manage(true)
	r.isAvailable(t, "nmcli device set wlan0 managed no")
	for _, name := range []string{"interface_disabled", "disconnected"} {
		r.Change(state(name))
		r.sees(t, func(o *owner) bool { return o.station.state == name })
	}
	m.manage(false)
	r.isAvailable(t, "")
	r.joined(t)
	m.manage(true)
	r.isAvailable(t, "NetworkManager manages wlan0")
	if err := m.conn.Close(); err != nil { // it ends
		t.Fatal(err)
	}
	r.isAvailable(t, "")
	r.isQuiet(t)
}
