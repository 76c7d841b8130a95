package doctor

import (
	"context"
	"regexp"
	"strconv"
	"strings"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"github.com/wifiprovd/wifiprovd/internal/control"
	"github.com/wifiprovd/wifiprovd/internal/iface"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

const (
	wpa            = "fi.w1.wpa_supplicant1"
	networkManager = "org.freedesktop.NetworkManager"
	networkd       = "org.freedesktop.network1"
)

func (v *visit) supplicant(ctx context.Context) Result {
	if !v.runs(ctx, wpa) {
		return wrong("systemctl enable --now wpa_supplicant",
			"wpa_supplicant is not running, or runs without -u (D-Bus)")
	}
	if v.UID == 0 && v.iface != "" { // the bus policy of wpa_supplicant lets nobody else ask
		var path dbus.ObjectPath
		err := v.program(wpa).Call(ctx, "/fi/w1/wpa_supplicant1", wpa+".GetInterface",
			[]any{v.iface}, &path)
		if err != nil && !msgbus.IsError(err, wpa+".InterfaceUnknown") {
			return wrong("systemctl restart wpa_supplicant", "wpa_supplicant does not answer: %v", err)
		}
	}
	out, err := v.Run(ctx, "/usr/sbin/wpa_supplicant", "-v")
	version, _, _ := strings.Cut(out, "\n")
	if err != nil || version == "" {
		return ok("wpa_supplicant is running; its version is unknown")
	}
	return ok("%s is running", version)
}

// interfaceSetting returns wifi.interface, or in place of auto the name that the daemon tells,
// if it does: what it has found stays its own even when another one comes before it.
func interfaceSetting(setting string, daemon control.Status) string {
	if setting == iface.Auto && daemon.WifiInterface != "" {
		return daemon.WifiInterface
	}
	return setting
}

func (v *visit) wifiInterface(ctx context.Context) Result {
	name := v.iface
	folder := "/sys/class/net/" + name
	switch {
	case name == "":
		return wrong("iw dev; journalctl -k -g firmware", "%s", v.noIface)
	case !v.exists(folder):
		return wrong("ip link; then set wifi.interface: auto in "+v.Config, "there is no interface %s", name)
	case !v.exists(folder + "/phy80211"):
		return wrong("iw dev; then set wifi.interface: auto in "+v.Config, "%s is no Wi-Fi interface", name)
	}
	switch how := v.blocked(folder + "/phy80211"); {
	case how == "by software":
		return wrong(unblocking(ctx, v), "%s is blocked %s", name, how)
	case how != "":
		return wrong("flip the switch", "%s is blocked %s", name, how)
	case v.daemonErr == nil && !v.up(folder): // wpa_supplicant brings up an interface that it is given
		return wrong("ip link set "+name+" up", "%s is down", name)
	}
	return ok("%s exists and is not blocked", name)
}

// up reports whether the interface with this folder is up. One whose flags cannot be read
// counts as up.
func (v *visit) up(folder string) bool {
	flags, err := strconv.ParseUint(v.read(folder+"/flags"), 0, 32)
	return err != nil || flags&unix.IFF_UP != 0
}

var regulatory = regexp.MustCompile(`(?m)^country (\w\w):`)

func (v *visit) country(ctx context.Context) Result {
	out, err := v.Run(ctx, "/usr/sbin/iw", "reg", "get")
	if err != nil {
		return unknown("apt-get install iw", "the Wi-Fi country is unknown: %v", err)
	}
	country := regulatory.FindStringSubmatch(out)
	switch {
	case country == nil:
		return unknown("iw reg get", "iw does not name the Wi-Fi country")
	case country[1] == "00":
		return wrong("raspi-config nonint do_wifi_country DE, or wifi.country in "+v.Config,
			"no Wi-Fi country is set: some channels stay unused")
	}
	return ok("Wi-Fi country %s", country[1])
}

// managers looks for other programs that manage the Wi-Fi interface.
func (v *visit) managers(ctx context.Context) Result {
	name := v.iface
	if name == "" {
		return unknown("", "there is no interface to manage")
	}
	has := v.networkManagerHas(ctx, name)
	switch backend := v.cfg.Wifi.Backend; {
	case has && backend == "wpa_supplicant":
		return wrong("nmcli device set "+name+" managed no, or wifi.backend: auto in "+v.Config,
			"NetworkManager manages %s, and wifi.backend is wpa_supplicant", name)
	case has:
		return ok("NetworkManager manages %s, and keeps the network for wifiprovd", name)
	case backend == "networkmanager":
		return wrong("nmcli device set "+name+" managed yes, or wifi.backend: auto in "+v.Config,
			"wifi.backend is networkmanager, which does not manage %s", name)
	}
	for _, other := range []struct{ bus, program, unit string }{
		{"net.connman.iwd", "iwd", "iwd"},
		{"net.connman", "ConnMan", "connman"},
	} {
		if v.runs(ctx, other.bus) {
			return wrong("systemctl disable --now "+other.unit,
				"%s is running, and takes Wi-Fi interfaces", other.program)
		}
	}
	for _, prefix := range []string{"wpa_supplicant@", "wpa_supplicant-nl80211@", "netplan-wpa-", "ifup@"} {
		if unit := prefix + name; v.active(ctx, unit+".service") {
			return wrong("systemctl disable --now "+unit, "%s.service manages %s too", unit, name)
		}
	}
	return ok("no other program manages %s", name)
}

// networkManagerHas reports whether NetworkManager manages an interface
// (NetworkManager, D-Bus API Reference Manual).
func (v *visit) networkManagerHas(ctx context.Context, name string) bool {
	if !v.runs(ctx, networkManager) {
		return false
	}
	var path dbus.ObjectPath
	var managed bool
	manager := v.program(networkManager)
	err := manager.Call(ctx, "/org/freedesktop/NetworkManager",
		networkManager+".GetDeviceByIpIface", []any{name}, &path)
	if err == nil {
		err = manager.Get(ctx, path, networkManager+".Device", "Managed", &managed)
	}
	return err == nil && managed
}

// dhcp looks for a DHCP client on the interface.
func (v *visit) dhcp(ctx context.Context) Result {
	name := v.iface
	switch {
	case name == "":
		return unknown("", "there is no interface to give an address")
	case v.networkManagerHas(ctx, name):
		return ok("NetworkManager brings the address of %s", name)
	case v.active(ctx, "dhcpcd.service"):
		return ok("dhcpcd is running")
	}
	const start = "systemctl enable --now systemd-networkd"
	if !v.runs(ctx, networkd) {
		return wrong(start, "no DHCP client on %s: systemd-networkd is not running", name)
	}
	state, err := v.linkState(ctx, name)
	switch {
	case err != nil:
		return unknown("networkctl status "+name, "systemd-networkd does not say: %v", err)
	case state == "unmanaged":
		return wrong("cp /usr/share/doc/wifiprovd/examples/80-wifiprovd-wlan0.network /etc/systemd/network/ && networkctl reload",
			"systemd-networkd has no file for %s", name)
	case state == "failed":
		return wrong("networkctl reconfigure "+name, "systemd-networkd failed to bring up %s", name)
	}
	return ok("systemd-networkd: %s is %s", name, state)
}

// linkState returns the AdministrativeState of a link (org.freedesktop.network1(5)).
func (v *visit) linkState(ctx context.Context, name string) (state string, err error) {
	var index int32
	var path dbus.ObjectPath
	program := v.program(networkd)
	err = program.Call(ctx, "/org/freedesktop/network1", networkd+".Manager.GetLinkByName",
		[]any{name}, &index, &path)
	if err != nil {
		return "", err
	}
	err = program.Get(ctx, path, networkd+".Link", "AdministrativeState", &state)
	return state, err
}
