// Package control is wifiprovd's own interface on the system bus: what the daemon
// is doing, as properties with change signals, and Erase. It has both sides, the
// daemon's Server and Read for programs that ask. docs/dbus.md describes it.
package control

import (
	_ "embed"
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Names on the bus. The number is the interface's version: what is incompatible
// gets another one.
const (
	Name      = "io.github.wifiprovd1"
	Path      = dbus.ObjectPath("/io/github/wifiprovd1")
	Interface = Name

	errorBusy = Name + ".Error.Busy"

	properties     = "org.freedesktop.DBus.Properties"
	introspectable = "org.freedesktop.DBus.Introspectable"
	errorPrefix    = "org.freedesktop.DBus.Error."
)

//go:embed io.github.wifiprovd1.xml
var introspection string

// State is what the daemon is doing.
type State struct {
	Name   string       // the status of the contract: IDLE ... FAILED
	Phase  string       // of the state machine
	Why    string       // it is so
	Next   string       // what happens next by itself
	Since  time.Time    // it is so
	Reason wifi.Failure // of the latest attempt, if it failed

	// Advertise says whether phones are meant to find the gateway.
	Advertise bool
	// Network is the one that is joined. Zero: none is.
	Network wifi.Network
	// What it gave; not valid: nothing.
	IPv4, IPv6, Gateway netip.Addr
}

// Status is all that the interface tells.
type Status struct {
	State
	Version, Security string
	SSID              wifi.SSID // of the latest attempt, or of what is joined; empty: none
	SinceMonotonic    time.Duration
	Centrals          []string
	Advertising       bool
	Adapter           string // it advertises on; hci0
	Trouble           string // why it does not advertise
}

// values returns s as the interface's properties.
func (s *Status) values() map[string]dbus.Variant {
	network := s.Network
	values := map[string]any{
		"Version":           text(s.Version),
		"Security":          text(s.Security),
		"State":             text(s.Name),
		"Phase":             text(s.Phase),
		"Why":               text(s.Why),
		"Next":              text(s.Next),
		"Since":             uint64(max(0, s.Since.UnixMicro())),
		"SinceMonotonic":    uint64(s.SinceMonotonic.Microseconds()),
		"Reason":            s.Reason.String(),
		"ReasonCode":        byte(s.Reason),
		"SSID":              []byte(s.SSID),
		"SSIDText":          escaped(s.SSID),
		"BSSID":             text(network.BSSID),
		"Frequency":         uint32(max(0, network.FrequencyMHz)),
		"Signal":            int32(network.SignalDBm),
		"KeyManagement":     text(network.KeyMgmt),
		"IPv4":              inText(s.IPv4),
		"IPv6":              inText(s.IPv6),
		"Gateway":           inText(s.Gateway),
		"Centrals":          append([]string{}, s.Centrals...),
		"Advertising":       s.Advertising,
		"Adapter":           text(s.Adapter),
		"NotAdvertisingWhy": text(s.Trouble),
	}
	variants := make(map[string]dbus.Variant, len(values))
	for name, value := range values {
		variants[name] = dbus.MakeVariant(value)
	}
	return variants
}

// status is the reverse of values. Values that are missing or of another type
// are zero: the daemon may be of another version.
func status(values map[string]dbus.Variant) Status {
	s := Status{
		State: State{
			Name:   value[string](values, "State"),
			Phase:  value[string](values, "Phase"),
			Why:    value[string](values, "Why"),
			Next:   value[string](values, "Next"),
			Since:  time.UnixMicro(int64(value[uint64](values, "Since"))),
			Reason: wifi.Failure(value[byte](values, "ReasonCode")),
			Network: wifi.Network{
				BSSID:        value[string](values, "BSSID"),
				FrequencyMHz: int(value[uint32](values, "Frequency")),
				SignalDBm:    int(value[int32](values, "Signal")),
				KeyMgmt:      value[string](values, "KeyManagement"),
			},
			IPv4:    address(values, "IPv4"),
			IPv6:    address(values, "IPv6"),
			Gateway: address(values, "Gateway"),
		},
		Version:        value[string](values, "Version"),
		Security:       value[string](values, "Security"),
		SSID:           wifi.SSID(value[[]byte](values, "SSID")),
		SinceMonotonic: time.Duration(value[uint64](values, "SinceMonotonic")) * time.Microsecond,
		Centrals:       value[[]string](values, "Centrals"),
		Advertising:    value[bool](values, "Advertising"),
		Adapter:        value[string](values, "Adapter"),
		Trouble:        value[string](values, "NotAdvertisingWhy"),
	}
	if s.Network.BSSID != "" {
		s.Network.SSID = s.SSID
	}
	return s
}

func value[T any](values map[string]dbus.Variant, name string) T {
	v, _ := values[name].Value().(T)
	return v
}

// inText returns an address for D-Bus: empty if it is not there.
func inText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// address is the reverse of inText. A zone could hold anything.
func address(values map[string]dbus.Variant, name string) netip.Addr {
	a, _ := netip.ParseAddr(value[string](values, name))
	return a.WithZone("")
}

// For returns how long the state has lasted, whatever was done to the clock.
func (s *Status) For() time.Duration { return max(0, monotonic()-s.SinceMonotonic) }

// monotonic returns CLOCK_MONOTONIC, which all programs share.
func monotonic() time.Duration {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // cannot fail: clock_gettime(2)
	return time.Duration(now.Nano())
}

// text returns s as a string that D-Bus takes (D-Bus specification, "Basic
// types": UTF-8 without U+0000).
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// escaped returns an SSID with all that is not printable escaped, as in Go.
func escaped(s wifi.SSID) string {
	quoted := strconv.Quote(string(s))
	return quoted[1 : len(quoted)-1]
}

// changed returns the values of after that differ from before.
func changed(before, after map[string]dbus.Variant) map[string]dbus.Variant {
	different := map[string]dbus.Variant{}
	for name, v := range after {
		if !reflect.DeepEqual(before[name].Value(), v.Value()) {
			different[name] = v
		}
	}
	return different
}

// plain returns err without the D-Bus library's types, with the error's name.
func plain(err error) error {
	var e dbus.Error
	if !errors.As(err, &e) {
		return err
	}
	return errors.New(e.Name + ": " + e.Error())
}

// without returns list without s.
func without(list []string, s string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(other string) bool { return other == s })
}
