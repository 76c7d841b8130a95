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
	daemon  bool
	on      func(*control.Server)
	outputs map[string]string // of programs
}

func healthy(t *testing.T) *world {
	root := t.TempDir()
	w := &world{
		t:       t,
		machine: Machine{Root: root, Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Config: filepath.Join(root, "wifiprovd.yaml")},
		config:  "store:\n  dir: " + root + "/store\n",
		names:   map[string]bool{systemd: true, bluez: true, wpa: true, networkd: true},
		units: map[string]properties{unitName: {
			"LoadState": "loaded", "ActiveState": "active", "SubState": "running", "UnitFileState": "enabled", "ExecMainStatus": int32(0)}},
		adapter: map[string]properties{
			adapterInterface: {"Powered": true, "Address": "00:AA:01:00:00:00"},
			advertiseManager: {"SupportedInstances": byte(4), "ActiveInstances": byte(1)},
		},
		link:   "configured",
		daemon: true,
		on:     func(s *control.Server) { s.AdvertisingUp("hci0") },
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
	conn := dbustest.Connect(t, w.machine.Bus)
	for name := range w.names {
		if _, err := conn.RequestName(name, 0); err != nil {
			t.Fatal(err)
		}
	}
	methods(t, conn, "/org/freedesktop/systemd1", systemd+".Manager", map[string]any{
		"LoadUnit": func(name string) (dbus.ObjectPath, *dbus.Error) {
			if _, known := w.units[name]; known {
				return dbus.ObjectPath("/unit/" + strings.NewReplacer(".", "_", "@", "_").Replace(name)), nil
			}
			return "/unit/none", nil
		},
	})
	object(t, conn, "/unit/none", properties{"LoadState": "not-found", "ActiveState": "inactive"})
	for name, values := range w.units {
		object(t, conn, dbus.ObjectPath("/unit/"+strings.NewReplacer(".", "_", "@", "_").Replace(name)), values)
	}
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
	methods(t, conn, "/fi/w1/wpa_supplicant1", wpa, map[string]any{
		"GetInterface": func(string) (dbus.ObjectPath, *dbus.Error) {
			return "", dbus.NewError(wpa+".InterfaceUnknown", nil)
		},
	})
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
	if w.daemon {
		w.startDaemon()
	}
}

func (w *world) startDaemon() {
	s := control.NewServer(control.ServerConfig{Version: "1.2.3", Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Bus: w.machine.Bus})
	s.SetState(control.State{Name: "IDLE", Why: "no stored credentials", Since: time.Now(), Advertise: true})
	w.on(s)
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

func TestHealthy(t *testing.T) {
	for _, r := range healthy(t).examine() {
		if r.Verdict != OK || r.Mend != "" {
			t.Errorf("%+v", r)
		}
	}
}

func TestChecks(t *testing.T) {
	unit := func(name string, value any) func(*world) { return func(w *world) { w.units[unitName][name] = value } }
	stopped := func(w *world) { w.daemon = false; w.units[unitName]["ActiveState"] = "inactive" }
	gone := func(name string) func(*world) { return func(w *world) { delete(w.names, name) } }
	there := func(name string) func(*world) { return func(w *world) { w.names[name] = true } }
	file := func(path, text string) func(*world) { return func(w *world) { w.file(path, text) } }
	for _, c := range []struct {
		name, check string
		change      func(*world)
		want        Verdict
		says, mend  string
	}{
		{"bad configuration", "configuration", func(w *world) { w.config += "log:\n  level: loud\n" }, Wrong, "yaml:4", "wifiprovd -check"},
		{"stopped", "service", stopped, Wrong, "does not run", "systemctl enable --now wifiprovd"},
		{"disabled", "service", unit("UnitFileState", "disabled"), Wrong, "not started at boot", "systemctl enable wifiprovd"},
		{"masked", "service", unit("LoadState", "masked"), Wrong, "masked", "systemctl unmask"},
		{"not installed", "service", func(w *world) { clear(w.units) }, Wrong, "not installed", "make install"},
		{"starts again and again", "service", unit("ActiveState", "activating"), Wrong, "activating", "journalctl"},
		{"ended for its configuration", "service", func(w *world) {
			w.units[unitName]["ActiveState"], w.units[unitName]["ExecMainStatus"] = "failed", int32(78)
		}, Wrong, "configuration is wrong", "wifiprovd -check"},
		{"no bus policy", "service", func(w *world) { w.daemon = false }, Wrong, "not on the message bus", "systemctl reload dbus"},
		{"no systemd", "service", gone(systemd), Unknown, "systemd", "systemctl status"},
		{"store readable by all", "store", func(w *world) { _ = os.Chmod(w.machine.Root+"/store", 0o755) }, Wrong, "mode 0755", "chmod 0700"},
		{"store file readable by all", "store", func(w *world) {
			w.file("store/credentials.json", "{}")
			_ = os.Chmod(w.machine.Root+"/store/credentials.json", 0o644)
		}, Wrong, "mode 0644", "chmod 0600"},
		{"no store yet", "store", func(w *world) { _ = os.Remove(w.machine.Root + "/store") }, OK, "", ""},
		{"store of others", "store", func(w *world) { w.machine.UID = 1000 }, Unknown, "only root", "sudo"},
		{"clock", "clock", func(w *world) { w.machine.Now = time.Unix(0, 0) }, Wrong, "1970", "timedatectl"},
		{"no bluetoothd", "bluetoothd", gone(bluez), Wrong, "does not run", "systemctl enable --now bluetooth"},
		{"old bluetoothd", "bluetoothd", func(w *world) { w.outputs["/usr/libexec/bluetooth/bluetoothd"] = "5.55\n" }, Wrong, "5.55", "full-upgrade"},
		{"no adapter", "adapter", func(w *world) { w.adapter = nil }, Wrong, "no Bluetooth adapter", "journalctl -k"},
		{"no adapter, no advertising", "advertising", func(w *world) { w.adapter = nil }, Unknown, "no adapter", ""},
		{"another adapter", "adapter", func(w *world) { w.config += "bluetooth:\n  adapter: hci7\n" }, Wrong, "no adapter hci7, but hci0", "bluetooth.adapter"},
		{"powered off", "adapter", func(w *world) { w.adapter[adapterInterface]["Powered"] = false }, Wrong, "powered off", "bluetoothctl power on"},
		{"Bluetooth blocked", "adapter", file("/sys/class/bluetooth/hci0/rfkill1/soft", "1\n"), Wrong, "by software", "rfkill unblock bluetooth"},
		{"no LE", "advertising", func(w *world) { delete(w.adapter, advertiseManager) }, Wrong, "cannot advertise", "bluetooth.adapter"},
		{"all taken", "advertising", func(w *world) {
			stopped(w)
			w.adapter[advertiseManager] = properties{"SupportedInstances": byte(0), "ActiveInstances": byte(5)}
		}, Wrong, "all 5 advertisements", "end the other program"},
		{"kernel that refuses", "advertising", func(w *world) { stopped(w); w.file("/proc/sys/kernel/osrelease", "6.18.34+rpt-rpi-v8") }, Wrong, "6.18.34", "full-upgrade"},
		{"not advertising", "advertising", func(w *world) { w.on = func(s *control.Server) { s.AdvertisingDown("BlueZ refuses") } }, Wrong, "BlueZ refuses", "journalctl"},
		{"not advertising by choice", "advertising", func(w *world) {
			w.config += "bluetooth:\n  keep_after_connect: false\n"
			w.on = func(s *control.Server) { s.SetState(control.State{Name: "CONNECTED"}) }
		}, OK, "keep_after_connect", ""},
		{"free", "advertising", stopped, OK, "4 advertisements are free", ""},
		{"no wpa_supplicant", "wpa_supplicant", gone(wpa), Wrong, "does not run", "systemctl enable --now wpa_supplicant"},
		{"no interface", "interface", func(w *world) { w.config += "wifi:\n  interface: wlan7\n" }, Wrong, "no interface wlan7", "wifi.interface"},
		{"no Wi-Fi interface", "interface", func(w *world) { w.config += "wifi:\n  interface: eth0\n"; w.file("/sys/class/net/eth0/mtu", "1500") }, Wrong, "no Wi-Fi", "iw dev"},
		{"Wi-Fi blocked", "interface", file("/sys/class/net/wlan0/phy80211/rfkill0/soft", "1\n"), Wrong, "by software", "rfkill unblock wifi"},
		{"Wi-Fi switched off", "interface", file("/sys/class/net/wlan0/phy80211/rfkill0/hard", "1\n"), Wrong, "hardware switch", "switch"},
		{"no country", "country", func(w *world) { w.outputs["/usr/sbin/iw"] = "global\ncountry 00: DFS-UNSET\n" }, Wrong, "no Wi-Fi country", "wifi.country"},
		{"no iw", "country", func(w *world) { delete(w.outputs, "/usr/sbin/iw") }, Unknown, "not known", "apt-get install iw"},
		{"NetworkManager", "managers", func(w *world) { there(networkManager)(w); w.nm = true }, Wrong, "NetworkManager manages wlan0", "nmcli device set wlan0 managed no"},
		{"NetworkManager elsewhere", "managers", there(networkManager), OK, "nobody", ""},
		{"iwd", "managers", there("net.connman.iwd"), Wrong, "iwd", "systemctl disable --now iwd"},
		{"ConnMan", "managers", there("net.connman"), Wrong, "ConnMan", "systemctl disable --now connman"},
		{"another wpa_supplicant", "managers", func(w *world) { w.units["wpa_supplicant@wlan0.service"] = properties{"ActiveState": "active"} },
			Wrong, "wpa_supplicant@wlan0", "systemctl disable --now wpa_supplicant@wlan0"},
		{"no DHCP client", "dhcp", gone(networkd), Wrong, "nobody asks", "systemctl enable --now systemd-networkd"},
		{"dhcpcd", "dhcp", func(w *world) { gone(networkd)(w); w.units["dhcpcd.service"] = properties{"ActiveState": "active"} }, OK, "dhcpcd", ""},
		{"no file for the link", "dhcp", func(w *world) { w.link = "unmanaged" }, Wrong, "no file for wlan0", "80-wifiprovd"},
		{"no link", "dhcp", func(w *world) { w.link = "" }, Unknown, "does not say", "networkctl"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := healthy(t)
			c.change(w)
			r := w.examine()[c.check]
			if r.Verdict != c.want || !strings.Contains(r.Says, c.says) || !strings.Contains(r.Mend, c.mend) {
				t.Errorf("%+v, want %s with %q, %q", r, c.want, c.says, c.mend)
			}
		})
	}
}

// Without a bus it says so, and checks what can be.
func TestNoBus(t *testing.T) {
	w := healthy(t)
	w.start()
	w.machine.Bus = "unix:path=" + w.machine.Root + "/none"
	results := Examine(context.Background(), w.machine, func(string) {})
	if len(results) != 2 || results[0].Verdict != Wrong || results[1].Verdict != OK {
		t.Errorf("%+v", results)
	}
}

// A neighbour that does not answer costs its deadline, not more.
func TestSilentNeighbour(t *testing.T) {
	w := healthy(t)
	delete(w.names, bluez)
	w.start()
	silent := dbustest.Connect(t, w.machine.Bus)
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	methods(t, silent, "/", "org.freedesktop.DBus.ObjectManager", map[string]any{
		"GetManagedObjects": func() (map[string]string, *dbus.Error) { <-stop; return nil, nil },
	})
	if _, err := silent.RequestName(bluez, 0); err != nil {
		t.Fatal(err)
	}
	for _, r := range Examine(context.Background(), w.machine, func(string) {}) {
		if r.Check == "adapter" && (r.Verdict != Wrong || r.Mend != bluetoothdRestart) {
			t.Errorf("%+v", r)
		}
	}
}
