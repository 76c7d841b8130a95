package journal

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Observer logs what has changed from one Snapshot to the next: one line a fact.
type Observer struct {
	Log  *slog.Logger
	Name string // that is advertised
}

// Changed implements gateway.Observer.
func (o Observer) Changed(before, now *gateway.Snapshot) {
	o.centrals(before.Centrals, now.Centrals)
	o.country(before.Country, now.Country)
	o.wifi(before, now)
	o.network(before, now)
	o.status(before, now)
	o.trying(before.Trying, now.Trying)
	o.addresses(before, now)
	o.window(before, now)
	o.advertising(before, now)
}

func (o Observer) centrals(before, now []gatt.Central) {
	for _, c := range missing(before, now) {
		o.Log.Info(fmt.Sprintf("central connected: %s", c), Event, "central-connected", "central", c)
	}
	for _, c := range missing(now, before) {
		o.Log.Info(fmt.Sprintf("central disconnected: %s", c), Event, "central-disconnected", "central", c)
	}
}

// missing returns what list has and in has not.
func missing(in, list []gatt.Central) []gatt.Central {
	count := map[gatt.Central]int{}
	for _, c := range in {
		count[c]++
	}
	var out []gatt.Central
	for _, c := range list {
		if count[c]--; count[c] < 0 {
			out = append(out, c)
		}
	}
	return out
}

func (o Observer) country(before, now wifi.Country) {
	switch {
	case now == before:
	case now == "":
		o.Log.Info("the Wi-Fi country that a phone has named is forgotten", Event, "country")
	default:
		o.Log.Info(fmt.Sprintf("Wi-Fi country: %s", now), Event, "country", "country", string(now))
	}
}

func (o Observer) wifi(before, now *gateway.Snapshot) {
	switch {
	case before.WifiProblem == now.WifiProblem &&
		(before.WifiBackend == now.WifiBackend && before.WifiInterface == now.WifiInterface || now.WifiProblem != ""):
	case now.WifiProblem == "":
		o.Log.Info(fmt.Sprintf("Wi-Fi can be used, through %s on %s", now.WifiBackend, now.WifiInterface),
			Event, "wifi-usable", "backend", now.WifiBackend, "interface", now.WifiInterface)
	default:
		o.Log.Warn(fmt.Sprintf("Wi-Fi cannot be used: %s; waiting until it can", now.WifiProblem), Event, "wifi-unusable")
	}
}

func (o Observer) network(before, now *gateway.Snapshot) {
	n, last := now.Network, before.Network
	switch {
	case n == nil:
	case !now.Joined.Equal(before.Joined):
		o.at("connected to "+n.SSID.String()+" by", n, "connected", slog.String(messageID, MessageConnected))
	case last != nil && last.BSSID != n.BSSID:
		o.at("roamed within "+n.SSID.String()+" to", n, "roamed")
	}
}

// at logs at which access point the gateway is.
func (o Observer) at(what string, n *wifi.Network, event string, more ...slog.Attr) {
	attrs := append(more, slog.String(Event, event), slog.Any("ssid", n.SSID), slog.String("bssid", n.BSSID),
		slog.Int("frequency_mhz", n.FrequencyMHz), slog.Int("signal_dbm", n.SignalDBm), slog.String("akm", string(n.AKM)))
	o.Log.LogAttrs(context.Background(), slog.LevelInfo,
		fmt.Sprintf("%s access point %s at %d MHz, %d dBm, %s", what, n.BSSID, n.FrequencyMHz, n.SignalDBm, n.AKM), attrs...)
}

// status logs a status that is shown, or another reason for the one that stays. A
// failure is one line.
func (o Observer) status(before, now *gateway.Snapshot) {
	if now.Turn == before.Turn {
		if now.Reason != before.Reason {
			o.reason(now)
		}
		return
	}
	if now.Phase == gateway.Resting && before.Phase == gateway.Erasing && now.Status == gateway.Idle {
		o.Log.Info("erased: the stored credentials are gone, the network is left, the bonds follow",
			Event, "erased", messageID, MessageErased)
	}
	text := fmt.Sprintf("status -> %s (%d): %s; next: %s", now.Status, uint8(now.Status), now.Message, now.Next)
	if now.Status != gateway.Failed {
		o.Log.Info(text, Event, "status", "status", now.Status, "reason", now.Reason)
		return
	}
	text = fmt.Sprintf("status -> %s (%d): %s: %s; next: %s", now.Status, uint8(now.Status), now.Reason, now.Message, now.Next)
	o.Log.Error(text, Event, "failed", messageID, MessageFailed, "status", now.Status, "reason", now.Reason, "ssid", now.Trying.SSID)
}

func (o Observer) reason(now *gateway.Snapshot) {
	level, id := slog.LevelInfo, MessageAddress
	if now.Reason != wifi.FailureNone {
		level, id = slog.LevelWarn, MessageNoAddress
	}
	o.Log.Log(context.Background(), level,
		fmt.Sprintf("status stays %s (%d): %s; next: %s", now.Status, uint8(now.Status), now.Message, now.Next),
		Event, "reason", messageID, id, "status", now.Status, "reason", now.Reason, "ssid", now.Trying.SSID)
}

func (o Observer) trying(before, now gateway.Trying) {
	if now.Begun == 0 || now.Begun == before.Begun {
		return
	}
	which := "the candidate"
	if now.Proven {
		which = "the stored"
	}
	o.Log.Info(fmt.Sprintf("connecting to %s with %s credentials, security %s", now.SSID, which, now.Security),
		Event, "connecting", "ssid", now.SSID, "security", now.Security)
}

func (o Observer) addresses(before, now *gateway.Snapshot) {
	switch {
	case now.Network == nil || now.Addresses == before.Addresses:
	case now.Addresses.Bound():
		o.Log.Info("address of the Wi-Fi interface: "+inWords(now.Addresses), Event, "address")
	case before.Network != nil:
		o.Log.Info("the Wi-Fi interface has no address any more", Event, "address")
	}
}

// inWords lists the addresses that are there.
func inWords(a wifi.Addresses) string {
	var words []string
	for _, ip := range []netip.Addr{a.IPv4, a.IPv6} {
		if ip.IsValid() {
			words = append(words, ip.String())
		}
	}
	if a.Gateway.IsValid() {
		words = append(words, "gateway "+a.Gateway.String())
	}
	return strings.Join(words, ", ")
}

// window logs the window that a person has opened.
func (o Observer) window(before, now *gateway.Snapshot) {
	until := now.Window.Format(time.TimeOnly)
	switch {
	case now.Window.Equal(before.Window):
	case now.Window.IsZero() && now.Leaving:
		o.Log.Info("the window is closed; the phone whose attempt runs learns how it ends", Event, "window-closed")
	case now.Window.IsZero():
		o.Log.Info("the window is closed", Event, "window-closed")
	case before.Window.IsZero():
		o.Log.Info("a window is open until "+until+": phones may find and provision the gateway", Event, "window-opened")
	case before.Advertising.Wanted && !now.Advertising.Wanted:
		o.Log.Info("the time of the window is over; the phones that are connected may go on until "+until,
			Event, "window-ending")
	default:
		o.Log.Info("the window is open until "+until, Event, "window-opened")
	}
}

func (o Observer) advertising(was, is *gateway.Snapshot) {
	before, now := was.Advertising, is.Advertising
	switch {
	case before.Wanted && !now.Wanted:
		o.Log.Info("advertising ends: " + is.Access.Closed())
	case !now.Wanted, now == before:
	case now.Adapter != "" && now.Adapter != before.Adapter:
		o.Log.Info(fmt.Sprintf("advertising as %q on %s", o.Name, now.Adapter), Event, "advertising", "adapter", now.Adapter, "name", o.Name)
	case now.Problem != "" && now.Problem != before.Problem && before.Wanted:
		o.Log.Warn("not advertising: "+now.Problem, Event, "not-advertising")
	}
}

// Passkey shows the passkey that the user of the phone has to type there. It is told
// nowhere else.
func (o Observer) Passkey(c gatt.Central, digits string) {
	o.Log.Info(fmt.Sprintf("passkey for %s: %s; type it on the phone", c, digits),
		Event, "passkey", messageID, MessagePasskey, "central", c, "passkey", digits)
}
