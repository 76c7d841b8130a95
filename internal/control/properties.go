package control

import (
	"encoding/hex"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// property is a row of the table of properties. The daemon's values, the client's Status,
// wifiprovctl status --json, the introspection file and docs/dbus.md follow from it.
type property struct {
	name     string
	constant bool   // it does not change while the daemon runs
	json     string // its key in wifiprovctl status --json; network.ssid is within network
	doc      string // its meaning, in Markdown
	value    value
	show     func(*Status) any // its value in JSON; nil: the field of Status
}

// value is how a property is got and kept, whatever its type.
type value interface {
	signature() string
	tell(k *known) any         // the daemon's value
	decode(s *Status, got any) // keeps what a client got, unless it has another type
	kept(s *Status) any        // what decode kept
}

// typed is the value of a property whose type on the bus is that of T.
type typed[T any] struct {
	of    func(*known) T
	field func(*Status) *T
}

func of[T any](of func(*known) T, field func(*Status) *T) value { return typed[T]{of, field} }

func (v typed[T]) signature() string { return dbus.SignatureOf(*new(T)).String() }

func (v typed[T]) tell(k *known) any {
	told := any(v.of(k))
	if text, ok := told.(string); ok {
		return valid(text)
	}
	return told
}

func (v typed[T]) decode(s *Status, got any) {
	if value, ok := got.(T); ok {
		*v.field(s) = value
	}
}

func (v typed[T]) kept(s *Status) any { return *v.field(s) }

// properties is the table, in the order of the introspection file and the documentation.
var properties = []property{
	{name: "Status", json: "status",
		doc: "`IDLE`, `PROVISIONED`, `CONNECTING`, `CONNECTED` or `FAILED`: " +
			"what a phone reads, see [protocol.md](protocol.md)",
		value: of(func(k *known) string { return k.Status.String() },
			func(s *Status) *string { return &s.Status })},
	{name: "Phase", json: "phase",
		doc: "what the state machine is doing: `starting`, `resting`, `saving`, `joining`, `promoting`, " +
			"`online`, `holding`, `waiting` or `erasing`, see [states.md](states.md). " +
			"For people: there may be others in time",
		value: of(func(k *known) string { return k.Phase.String() },
			func(s *Status) *string { return &s.Phase })},
	{name: "Message", json: "message",
		doc: "why the status and the reason are as they are, for people",
		value: of(func(k *known) string { return k.Message },
			func(s *Status) *string { return &s.Message })},
	{name: "Next", json: "next",
		doc: "what happens next without anybody's doing, for people",
		value: of(func(k *known) string { return k.Next },
			func(s *Status) *string { return &s.Next })},
	{name: "Since", json: "since",
		doc: "when the status began, in microseconds since 1970",
		value: of(func(k *known) uint64 { return uint64(max(0, k.Since.UnixMicro())) },
			func(s *Status) *uint64 { return &s.Since }),
		show: (*Status).sinceJSON},
	{name: "SinceMonotonic", json: "for_seconds",
		doc: "the same in microseconds of `CLOCK_MONOTONIC`: right even if the clock was set since",
		value: of(func(k *known) uint64 { return uint64(max(0, k.began.Microseconds())) },
			func(s *Status) *uint64 { return &s.SinceMonotonic }),
		show: (*Status).forJSON},
	{name: "Reason", json: "reason",
		doc: "why the latest attempt failed, or why a joined network is of no use: `none`, " +
			"`wrong-password`, `not-found`, `refused`, `security-not-offered`, `no-address`, " +
			"`timed-out`, `hardware`, `invalid-credentials` or `internal`",
		value: of(func(k *known) string { return k.Reason.String() },
			func(s *Status) *string { return &s.Reason })},
	{name: "ReasonCode", json: "reason_code",
		doc: "the reason as the number that a phone reads, 0 to 9",
		value: of(func(k *known) byte { return byte(k.Reason) },
			func(s *Status) *byte { return &s.ReasonCode })},

	{name: "SSID", json: "network.ssid_hex",
		doc: "the network that is joined, or else was tried last, as bytes that are not always UTF-8; " +
			"empty while `IDLE`",
		value: of(func(k *known) []byte { return []byte(k.ssid()) },
			func(s *Status) *[]byte { return &s.SSID }),
		show: func(s *Status) any { return hex.EncodeToString(s.SSID) }},
	{name: "SSIDText", json: "network.ssid",
		doc: "the same for people, with everything escaped that is not printable",
		value: of(func(k *known) string { return escaped(k.ssid()) },
			func(s *Status) *string { return &s.SSIDText })},
	{name: "BSSID", json: "network.bssid",
		doc: "the access point that the gateway is on now, `aa:bb:cc:dd:ee:ff`; empty: no network is joined",
		value: of(func(k *known) string { return k.network().BSSID },
			func(s *Status) *string { return &s.BSSID })},
	{name: "Frequency", json: "network.frequency_mhz",
		doc: "its channel in MHz; 0: none",
		value: of(func(k *known) uint32 { return uint32(max(0, k.network().FrequencyMHz)) },
			func(s *Status) *uint32 { return &s.Frequency })},
	{name: "Signal", json: "network.signal_dbm",
		doc: "its signal in dBm when it was last looked at; 0: none",
		value: of(func(k *known) int32 { return int32(k.network().SignalDBm) },
			func(s *Status) *int32 { return &s.Signal })},
	{name: "AKM", json: "network.akm",
		doc: "how the network was joined (authentication and key management): `NONE`, `WPA-PSK`, " +
			"`WPA2-PSK`, `WPA2-PSK-SHA256`, `SAE` or another one",
		value: of(func(k *known) string { return string(k.network().AKM) },
			func(s *Status) *string { return &s.AKM })},
	{name: "IPv4", json: "network.ipv4",
		doc: "the address that the network gave, such as `192.0.2.42`; empty: none (yet)",
		value: of(func(k *known) string { return inText(k.Addresses.IPv4) },
			func(s *Status) *string { return &s.IPv4 })},
	{name: "IPv6", json: "network.ipv6",
		doc: "the same for IPv6",
		value: of(func(k *known) string { return inText(k.Addresses.IPv6) },
			func(s *Status) *string { return &s.IPv6 })},
	{name: "Gateway", json: "network.gateway",
		doc: "the address of the network's router; empty: none",
		value: of(func(k *known) string { return inText(k.Addresses.Gateway) },
			func(s *Status) *string { return &s.Gateway })},

	{name: "Country", json: "country",
		doc: "where the gateway is, as configured or as a phone has written it: two letters such as `DE`; empty: neither",
		value: of(func(k *known) string { return string(k.Country) },
			func(s *Status) *string { return &s.Country })},
	{name: "WifiInterface", json: "wifi_interface",
		doc: "the network interface that joins networks, such as `wlan0`; empty: there is none, or it is not known yet",
		value: of(func(k *known) string { return k.WifiInterface },
			func(s *Status) *string { return &s.WifiInterface })},
	{name: "WifiBackend", json: "wifi_backend",
		doc: "who keeps the networks that are joined: `wpa_supplicant` or `networkmanager`; empty: not known yet",
		value: of(func(k *known) string { return k.WifiBackend },
			func(s *Status) *string { return &s.WifiBackend })},

	{name: "Centrals", json: "centrals",
		doc: "the Bluetooth addresses of the phones that are connected",
		value: of((*known).centrals,
			func(s *Status) *[]string { return &s.Centrals }),
		show: func(s *Status) any { return append([]string{}, s.Centrals...) }}, // never null
	{name: "Advertising", json: "advertising",
		doc: "whether phones can find the gateway",
		value: of((*known).advertised,
			func(s *Status) *bool { return &s.Advertising })},
	{name: "Adapter", json: "adapter",
		doc: "the adapter it advertises on, such as `hci0`; empty: it does not",
		value: of((*known).adapter,
			func(s *Status) *string { return &s.Adapter })},
	{name: "AdvertisingMessage", json: "advertising_message",
		doc: "why it does not advertise, for people; empty: it does",
		value: of((*known).advertisingMessage,
			func(s *Status) *string { return &s.AdvertisingMessage })},

	{name: "Open", json: "open",
		doc: "whether phones may find and provision the gateway",
		value: of(func(k *known) bool { return k.Open },
			func(s *Status) *bool { return &s.Open })},
	{name: "Window", json: "window_seconds",
		doc: "until when a window stays open that a person has opened, in microseconds of `CLOCK_MONOTONIC`; 0: " +
			"nobody has. The JSON has the seconds that are left",
		value: of(func(k *known) uint64 { return uint64(max(0, k.closes.Microseconds())) },
			func(s *Status) *uint64 { return &s.Window }),
		show: func(s *Status) any { return s.WindowLeft().Round(time.Millisecond).Seconds() }},
	{name: "Access", constant: true, json: "access",
		doc: "when phones may find the gateway: `always`, `offline` or `window`, `bluetooth.access` of the configuration",
		value: of(func(k *known) string { return k.access },
			func(s *Status) *string { return &s.Access })},

	{name: "Code", json: "code",
		doc: "the code on the label: `none`, `set`, or `unreadable`: there is one that cannot be read or opened, so " +
			"nobody can prove it; empty: not known yet",
		value: of(func(k *known) string { return k.Code.String() },
			func(s *Status) *string { return &s.Code })},
	{name: "CodeRequired", json: "code_required",
		doc: "whether phones must prove it, whichever protocol they speak (`bluetooth.require_code`)",
		value: of(func(k *known) bool { return k.CodeRequired },
			func(s *Status) *bool { return &s.CodeRequired })},

	{name: "Version", constant: true, json: "version",
		doc: "the daemon's version",
		value: of(func(k *known) string { return k.version },
			func(s *Status) *string { return &s.Version })},
	{name: "Security", constant: true, json: "security",
		doc: "`none`, `encrypt` or `authenticated`: `bluetooth.security` of the configuration",
		value: of(func(k *known) string { return k.security },
			func(s *Status) *string { return &s.Security })},
}

// known is all that the properties are made of.
type known struct {
	*gateway.Snapshot
	began                     time.Duration // when the turn began, by CLOCK_MONOTONIC
	closes                    time.Duration // when the window ends, by CLOCK_MONOTONIC; 0: there is none
	version, security, access string
}

// network returns the joined network, the zero value if none is.
func (k *known) network() wifi.Network {
	if k.Network == nil {
		return wifi.Network{}
	}
	return *k.Network
}

// ssid returns the network that the status is about.
func (k *known) ssid() wifi.SSID {
	switch {
	case k.Network != nil:
		return k.Network.SSID
	case k.Status == gateway.Idle:
		return ""
	}
	return k.Trying.SSID
}

func (k *known) centrals() []string {
	addresses := make([]string, 0, len(k.Centrals))
	for _, c := range k.Centrals {
		addresses = append(addresses, valid(string(c)))
	}
	return addresses
}

// advertised is false also for a registration that was under way when advertising was
// switched off: it is about to be taken back.
func (k *known) advertised() bool { return k.Advertising.Wanted && k.Advertising.Adapter != "" }

func (k *known) adapter() string {
	if !k.advertised() {
		return ""
	}
	return k.Advertising.Adapter
}

func (k *known) advertisingMessage() string {
	switch {
	case k.advertised():
		return ""
	case k.Advertising.Problem != "":
		return k.Advertising.Problem
	case k.Advertising.Wanted, k.Phase == gateway.Starting:
		return "not yet: starting"
	}
	return k.Access.Closed()
}

// values returns k as the interface's properties.
func (k *known) values() map[string]dbus.Variant {
	values := make(map[string]dbus.Variant, len(properties))
	for _, p := range properties {
		values[p.name] = dbus.MakeVariant(p.value.tell(k))
	}
	return values
}

// decode is the reverse of values.
func decode(values map[string]dbus.Variant) Status {
	var s Status
	for _, p := range properties {
		p.value.decode(&s, values[p.name].Value())
	}
	return s
}

// JSON returns s as wifiprovctl status --json prints it: empty texts are left out, within
// network zeros too, and network is null while there is none to tell of.
func (s *Status) JSON() map[string]any {
	top := map[string]any{"network": nil}
	network := map[string]any{"joined": s.Joined()}
	for _, p := range properties {
		shown := p.value.kept(s)
		if p.show != nil {
			shown = p.show(s)
		}
		key, within := strings.CutPrefix(p.json, "network.")
		_, isText := shown.(string)
		switch zero := reflect.ValueOf(shown).IsZero(); {
		case zero && (isText || within):
		case within:
			network[key] = shown
		default:
			top[key] = shown
		}
	}
	if len(s.SSID) > 0 {
		top["network"] = network
	}
	return top
}

func (s *Status) sinceJSON() any {
	if s.Since == 0 {
		return ""
	}
	return s.SinceTime().Format(time.RFC3339)
}

func (s *Status) forJSON() any {
	if s.SinceMonotonic == 0 {
		return 0.0
	}
	return s.For().Round(time.Millisecond).Seconds()
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

// inText returns an address for the bus: empty if it is not there.
func inText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// valid returns s as a string that the bus takes: UTF-8 without U+0000, or it closes the
// connection (D-Bus specification, "Basic types").
func valid(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// escaped returns an SSID with everything escaped that is not printable, as in Go.
func escaped(s wifi.SSID) string {
	quoted := s.String()
	return quoted[1 : len(quoted)-1]
}
