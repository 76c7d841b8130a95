package doctor

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/control"
	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/iface"
)

type properties = map[string]any

// world is a gateway of files and of programs on a private bus. A test makes
// something wrong in it, then starts it.
type world struct {
	t       *testing.T
	machine Machine
	config  string
	names   map[string]bool
	units   map[string]properties
	adapter map[string]properties // of hci0, by interface
	link    string                // AdministrativeState; empty: no such link
	nm      bool                  // NetworkManager manages the interface
	ifaces  string                // the Wi-Fi interface that is found with auto; empty: none
	daemon  bool
	on      func(*gateway.Snapshot)
	outputs map[string]string // of programs
}

func healthy(t *testing.T) *world {
	root := t.TempDir()
	w := &world{
		t:       t,
		machine: Machine{Root: root, Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Config: filepath.Join(root, "wifiprovd.yaml")},
		config:  "store:\n  dir: " + root + "/store\n",
		names:   map[string]bool{systemd: true, bluez: true, wpa: true, networkd: true},
		units: map[string]properties{radioUnitName: {"LoadState": "loaded", "ActiveState": "active"}, unitName: {
			"LoadState": "loaded", "ActiveState": "active", "SubState": "running", "UnitFileState": "enabled", "ExecMainStatus": int32(0)}},
		adapter: map[string]properties{
			adapterInterface: {"Powered": true, "Address": "00:AA:01:00:00:00"},
			advertiseManager: {"SupportedInstances": byte(4), "ActiveInstances": byte(1)},
		},
		link:   "configured",
		ifaces: "wlan0",
		daemon: true,
		on:     func(s *gateway.Snapshot) { s.Advertising.Adapter = "hci0" },
		outputs: map[string]string{
			"/usr/libexec/bluetooth/bluetoothd": "5.66\n",
			"/usr/sbin/wpa_supplicant":          "wpa_supplicant v2.10\nCopyright\n",
			"/usr/sbin/iw":                      "global\ncountry DE: DFS-ETSI\n",
		},
	}
	w.file("/proc/sys/kernel/osrelease", "6.12.47+rpt-rpi-v8\n")
	w.file("/sys/class/net/wlan0/phy80211/rfkill0/soft", "0\n")
	w.file("/sys/class/net/wlan0/phy80211/rfkill0/hard", "0\n")
	w.file("/sys/class/bluetooth/hci0/rfkill1/soft", "0\n")
	if err := os.Mkdir(root+"/store", 0o700); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) file(path, text string) {
	w.t.Helper()
	path = filepath.Join(w.machine.Root, path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		w.t.Fatal(err)
	}
}

// object puts properties on the bus.
func object(t *testing.T, conn *dbus.Conn, path dbus.ObjectPath, values properties) {
	t.Helper()
	variants := map[string]dbus.Variant{}
	for name, v := range values {
		variants[name] = dbus.MakeVariant(v)
	}
	methods(t, conn, path, "org.freedesktop.DBus.Properties", map[string]any{
		"Get":    func(_, name string) (dbus.Variant, *dbus.Error) { return variants[name], nil },
		"GetAll": func(string) (map[string]dbus.Variant, *dbus.Error) { return variants, nil },
	})
}

func methods(t *testing.T, conn *dbus.Conn, path dbus.ObjectPath, iface string, table map[string]any) {
	t.Helper()
	if err := conn.ExportMethodTable(table, path, iface); err != nil {
		t.Fatal(err)
	}
}

// start puts the programs on a bus.
func (w *world) start() {
	t := w.t
	t.Helper()
	w.machine.Bus = dbustest.Start(t)
	w.file("wifiprovd.yaml", w.config)
	w.machine.Run = func(_ context.Context, name string, _ ...string) (string, error) {
		if out, ok := w.outputs[name]; ok {
			return out, nil
		}
		return "", os.ErrNotExist
	}
	w.machine.Interface = func(setting string) (name, missing string) {
		switch {
		case setting != iface.Auto:
			return setting, ""
		case w.ifaces == "":
			return "", "there is no Wi-Fi interface"
		}
		return w.ifaces, ""
	}
	conn := dbustest.Connect(t, w.machine.Bus)
	for name := range w.names {
		if _, err := conn.RequestName(name, 0); err != nil {
			t.Fatal(err)
		}
	}
	w.startSystemd(conn)
	w.startBluez(conn)
	w.startSupplicant(conn)
	w.startManagers(conn)
	if w.daemon {
		w.startDaemon()
	}
}

func unitPath(name string) dbus.ObjectPath {
	return dbus.ObjectPath("/unit/" + strings.NewReplacer(".", "_", "@", "_", "-", "_").Replace(name))
}

func (w *world) startSystemd(conn *dbus.Conn) {
	t := w.t
	t.Helper()
	methods(t, conn, "/org/freedesktop/systemd1", systemd+".Manager", map[string]any{
		"LoadUnit": func(name string) (dbus.ObjectPath, *dbus.Error) {
			if _, known := w.units[name]; known {
				return unitPath(name), nil
			}
			return "/unit/none", nil
		},
	})
	object(t, conn, "/unit/none", properties{"LoadState": "not-found", "ActiveState": "inactive"})
	for name, values := range w.units {
		object(t, conn, unitPath(name), values)
	}
}

func (w *world) startBluez(conn *dbus.Conn) {
	t := w.t
	t.Helper()
	methods(t, conn, "/", "org.freedesktop.DBus.ObjectManager", map[string]any{
		"GetManagedObjects": func() (map[dbus.ObjectPath]map[string]map[string]dbus.Variant, *dbus.Error) {
			if w.adapter == nil {
				return nil, nil
			}
			interfaces := map[string]map[string]dbus.Variant{}
			for iface, values := range w.adapter {
				interfaces[iface] = map[string]dbus.Variant{}
				for name, v := range values {
					interfaces[iface][name] = dbus.MakeVariant(v)
				}
			}
			return map[dbus.ObjectPath]map[string]map[string]dbus.Variant{"/org/bluez": {}, "/org/bluez/hci0": interfaces}, nil
		},
	})
}

func (w *world) startSupplicant(conn *dbus.Conn) {
	t := w.t
	t.Helper()
	methods(t, conn, "/fi/w1/wpa_supplicant1", wpa, map[string]any{
		"GetInterface": func(string) (dbus.ObjectPath, *dbus.Error) {
			return "", dbus.NewError(wpa+".InterfaceUnknown", nil)
		},
	})
}

// startManagers starts systemd-networkd and NetworkManager.
func (w *world) startManagers(conn *dbus.Conn) {
	t := w.t
	t.Helper()
	methods(t, conn, "/org/freedesktop/network1", networkd+".Manager", map[string]any{
		"GetLinkByName": func(string) (int32, dbus.ObjectPath, *dbus.Error) {
			if w.link == "" {
				return 0, "/", dbus.NewError(networkd+".NoSuchLink", nil)
			}
			return 3, "/link", nil
		},
	})
	object(t, conn, "/link", properties{"AdministrativeState": w.link})
	methods(t, conn, "/org/freedesktop/NetworkManager", networkManager, map[string]any{
		"GetDeviceByIpIface": func(string) (dbus.ObjectPath, *dbus.Error) { return "/nm/device", nil },
	})
	object(t, conn, "/nm/device", properties{"Managed": w.nm})
}

func (w *world) startDaemon() {
	s := control.NewServer(control.ServerConfig{Version: "1.2.3", Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Bus: w.machine.Bus})
	now := &gateway.Snapshot{Turn: 1, Message: "no stored credentials", Since: time.Now(), Advertising: gateway.Advertising{Wanted: true}}
	w.on(now)
	s.Changed(&gateway.Snapshot{}, now)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	w.t.Cleanup(func() { cancel(); <-done })
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := control.Read(context.Background(), w.machine.Bus); err == nil {
			return
		} else if time.Now().After(end) {
			w.t.Fatal(err)
		}
	}
}

func (w *world) examine() map[string]Result {
	w.start()
	results := map[string]Result{}
	for _, r := range Examine(context.Background(), w.machine, func(string) {}) {
		results[r.Check] = r
	}
	return results
}
