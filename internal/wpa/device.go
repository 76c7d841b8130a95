package wpa

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// device is the interface as one run of wpa_supplicant knows it. It does not change,
// and anybody may ask it.
type device struct {
	supplicant msgbus.Program
	owner      string // wpa_supplicant's unique name on the bus
	path       dbus.ObjectPath
	since      dbus.Sequence // signals before this one are older than the device
	sae        bool          // the radio and its driver can do WPA3
	pmf        bool          // they can protect management frames
	ciphers    ciphers       // they can use
	alwaysSAE  bool          // WPA3 cannot be left out where an access point offers it
}

// findStation returns the interface, which wpa_supplicant is asked to take over if it
// has not yet, unless NetworkManager does that. Asking may start wpa_supplicant (D-Bus
// activation).
func (c *Client) findStation(ctx context.Context, conn *dbus.Conn, managed bool) (*station, error) {
	supplicant := msgbus.Program{Conn: conn, Name: service, Timeout: c.times.answer}
	path, err := findInterface(ctx, supplicant, c.view.Load().iface(), !managed)
	if err != nil {
		return nil, err
	}
	owner, err := supplicant.Owner(ctx)
	switch {
	case err != nil:
		return nil, err
	case owner == "":
		return nil, errGone
	}
	dev := &device{supplicant: supplicant, owner: owner, path: path}
	if country := c.country.Load(); country != nil {
		if err := dev.set(ctx, "Country", string(*country)); err != nil {
			c.cfg.Log.Warn("cannot set the Wi-Fi country", "country", *country, "err", msgbus.Plain(err))
		}
	}
	// Both ways to derive WPA3's password element: 2.10 knows only the older one by
	// default, and access points may offer the newer one (hash to element) alone.
	if err := dev.set(ctx, "SaePwe", "2"); err != nil {
		c.cfg.Log.Debug("cannot enable WPA3's hash to element", "err", msgbus.Plain(err))
	}
	// NetworkManager's profiles cannot leave WPA3 out. wpa_supplicant does where PMF is switched
	// off, if it knows the setting: 2.11 does (wpa_supplicant.conf, sae_check_mfp), 2.10 does not.
	if managed {
		dev.alwaysSAE = dev.set(ctx, "SaeCheckMfp", "1") != nil
	}
	props, since, err := dev.properties(ctx)
	if err != nil {
		return nil, err
	}
	dev.since = since
	dev.sae = slices.Contains(list(props, "Capabilities", "KeyMgmt"), "sae")
	dev.pmf = slices.Contains(list(props, "Capabilities", "GroupMgmt"), "aes-128-cmac")
	dev.ciphers = ciphers{
		pairwise: upper(list(props, "Capabilities", "Pairwise")),
		group:    upper(list(props, "Capabilities", "Group")),
	}
	if managed { // its profiles cannot name others (nm-setting-wireless-security.c)
		dev.ciphers = ciphers{pairwise: intersection(dev.ciphers.pairwise, defaultCiphers), group: intersection(dev.ciphers.group, defaultCiphers)}
	}
	return &station{dev: dev, state: msgbus.Value[string](props, "State")}, nil
}

// findInterface returns the interface's path.
func findInterface(ctx context.Context, supplicant msgbus.Program, name string, create bool) (path dbus.ObjectPath, err error) {
	err = supplicant.Call(ctx, rootPath, rootIface+".GetInterface", []any{name}, &path)
	if create && msgbus.IsError(err, errIfaceUnknown) {
		args := map[string]dbus.Variant{"Ifname": dbus.MakeVariant(name)}
		err = supplicant.Call(ctx, rootPath, rootIface+".CreateInterface", []any{args}, &path)
	}
	return path, err
}

// call calls a method of the interface, and returns the place of the answer among the
// signals.
func (d *device) call(ctx context.Context, method string, args []any, results ...any) (dbus.Sequence, error) {
	return d.supplicant.Ask(ctx, d.path, ifaceIface+"."+method, args, results...)
}

// answers reports whether wpa_supplicant answers at all.
func (d *device) answers(ctx context.Context, name string) bool {
	var path dbus.ObjectPath
	return !msgbus.Unanswered(d.supplicant.Call(ctx, rootPath, rootIface+".GetInterface", []any{name}, &path))
}

// remove makes wpa_supplicant let go of the interface.
func (d *device) remove(ctx context.Context) error {
	return d.supplicant.Call(ctx, rootPath, rootIface+".RemoveInterface", []any{d.path})
}

func (d *device) set(ctx context.Context, name, value string) error {
	return d.supplicant.Set(ctx, d.path, ifaceIface, name, value)
}

// properties returns all properties of the interface, and the place of the answer among
// the signals.
func (d *device) properties(ctx context.Context) (map[string]dbus.Variant, dbus.Sequence, error) {
	var props map[string]dbus.Variant
	at, err := d.supplicant.Ask(ctx, d.path, msgbus.Properties+".GetAll", []any{ifaceIface}, &props)
	return props, at, err
}

// connection is what the interface is connected to.
type connection struct {
	network dbus.ObjectPath
	bss     dbus.ObjectPath
	akm     wifi.AKM
}

// connection returns what the interface is connected to, errNotConnected if it is not.
func (d *device) connection(ctx context.Context) (connection, error) {
	props, _, err := d.properties(ctx)
	if err != nil {
		return connection{}, err
	}
	now := connection{
		network: msgbus.Value[dbus.ObjectPath](props, "CurrentNetwork"),
		bss:     msgbus.Value[dbus.ObjectPath](props, "CurrentBSS"),
		// wpa_key_mgmt_txt's names (hostap, src/common/defs.h) are those of wifi.AKM.
		akm: wifi.AKM(msgbus.Value[string](props, "CurrentAuthMode")),
	}
	if msgbus.Value[string](props, "State") != "completed" || now.network == "" || now.network == noPath || now.bss == noPath {
		return connection{}, errNotConnected
	}
	return now, nil
}

// signal returns the strength of the connection's signal in dBm, false if it is not
// known.
func (d *device) signal(ctx context.Context) (dBm int, ok bool) {
	// wpa_supplicant wraps the dictionary into a variant (dbus_new_handlers.c,
	// wpas_dbus_handler_signal_poll).
	var answer dbus.Variant
	if _, err := d.call(ctx, "SignalPoll", nil, &answer); err != nil {
		return 0, false
	}
	values, _ := answer.Value().(map[string]dbus.Variant)
	rssi := msgbus.Value[int32](values, "rssi")
	return int(rssi), -128 <= rssi && rssi < 0
}

// errGone says that wpa_supplicant or the interface has gone.
var errGone = errors.New("wpa_supplicant or the interface has gone")

// list returns the strings that the dictionary property named dict has under key.
func list(props map[string]dbus.Variant, dict, key string) []string {
	return msgbus.Value[[]string](msgbus.Value[map[string]dbus.Variant](props, dict), key)
}

// upper returns names as a network's pairwise and group have them.
func upper(names []string) []string {
	for i, name := range names {
		names[i] = strings.ToUpper(name)
	}
	return names
}
