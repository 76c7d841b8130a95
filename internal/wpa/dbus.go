package wpa

import (
	"context"
	"errors"
	"fmt"

	"github.com/godbus/dbus/v5"
)

// Names of wpa_supplicant's D-Bus interface (hostap, doc/dbus.doxygen).
const (
	service     = "fi.w1.wpa_supplicant1"
	rootPath    = dbus.ObjectPath("/fi/w1/wpa_supplicant1")
	rootIface   = service
	ifaceIface  = service + ".Interface"
	bssIface    = service + ".BSS"
	propsIface  = "org.freedesktop.DBus.Properties"
	propChanged = propsIface + ".PropertiesChanged"
	ownerChange = "org.freedesktop.DBus.NameOwnerChanged"

	errIfaceUnknown = service + ".InterfaceUnknown"
	errIfaceExists  = service + ".InterfaceExists"
	errScan         = ifaceIface + ".ScanError"
)

// noPath is what wpa_supplicant answers instead of no object.
const noPath = dbus.ObjectPath("/")

// call calls a method and stores what it returns in ret, within callTimeout.
// The returned Call tells the place of the answer among the signals.
func call(ctx context.Context, conn *dbus.Conn, path dbus.ObjectPath, method string, args, ret []any) (*dbus.Call, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	c := conn.Object(service, path).CallWithContext(ctx, method, 0, args...)
	if err := c.Store(ret...); err != nil {
		return c, fmt.Errorf("%s: %w", method, err)
	}
	return c, nil
}

// nameOwner returns wpa_supplicant's unique name on the bus.
func nameOwner(ctx context.Context, conn *dbus.Conn) (owner string, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err = conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetNameOwner", 0, service).Store(&owner)
	if err != nil {
		err = fmt.Errorf("ask who wpa_supplicant is: %w", err)
	}
	return owner, err
}

// errorName returns the D-Bus error name that err carries, else "".
func errorName(err error) string {
	var e dbus.Error
	if errors.As(err, &e) {
		return e.Name
	}
	return ""
}

// unanswered reports whether err means that nobody answered in time.
func unanswered(err error) bool {
	return errors.Is(err, context.DeadlineExceeded)
}

// subscribe asks the bus for the signals that handle understands.
func subscribe(ctx context.Context, conn *dbus.Conn) error {
	from := dbus.WithMatchSender(service)
	for _, match := range [][]dbus.MatchOption{
		{dbus.WithMatchSender("org.freedesktop.DBus"), dbus.WithMatchInterface("org.freedesktop.DBus"),
			dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, service)},
		{from, dbus.WithMatchInterface(rootIface), dbus.WithMatchMember("InterfaceAdded")},
		{from, dbus.WithMatchInterface(rootIface), dbus.WithMatchMember("InterfaceRemoved")},
		{from, dbus.WithMatchInterface(propsIface), dbus.WithMatchMember("PropertiesChanged"), dbus.WithMatchArg(0, ifaceIface)},
		{from, dbus.WithMatchInterface(ifaceIface), dbus.WithMatchMember("ScanDone")},
		{from, dbus.WithMatchInterface(ifaceIface), dbus.WithMatchMember("NetworkSelected")},
		{from, dbus.WithMatchInterface(ifaceIface), dbus.WithMatchMember("NetworkRemoved")},
		{from, dbus.WithMatchInterface(ifaceIface), dbus.WithMatchMember("PskMismatch")},
		{from, dbus.WithMatchInterface(ifaceIface), dbus.WithMatchMember("SaePasswordMismatch")},
		{dbus.WithMatchSender("org.freedesktop.DBus"), dbus.WithMatchInterface("org.freedesktop.DBus"),
			dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, managerName)},
		{dbus.WithMatchSender(managerName), dbus.WithMatchInterface(managerName), dbus.WithMatchMember("DeviceAdded")},
		{dbus.WithMatchSender(managerName), dbus.WithMatchInterface(propsIface), dbus.WithMatchMember("PropertiesChanged"),
			dbus.WithMatchArg(0, managerDevice)},
	} {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		err := conn.AddMatchSignalContext(ctx, match...)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// property returns the named property as a T, or T's zero value if there is none
// or it has another type.
func property[T any](props map[string]dbus.Variant, name string) T {
	value, _ := props[name].Value().(T)
	return value
}

// list returns the strings that the dictionary property named dict has under key.
func list(props map[string]dbus.Variant, dict, key string) []string {
	return property[[]string](property[map[string]dbus.Variant](props, dict), key)
}
