package doctor

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

const (
	wpa            = "fi.w1.wpa_supplicant1"
	networkManager = "org.freedesktop.NetworkManager"
	networkd       = "org.freedesktop.network1"
)

func (v *visit) supplicant(ctx context.Context) Result {
	if !v.runs(ctx, wpa) {
		return wrong("systemctl enable --now wpa_supplicant", "wpa_supplicant does not run, or runs without -u (D-Bus)")
	}
	if v.UID == 0 { // its bus policy lets nobody else ask
		var path dbus.ObjectPath
		err := v.call(ctx, wpa, "/fi/w1/wpa_supplicant1", wpa+".GetInterface", []any{v.cfg.Wifi.Interface}, &path)
		if err != nil && !isError(err, wpa+".InterfaceUnknown") {
			return wrong("systemctl restart wpa_supplicant", "wpa_supplicant does not answer: %v", err)
		}
	}
	out, err := v.Run(ctx, "/usr/sbin/wpa_supplicant", "-v")
	version, _, _ := strings.Cut(out, "\n")
	if err != nil || version == "" {
		return ok("wpa_supplicant runs; its version is not known")
	}
	return ok("%s runs", version)
}

func (v *visit) wifiInterface(context.Context) Result {
	name := v.cfg.Wifi.Interface
	folder := "/sys/class/net/" + name
	switch {
	case !v.exists(folder):
		return wrong("ip link; then set wifi.interface in "+v.Config, "there is no interface %s", name)
	case !v.exists(folder + "/phy80211"):
		return wrong("iw dev; then set wifi.interface in "+v.Config, "%s is no Wi-Fi interface", name)
	}
	switch how := v.blocked(folder + "/phy80211"); {
	case how == "by software":
		return wrong("rfkill unblock wifi", "%s is blocked %s", name, how)
	case how != "":
		return wrong("use the switch", "%s is blocked %s", name, how)
	case v.daemonErr == nil && !v.up(folder): // wpa_supplicant sets it up when the daemon tells it of the interface
		return wrong("ip link set "+name+" up", "%s is down", name)
	}
	return ok("%s is there and not blocked", name)
}

// up reports whether the interface of this folder is up. One that cannot be read is.
func (v *visit) up(folder string) bool {
	flags, err := strconv.ParseUint(v.read(folder+"/flags"), 0, 32)
	return err != nil || flags&unix.IFF_UP != 0
}

var regulatory = regexp.MustCompile(`(?m)^country (\w\w):`)

func (v *visit) country(ctx context.Context) Result {
	out, err := v.Run(ctx, "/usr/sbin/iw", "reg", "get")
	if err != nil {
		return unknown("apt-get install iw", "the Wi-Fi country is not known: %v", err)
	}
	country := regulatory.FindStringSubmatch(out)
	switch {
	case country == nil:
		return unknown("iw reg get", "iw does not name the Wi-Fi country")
	case country[1] == "00":
		return wrong("raspi-config nonint do_wifi_country DE, or wifi.country in "+v.Config, "no Wi-Fi country is set: some channels stay unused")
	}
	return ok("Wi-Fi country %s", country[1])
}

// managers looks for who else may want the Wi-Fi interface.
func (v *visit) managers(ctx context.Context) Result {
	name := v.cfg.Wifi.Interface
	if v.networkManagerHas(ctx, name) {
		return wrong("nmcli device set "+name+" managed no; for good: see \"Handing over\" in docs/operations.md", "NetworkManager manages %s", name)
	}
	for _, other := range []struct{ bus, program, unit string }{
		{"net.connman.iwd", "iwd", "iwd"},
		{"net.connman", "ConnMan", "connman"},
	} {
		if v.runs(ctx, other.bus) {
			return wrong("systemctl disable --now "+other.unit, "%s runs, and takes Wi-Fi interfaces", other.program)
		}
	}
	for _, unit := range []string{"wpa_supplicant@" + name, "wpa_supplicant-nl80211@" + name, "netplan-wpa-" + name, "ifup@" + name} {
		if v.active(ctx, unit+".service") {
			return wrong("systemctl disable --now "+unit, "%s.service has %s too", unit, name)
		}
	}
	return ok("nobody else manages %s", name)
}

// networkManagerHas says whether NetworkManager manages an interface
// (NetworkManager, D-Bus API Reference Manual).
func (v *visit) networkManagerHas(ctx context.Context, name string) bool {
	if !v.runs(ctx, networkManager) {
		return false
	}
	var path dbus.ObjectPath
	var managed bool
	return v.call(ctx, networkManager, "/org/freedesktop/NetworkManager", networkManager+".GetDeviceByIpIface", []any{name}, &path) == nil &&
		v.property(ctx, networkManager, path, networkManager+".Device", "Managed", &managed) == nil && managed
}

// dhcp looks for who gets the interface its address.
func (v *visit) dhcp(ctx context.Context) Result {
	name := v.cfg.Wifi.Interface
	if v.active(ctx, "dhcpcd.service") {
		return ok("dhcpcd runs")
	}
	const start = "systemctl enable --now systemd-networkd"
	if !v.runs(ctx, networkd) {
		return wrong(start, "nobody asks for an address for %s: systemd-networkd does not run", name)
	}
	state, err := v.linkState(ctx, name)
	switch {
	case err != nil:
		return unknown("networkctl status "+name, "systemd-networkd does not say: %v", err)
	case state == "unmanaged":
		return wrong("networkctl reload; see 80-wifiprovd-wlan0.network in docs/operations.md", "systemd-networkd has no file for %s", name)
	case state == "failed":
		return wrong("networkctl reconfigure "+name, "systemd-networkd failed to set %s up", name)
	}
	return ok("systemd-networkd: %s is %s", name, state)
}

// linkState is AdministrativeState of a link (org.freedesktop.network1(5)).
func (v *visit) linkState(ctx context.Context, name string) (state string, err error) {
	var index int32
	var path dbus.ObjectPath
	if err := v.call(ctx, networkd, "/org/freedesktop/network1", networkd+".Manager.GetLinkByName", []any{name}, &index, &path); err != nil {
		return "", fmt.Errorf("look for the link: %w", err)
	}
	err = v.property(ctx, networkd, path, networkd+".Link", "AdministrativeState", &state)
	return state, err
}
