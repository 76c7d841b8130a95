package doctor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/code"
	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/radio"
	"github.com/wifiprovd/wifiprovd/internal/seal"
	"github.com/wifiprovd/wifiprovd/internal/srp"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

func TestHealthy(t *testing.T) {
	for _, r := range healthy(t).examine() {
		if r.Verdict != OK || r.Fix != "" {
			t.Errorf("%+v", r)
		}
	}
}

// unitSays makes systemd say this of the daemon's unit.
func unitSays(name string, value any) func(*world) {
	return func(w *world) { w.units[unitName][name] = value }
}

func fileSays(path, text string) func(*world) {
	return func(w *world) { w.file(path, text) }
}

// gone takes a program from the bus.
func managed(backend string) func(*world) {
	return func(w *world) {
		there(networkManager)(w)
		w.nm = true
		w.config += "wifi:\n  backend: " + backend + "\n"
	}
}

func gone(name string) func(*world) {
	return func(w *world) { delete(w.names, name) }
}

// handedKey is where systemd keeps the store's key.
const handedKey = "/run/credentials/" + seal.Unit + "/" + seal.Credential

// sealed gives the gateway a key, as a file has it wrapped.
func sealed(setting, wrapped string) func(*world) {
	return func(w *world) {
		w.config += "  seal: " + setting + "\n"
		w.file(seal.File, wrapped)
		w.file(seal.DropIn, seal.DropInText(seal.Host))
		w.file(handedKey, strings.Repeat("k", seal.KeySize))
	}
}

// handedKeyID returns the ID of the key that sealed has handed in.
func handedKeyID(t *testing.T) string {
	key, err := seal.New([]byte(strings.Repeat("k", seal.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	return key.ID()
}

// coded gives the gateway a code, and these protocols.
func coded(protocols string) func(*world) {
	return func(w *world) {
		w.config += "bluetooth:\n  protocols: " + protocols + "\n"
		data, err := code.Encode(srp.NewVerifier("u", []byte("some code")))
		if err != nil {
			w.t.Fatal(err)
		}
		w.file("store/code.json", string(data))
	}
}

// there puts a program on the bus.
func there(name string) func(*world) {
	return func(w *world) { w.names[name] = true }
}

func stopped(w *world) {
	w.daemon = false
	w.units[unitName]["ActiveState"] = "inactive"
}

// What one change of a healthy world makes a check say.
var changes = []struct {
	name, check string
	change      func(*world)
	want        Verdict
	says, mend  string
}{
	{"bad configuration", "configuration", func(w *world) { w.config += "log:\n  level: loud\n" }, Wrong, "yaml:4", "wifiprovd -check"},
	{"drop-in", "configuration", fileSays("wifiprovd.yaml.d/10-maker.yaml", "log:\n  level: warn\n"), OK, "with ", ""},
	{"bad drop-in", "configuration", fileSays("wifiprovd.yaml.d/10-maker.yaml", "log:\n  level: loud\n"), Wrong, "10-maker.yaml:2", "wifiprovd -check"},
	{"stopped", "service", stopped, Wrong, "is not running", "systemctl enable --now wifiprovd"},
	{"disabled", "service", unitSays("UnitFileState", "disabled"), Wrong, "not started at boot", "systemctl enable wifiprovd"},
	{"masked", "service", unitSays("LoadState", "masked"), Wrong, "masked", "systemctl unmask"},
	{"not installed", "service", func(w *world) { clear(w.units) }, Wrong, "not installed", "make install"},
	{"starts again and again", "service", unitSays("ActiveState", "activating"), Wrong, "activating", "journalctl"},
	{"no bus policy", "service", func(w *world) { w.daemon = false }, Wrong, "not on the message bus", "systemctl reload dbus"},
	{"FAILED", "service", func(w *world) {
		w.on = func(s *gateway.Snapshot) {
			s.Status, s.Reason, s.Message = gateway.Failed, wifi.FailureWrongPassword, "the access point refused the key"
		}
	}, Wrong, "FAILED: the access point refused", "journalctl -x"},
	{"no systemd", "service", gone(systemd), Unknown, "systemd", "systemctl status"},
	{"store readable by all", "store", func(w *world) { _ = os.Chmod(w.machine.Root+"/store", 0o755) }, Wrong, "mode 0755", "chmod 0700"},
	{"store file readable by all", "store", func(w *world) {
		w.file("store/credentials.json", "{}")
		_ = os.Chmod(w.machine.Root+"/store/credentials.json", 0o644)
	}, Wrong, "mode 0644", "chmod 0600"},
	{"no directory of the store", "store", func(w *world) { _ = os.Remove(w.machine.Root + "/store") }, Wrong, "is missing", "mkdir -m 0700"},
	{"corrupt store", "store", func(w *world) { w.file("store/credentials.json.corrupt-20260101T000000Z", "junk") }, Wrong, "set aside", "provision the gateway, then rm"},
	{"no key", "seal", func(w *world) { w.config += "  seal: auto\n" }, Wrong, "there is no key", "wifiprovctl seal"},
	{"a key is left", "seal", fileSays(seal.File, "Whxqht+dQJax1aZeCGLxmg=="), Wrong, "store.seal is none", "wifiprovctl seal --undo"},
	{"a key of another kind", "seal", sealed("tpm2", "Whxqht+dQJax1aZeCGLxmg=="), Wrong, "the same disk", "wifiprovctl seal"},
	{"another board", "seal", func(w *world) {
		sealed("tpm2", "DHzAexF2RZGcSwvqCLwg/g==")(w)
		_ = os.Remove(w.machine.Root + handedKey)
	}, Wrong, "another board", "wifiprovctl seal --new-key"},
	{"sealed by another key", "seal", func(w *world) {
		sealed("host", "Whxqht+dQJax1aZeCGLxmg==")(w)
		w.file("store/credentials.json", `{"version":3,"networks":[{"id":1,"ssid":"aG9tZQ==","sealed":"`+strings.Repeat("AAAA", 10)+`","key":"other","security":"wpa2"}]}`)
	}, Wrong, "a key that is not here", "provision the gateway again"},
	{"in clear all the same", "seal", func(w *world) {
		sealed("host", "Whxqht+dQJax1aZeCGLxmg==")(w)
		w.file("store/credentials.json", `{"version":2,"networks":[{"id":1,"ssid":"aG9tZQ==","passphrase":"MTIzNDU2Nzg=","security":"wpa2"}]}`)
	}, Wrong, "in clear", "systemctl restart wifiprovd"},
	{"a code that is sealed by another key", "code", func(w *world) {
		sealed("host", "Whxqht+dQJax1aZeCGLxmg==")(w)
		w.file("store/code.json", `{"version":2,"username":"u","salt":"01","key":"other","sealed":"`+strings.Repeat("00", srp.Size+seal.Overhead)+`"}`)
	}, Wrong, "nobody can prove it", "wifiprovctl code set"},
	{"a code in clear", "code", func(w *world) {
		sealed("host", "Whxqht+dQJax1aZeCGLxmg==")(w)
		coded("[native, espressif]")(w)
	}, Wrong, "is in clear, though", "systemctl restart wifiprovd"},
	{"a code in clear, and no key", "code", func(w *world) {
		w.config += "  seal: host\n"
		coded("[native, espressif]")(w)
	}, Wrong, "in clear, and store.seal is host", "wifiprovctl seal"},
	{"a sealed code", "code", func(w *world) {
		sealed("host", "Whxqht+dQJax1aZeCGLxmg==")(w)
		coded("[espressif]")(w)
		w.file("store/code.json", `{"version":2,"username":"u","salt":"01","key":"`+handedKeyID(w.t)+`","sealed":"`+strings.Repeat("00", srp.Size+seal.Overhead)+`"}`)
	}, OK, `user "u", sealed: phones must prove it`, ""},
	{"no code, and none wanted", "code", func(*world) {}, "", "", ""},
	{"a code", "code", coded("[native, improv, espressif]"), OK, `user "u", in clear: phones must prove it, and without that these are shut: native, improv`, ""},
	{"a code that is not required", "code", coded("[native, espressif]\n  require_code: false"), OK, "may provision by native", ""},
	{"a code that nothing asks for", "code", coded("[native]"), Wrong, "nothing asks for", "wifiprovctl code remove"},
	{"a code that nobody can prove", "code", coded("[native]\n  require_code: true"), Wrong, "nobody can provision", "[native, espressif]"},
	{"no code for espressif", "code", func(w *world) { w.config += "bluetooth:\n  protocols: [native, espressif]\n" }, Wrong, "Espressif's protocol is off", "wifiprovctl code new"},
	{"no code, but required", "code", func(w *world) { w.config += "bluetooth:\n  require_code: true\n" }, Wrong, "nobody can provision", "wifiprovctl code new"},
	{"a code that is broken", "code", func(w *world) { coded("[espressif]")(w); w.file("store/code.json", "{}") }, Wrong, "nobody can prove it", "wifiprovctl code new"},
	{"codes of an image, not looked at yet", "code", func(w *world) { stopped(w); w.file("store/codes/other.json", "{}") }, Unknown, "when it starts", "systemctl start"},
	{"codes of others", "code", func(w *world) {
		w.file("store/codes/other.json", "{}")
		w.on = func(s *gateway.Snapshot) { s.Code = gateway.CodeUnreadable }
	}, Wrong, "is this gateway's", "wifiprovctl code new"},
	{"a code that the daemon cannot use", "code", func(w *world) {
		coded("[native, espressif]")(w)
		w.on = func(s *gateway.Snapshot) { s.Code = gateway.CodeUnreadable }
	}, Wrong, "the daemon says: unreadable", "journalctl"},
	{"a code, for others than root", "code", func(w *world) {
		coded("[native, espressif]")(w)
		w.machine.UID = 1000
		w.on = func(s *gateway.Snapshot) { s.Code = gateway.CodeSet }
	}, Unknown, "the daemon says: set", "sudo"},
	{"no code, for others than root", "code", func(w *world) { w.machine.UID = 1000 }, "", "", ""},
	{"a code, whatever the configuration says", "code", func(w *world) { coded("[nothing]")(w) }, Unknown, "cannot be read", "configuration"},
	{"sealed", "seal", sealed("host", "Whxqht+dQJax1aZeCGLxmg=="), OK, "sealed by the host key", ""},
	{"bluetoothd without wifiprovd's main.conf", "bluetoothd", func(w *world) {
		w.units["bluetooth.service"] = properties{"MainPID": uint32(77)}
		w.file("proc/77/cmdline", "/usr/libexec/bluetooth/bluetoothd\x00")
	}, Wrong, "may not pair again", "systemctl daemon-reload"},
	{"bluetoothd whose main.conf was not made", "bluetoothd", func(w *world) {
		w.units["bluetooth.service"] = properties{"MainPID": uint32(77)}
		w.file("proc/77/cmdline", "/usr/libexec/bluetooth/bluetoothd\x00--noplugin=battery\x00-f\x00/run/wifiprovd-bluetooth/main.conf\x00")
	}, Wrong, "which its unit makes", "systemctl daemon-reload"},
	{"bluetoothd with the battery plugin", "bluetoothd", func(w *world) {
		w.units["bluetooth.service"] = properties{"MainPID": uint32(77)}
		w.file("run/wifiprovd-bluetooth/main.conf", "[General]\n")
		w.file("proc/77/cmdline", "/usr/libexec/bluetooth/bluetoothd\x00-f\x00/run/wifiprovd-bluetooth/main.conf\x00")
	}, Wrong, "--noplugin=battery", "systemctl daemon-reload"},
	{"bluetoothd as it should run", "bluetoothd", func(w *world) {
		w.units["bluetooth.service"] = properties{"MainPID": uint32(77)}
		w.file("run/wifiprovd-bluetooth/main.conf", "[General]\n")
		w.file("proc/77/cmdline", "/usr/libexec/bluetooth/bluetoothd\x00--noplugin=battery\x00-f\x00/run/wifiprovd-bluetooth/main.conf\x00")
	}, OK, "", ""},
	{"store of others", "store", func(w *world) { w.machine.UID = 1000 }, Unknown, "only root", "sudo"},
	{"clock", "clock", func(w *world) { w.machine.Now = time.Unix(0, 0) }, Wrong, "1970", "timedatectl"},
	{"no bluetoothd", "bluetoothd", gone(bluez), Wrong, "is not running", "systemctl enable --now bluetooth"},
	{"old bluetoothd", "bluetoothd", func(w *world) { w.outputs["/usr/libexec/bluetooth/bluetoothd"] = "5.55\n" }, Wrong, "5.55", "full-upgrade"},
	{"no adapter", "adapter", func(w *world) { w.adapter = nil }, Wrong, "no Bluetooth adapter", "journalctl -k -g bluetooth"},
	{"no adapter, no advertising", "advertising", func(w *world) { w.adapter = nil }, Unknown, "no adapter", ""},
	{"another adapter", "adapter", func(w *world) { w.config += "bluetooth:\n  adapter: hci7\n" }, Wrong, "no adapter hci7, but hci0", "bluetooth.adapter"},
	{"powered off", "adapter", func(w *world) { w.adapter[adapterInterface]["Powered"] = false }, Wrong, "powered off", "bluetoothctl power on"},
	{"Bluetooth blocked", "adapter", fileSays("/sys/class/bluetooth/hci0/rfkill1/soft", "1\n"), Wrong, "by software", "rfkill unblock bluetooth"},
	{"no LE", "advertising", func(w *world) { delete(w.adapter, advertiseManager) }, Wrong, "cannot advertise", "bluetooth.adapter"},
	{"all taken", "advertising", func(w *world) {
		stopped(w)
		w.adapter[advertiseManager] = properties{"SupportedInstances": byte(0), "ActiveInstances": byte(5)}
	}, Wrong, "all 5 advertisements", "end the other program"},
	{"kernel that refuses", "advertising", func(w *world) { stopped(w); w.file("/proc/sys/kernel/osrelease", "6.18.34+rpt-rpi-v8") }, Wrong, "6.18.34", "full-upgrade"},
	{"kernel built by hand that refuses", "advertising", func(w *world) { stopped(w); w.file("/proc/sys/kernel/osrelease", "6.12.93-v8+") }, Wrong, "6.12.93", "full-upgrade"},
	{"not advertising", "advertising", func(w *world) { w.on = func(s *gateway.Snapshot) { s.Advertising.Problem = "BlueZ refuses" } }, Wrong, "BlueZ refuses", "journalctl"},
	{"not advertising by choice", "advertising", func(w *world) {
		w.config += "bluetooth:\n  access: offline\n"
		w.on = func(s *gateway.Snapshot) {
			s.Status, s.Phase, s.Advertising = gateway.Connected, gateway.Online, gateway.Advertising{}
		}
	}, OK, "off: closed while the gateway is online (bluetooth.access", ""},
	{"former configuration", "configuration", func(w *world) { w.config += "bluetooth:\n  keep_after_connect: true\n" }, OK, "has become bluetooth.access: always", ""},
	{"free", "advertising", stopped, OK, "4 advertisements are free", ""},
	{"no wpa_supplicant", "wpa_supplicant", gone(wpa), Wrong, "is not running", "systemctl enable --now wpa_supplicant"},
	{"no interface", "interface", func(w *world) { w.config += "wifi:\n  interface: wlan7\n" }, Wrong, "no interface wlan7", "wifi.interface"},
	{"no Wi-Fi interface", "interface", func(w *world) { w.config += "wifi:\n  interface: eth0\n"; w.file("/sys/class/net/eth0/mtu", "1500") }, Wrong, "no Wi-Fi", "iw dev"},
	{"nothing unblocked", "radios", func(*world) {}, OK, "nothing had to be", ""},
	{"unblocked", "radios", func(w *world) {
		w.file(radio.Report, "Bluetooth (hci0) is unblocked\nWi-Fi (phy0) is unblocked: the country is DE, says a phone\n")
	},
		OK, "Bluetooth (hci0) is unblocked; Wi-Fi (phy0) is unblocked: the country is DE, says a phone", ""},
	{"radio.unblock: false", "radios", func(w *world) { w.config += "radio:\n  unblock: false\n" }, OK, "radio.unblock is false", ""},
	{"the radios' unit has failed", "radios", func(w *world) { w.units[radioUnitName]["ActiveState"] = "failed" }, Wrong, "has failed", "journalctl -u wifiprovd-radio"},
	{"the radios' unit has not run", "radios", func(w *world) { w.units[radioUnitName]["ActiveState"] = "inactive" }, Wrong, "has not run", "systemctl start"},
	{"no unit for the radios", "radios", func(w *world) { delete(w.units, radioUnitName) }, Wrong, "is not installed", "make install"},
	{"Wi-Fi blocked, no country", "interface", fileSays("/sys/class/net/wlan0/phy80211/rfkill0/soft", "1\n"), Wrong, "by software", "wifi.country in"},
	{"Wi-Fi blocked under NetworkManager", "interface", func(w *world) {
		managed("auto")(w)
		w.file("/proc/cmdline", "cfg80211.ieee80211_regdom=DE\n")
		w.file("/sys/class/net/wlan0/phy80211/rfkill0/soft", "1\n")
	}, Wrong, "by software", "nmcli radio wifi on"},
	{"Wi-Fi blocked", "interface", fileSays("/sys/class/net/wlan0/phy80211/rfkill0/soft", "1\n"), Wrong, "by software", "rfkill unblock wifi"},
	{"Wi-Fi switched off", "interface", fileSays("/sys/class/net/wlan0/phy80211/rfkill0/hard", "1\n"), Wrong, "hardware switch", "switch"},
	{"no Wi-Fi", "interface", func(w *world) { w.ifaces = "" }, Wrong, "there is no Wi-Fi interface", "iw dev"},
	{"no Wi-Fi to manage", "managers", func(w *world) { w.ifaces = "" }, Unknown, "no interface to manage", ""},
	{"no Wi-Fi for an address", "dhcp", func(w *world) { w.ifaces = "" }, Unknown, "no interface to give", ""},
	{"the daemon's interface", "interface", func(w *world) {
		w.file("/sys/class/net/wlan1/phy80211/rfkill0/soft", "0\n")
		w.on = func(s *gateway.Snapshot) { s.WifiInterface = "wlan1" }
	}, OK, "wlan1 exists", ""},
	{"another setting than the daemon's", "interface", func(w *world) {
		w.config += "wifi:\n  interface: wlan7\n"
		w.on = func(s *gateway.Snapshot) { s.WifiInterface = "wlan0" }
	}, Wrong, "there is no interface wlan7", "wifi.interface: auto"},
	{"Wi-Fi down", "interface", fileSays("/sys/class/net/wlan0/flags", "0x1002\n"), Wrong, "is down", "ip link set wlan0 up"},
	{"Wi-Fi up", "interface", fileSays("/sys/class/net/wlan0/flags", "0x1003\n"), OK, "", ""},
	{"Wi-Fi down, nobody uses it", "interface", func(w *world) { stopped(w); w.file("/sys/class/net/wlan0/flags", "0x1002\n") }, OK, "", ""},
	{"no country", "country", func(w *world) { w.outputs["/usr/sbin/iw"] = "global\ncountry 00: DFS-UNSET\n" }, Wrong, "no Wi-Fi country", "wifi.country"},
	{"no iw", "country", func(w *world) { delete(w.outputs, "/usr/sbin/iw") }, Unknown, "unknown", "apt-get install iw"},
	{"NetworkManager", "managers", managed("auto"), OK, "NetworkManager manages wlan0", ""},
	{"NetworkManager's address", "dhcp", managed("auto"), OK, "NetworkManager brings the address", ""},
	{"NetworkManager, not wanted", "managers", managed("wpa_supplicant"), Wrong, "NetworkManager manages wlan0", "nmcli device set wlan0 managed no"},
	{"no NetworkManager, but wanted", "managers", func(w *world) { w.config += "wifi:\n  backend: networkmanager\n" }, Wrong, "does not manage wlan0", "nmcli device set wlan0 managed yes"},
	{"NetworkManager elsewhere", "managers", there(networkManager), OK, "no other program", ""},
	{"iwd", "managers", there("net.connman.iwd"), Wrong, "iwd", "systemctl disable --now iwd"},
	{"ConnMan", "managers", there("net.connman"), Wrong, "ConnMan", "systemctl disable --now connman"},
	{"another wpa_supplicant", "managers", func(w *world) { w.units["wpa_supplicant@wlan0.service"] = properties{"ActiveState": "active"} },
		Wrong, "wpa_supplicant@wlan0", "systemctl disable --now wpa_supplicant@wlan0"},
	{"no DHCP client", "dhcp", gone(networkd), Wrong, "no DHCP client", "systemctl enable --now systemd-networkd"},
	{"dhcpcd", "dhcp", func(w *world) { gone(networkd)(w); w.units["dhcpcd.service"] = properties{"ActiveState": "active"} }, OK, "dhcpcd", ""},
	{"no file for the link", "dhcp", func(w *world) { w.link = "unmanaged" }, Wrong, "no file for wlan0", "80-wifiprovd"},
	{"no button", "button", func(*world) {}, "", "", ""},
	{"button", "button", func(w *world) {
		w.config += "button:\n  key: 30\n"
		w.file("/sys/class/input/event3/device/capabilities/key", "40000000\n")
	}, OK, "key 30 of event3", ""},
	{"button that is not there", "button", func(w *world) { w.config += "button:\n  key: 30\n" }, Wrong, "has the key 30", "button.device"},
	{"LED that is not there", "LED", func(w *world) { w.config += "led:\n  name: ACT\n" }, Wrong, "no LED ACT", "ls /sys/class/leds"},
	{"LED", "LED", lit("/sys/devices/platform/leds/leds/ACT"), OK, "can be written", ""},
	{"LED elsewhere", "LED", lit("/sys/devices/virtual/leds/ACT"), Wrong, "does not let", "ReadWritePaths=/sys/class/leds/ACT"},
	{"LED elsewhere, allowed", "LED", func(w *world) {
		lit("/sys/devices/virtual/leds/ACT")(w)
		w.units[unitName]["ReadWritePaths"] = []string{"-/var/lib/wifiprovd", "/sys/class/leds/ACT"}
	}, OK, "can be written", ""},
	{"no link", "dhcp", func(w *world) { w.link = "" }, Unknown, "does not say", "networkctl"},
}

// lit has an LED at path, which is configured, and the unit as it is installed.
func lit(path string) func(*world) {
	return func(w *world) {
		w.config += "led:\n  name: ACT\n"
		w.file(path+"/brightness", "0")
		class := filepath.Join(w.machine.Root, "/sys/class/leds")
		if err := errors.Join(os.MkdirAll(class, 0o755), os.Symlink(filepath.Join(w.machine.Root, path), class+"/ACT")); err != nil {
			w.t.Fatal(err)
		}
		w.units[unitName]["ProtectKernelTunables"] = true
		w.units[unitName]["ReadWritePaths"] = []string{"-/var/lib/wifiprovd", "-/sys/devices/platform/leds"}
	}
}

func TestChecks(t *testing.T) {
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := healthy(t)
			c.change(w)
			r := w.examine()[c.check]
			if r.Verdict != c.want || !strings.Contains(r.Message, c.says) || !strings.Contains(r.Fix, c.mend) {
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
	var checked []string
	for _, r := range results {
		checked = append(checked, r.Check)
		if (r.Verdict == OK) == (r.Check == "message bus") {
			t.Errorf("%+v", r)
		}
	}
	if want := []string{"message bus", "configuration", "store", "clock", "country"}; !slices.Equal(checked, want) {
		t.Errorf("checked %v, want %v", checked, want)
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
		if r.Check == "adapter" && (r.Verdict != Wrong || r.Fix != bluetoothdRestart) {
			t.Errorf("%+v", r)
		}
	}
}
