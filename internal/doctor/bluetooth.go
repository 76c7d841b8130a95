package doctor

import (
	"context"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

const (
	bluez             = "org.bluez"
	adapterInterface  = "org.bluez.Adapter1"
	advertiseManager  = "org.bluez.LEAdvertisingManager1"
	oldestBluez       = 62 // 5.62: before it, bluetoothd does not know the flag encrypt-notify
	bluetoothdRestart = "systemctl restart bluetooth"
)

// refusing matches the releases of Raspberry Pi's kernel that refuse every extended
// advertising command; 6.18.36 has the fix. A kernel built by hand is called -v8+.
var refusing = regexp.MustCompile(`^6\.(12\.93|18\.3[45])\D.*(rpi|v[678]l?\+)`)

func (v *visit) bluetoothd(ctx context.Context) Result {
	if !v.runs(ctx, bluez) {
		return wrong("systemctl enable --now bluetooth", "bluetoothd is not running")
	}
	for _, dir := range []string{"/usr/libexec/bluetooth", "/usr/lib/bluetooth"} { // Debian 12 on, 11
		out, err := v.Run(ctx, dir+"/bluetoothd", "--version")
		if err != nil {
			continue
		}
		version := strings.TrimSpace(out)
		var major, minor int
		_, err = fmt.Sscanf(version, "%d.%d", &major, &minor)
		if err == nil && major == 5 && minor < oldestBluez {
			return wrong("upgrade the system: apt full-upgrade",
				"BlueZ %s is too old; 5.%d is needed", version, oldestBluez)
		}
		if problem := v.bluetoothdOptions(ctx); problem != "" {
			return wrong("systemctl cat bluetooth; then systemctl daemon-reload && "+bluetoothdRestart, "BlueZ %s %s", version, problem)
		}
		return ok("BlueZ %s is running", version)
	}
	return ok("bluetoothd is running; its version is unknown")
}

// bluetoothdOptions says what bluetoothd was not started with of what the installed drop-in
// adds, and what follows from that; empty: nothing, or it cannot be seen.
func (v *visit) bluetoothdOptions(ctx context.Context) string {
	unit, err := v.unit(ctx, "bluetooth.service")
	if err != nil {
		return ""
	}
	const conf = "/run/wifiprovd-bluetooth/main.conf"
	options := strings.Split(v.read(fmt.Sprintf("/proc/%d/cmdline", msgbus.Value[uint32](unit, "MainPID"))), "\x00")
	switch {
	case options[0] == "":
		return ""
	case !slices.Contains(options, conf):
		return "runs without -f " + conf + " (51-wifiprovd.conf): a phone that has forgotten the gateway may not pair again"
	case !v.exists(conf): // the unit starts bluetoothd even if it could not be written
		return "runs without " + conf + ", which its unit makes: a phone that has forgotten the gateway may not pair again"
	case !slices.Contains(options, "--noplugin=battery"):
		return "runs without --noplugin=battery (51-wifiprovd.conf): it asks phones to pair that need not"
	}
	return ""
}

// adapters has the properties of each adapter, by its name, such as hci0, and by interface.
type adapters map[string]map[string]map[string]dbus.Variant

// adapters returns bluetoothd's adapters, which it is asked for once.
func (v *visit) adapters(ctx context.Context) (adapters, error) {
	if v.found != nil || v.foundErr != nil {
		return v.found, v.foundErr
	}
	var objects map[dbus.ObjectPath]map[string]map[string]dbus.Variant
	v.foundErr = v.program(bluez).Call(ctx, "/", msgbus.ObjectManager+".GetManagedObjects",
		nil, &objects)
	v.found = adapters{}
	for p, interfaces := range objects {
		if _, is := interfaces[adapterInterface]; is {
			v.found[path.Base(string(p))] = interfaces
		}
	}
	return v.found, v.foundErr
}

// choose returns the adapter that the daemon uses: the configured one, or the
// first that can advertise. It is empty if there is none.
func (v *visit) choose(all adapters) string {
	names := slices.Sorted(maps.Keys(all))
	if want := v.cfg.Bluetooth.Adapter; want != "" {
		for _, name := range names {
			if name == want || strings.EqualFold(msgbus.Value[string](all[name][adapterInterface], "Address"), want) {
				return name
			}
		}
		return ""
	}
	for _, name := range names {
		if _, can := all[name][advertiseManager]; can {
			return name
		}
	}
	if len(names) > 0 {
		return names[0]
	}
	return ""
}

func (v *visit) adapter(ctx context.Context) Result {
	all, err := v.adapters(ctx)
	if err != nil {
		return wrong(bluetoothdRestart, "bluetoothd does not list its adapters: %v", err)
	}
	name := v.choose(all)
	switch {
	case name == "" && len(all) > 0:
		return wrong("set bluetooth.adapter in "+v.Config, "there is no adapter %s, but %s",
			v.cfg.Bluetooth.Adapter, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
	case name == "":
		return wrong("journalctl -k -g bluetooth", "there is no Bluetooth adapter")
	}
	properties := all[name][adapterInterface]
	switch how := v.blocked("/sys/class/bluetooth/" + name); {
	case how == "by software":
		return wrong("rfkill unblock bluetooth", "%s is blocked %s", name, how)
	case how != "":
		return wrong("flip the switch", "%s is blocked %s", name, how)
	case !msgbus.Value[bool](properties, "Powered"):
		return wrong("bluetoothctl power on", "%s is powered off", name)
	}
	return ok("%s, %s, is on", name, msgbus.Value[string](properties, "Address"))
}

func (v *visit) advertising(ctx context.Context) Result {
	all, err := v.adapters(ctx)
	name := v.choose(all)
	if err != nil || name == "" {
		return unknown("", "there is no adapter to advertise on")
	}
	manager, can := all[name][advertiseManager]
	kernel := v.read("/proc/sys/kernel/osrelease")
	free := msgbus.Value[byte](manager, "SupportedInstances") // free ones: org.bluez.LEAdvertisingManager(5)
	used := msgbus.Value[byte](manager, "ActiveInstances")
	switch {
	case !can:
		return wrong("set bluetooth.adapter in "+v.Config+" to one of: bluetoothctl list",
			"%s cannot advertise: it does not support Bluetooth LE", name)
	case v.daemonErr == nil && v.daemon.Advertising:
		return ok("on %s", v.daemon.Adapter)
	case v.daemonErr == nil && v.cfg.Bluetooth.Access != gateway.AccessAlways &&
		v.daemon.AdvertisingMessage == v.cfg.Bluetooth.Access.Closed():
		return ok("off: %s", v.daemon.AdvertisingMessage)
	case refusing.MatchString(kernel):
		return wrong("upgrade the kernel: apt full-upgrade && reboot",
			"kernel %s refuses to advertise", kernel)
	case free == 0 && used > 0:
		return wrong("end the other program, then systemctl restart wifiprovd",
			"all %d advertisements of %s are taken", used, name)
	case v.daemonErr == nil:
		return wrong("journalctl -u wifiprovd -e",
			"the daemon does not advertise: %s", v.daemon.AdvertisingMessage)
	}
	return ok("%s can: %d advertisements are free", name, free)
}
