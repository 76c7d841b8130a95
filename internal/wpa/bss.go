package wpa

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// maxBSS bounds the scan results that are read: anybody in range can add some.
// wpa_supplicant keeps 200 by default (bss_max_count), and exceeds that only for networks
// that are configured.
const maxBSS = 400

// maxPending bounds the calls that wait for an answer at once: the system bus lets a
// connection have 128 (dbus-daemon, max_replies_per_connection), and others call, too.
const maxPending = 50

// bss is what wpa_supplicant has heard of an access point.
type bss struct {
	path      dbus.ObjectPath
	ssid      wifi.SSID
	bssid     string
	frequency int // MHz
	signal    int // dBm
	age       time.Duration
	privacy   bool    // the privacy bit of its capabilities: WEP or better
	rsn, wpa  element // empty: there is none
}

// decodeBSS reads the properties of an access point, whoever made them up: what is
// missing or has another type is zero, and an SSID that is too long is empty.
func decodeBSS(path dbus.ObjectPath, props map[string]dbus.Variant) bss {
	ssid := msgbus.Value[[]byte](props, "SSID")
	if len(ssid) > wifi.MaxSSIDLen {
		ssid = nil
	}
	rsn, wpa := elements(msgbus.Value[[]byte](props, "IEs"))
	return bss{
		path:      path,
		ssid:      wifi.SSID(ssid),
		bssid:     formatMAC(msgbus.Value[[]byte](props, "BSSID")),
		frequency: int(msgbus.Value[uint16](props, "Frequency")),
		signal:    int(msgbus.Value[int16](props, "Signal")),
		age:       time.Duration(msgbus.Value[uint32](props, "Age")) * time.Second,
		privacy:   msgbus.Value[bool](props, "Privacy"),
		rsn:       rsn,
		wpa:       wpa,
	}
}

func formatMAC(b []byte) string {
	if len(b) != 6 {
		return ""
	}
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5])
}

// open reports whether anybody may join without a password.
func (b bss) open() bool { return !b.privacy && !b.rsn.offers() && !b.wpa.offers() }

// String says what the access point offers, for a person.
func (b bss) String() string {
	offers := append(b.rsn.text("WPA2"), b.wpa.text("WPA1")...)
	switch {
	case len(offers) > 0:
		return strings.Join(offers, " ")
	case b.privacy:
		return "WEP"
	}
	return "no encryption"
}

// describe lists what the access points offer, each offer once.
func describe(found []bss) string {
	var offers []string
	for _, b := range found {
		if offer := b.String(); !slices.Contains(offers, offer) {
			offers = append(offers, offer)
		}
	}
	return strings.Join(offers, "; ")
}

// results returns the access points called ssid that were heard at most age ago.
func (d *device) results(ctx context.Context, ssid wifi.SSID, age time.Duration) ([]bss, error) {
	return d.heard(ctx, func(b bss) bool { return b.ssid == ssid && b.age <= age })
}

// heard returns the access points that match. The calls for their properties are sent
// together, so that 200 of them do not cost 200 round trips.
func (d *device) heard(ctx context.Context, match func(bss) bool) ([]bss, error) {
	var paths []dbus.ObjectPath
	if err := d.supplicant.Get(ctx, d.path, ifaceIface, "BSSs", &paths); err != nil {
		return nil, err
	}
	paths = paths[:min(len(paths), maxBSS)]

	ctx, cancel := context.WithTimeout(ctx, d.supplicant.Timeout)
	defer cancel()
	var found []bss
	for some := range slices.Chunk(paths, maxPending) {
		calls := make([]*dbus.Call, len(some))
		for i, path := range some {
			calls[i] = d.supplicant.Conn.Object(service, path).GoWithContext(ctx, msgbus.Properties+".GetAll", 0, nil, bssIface)
		}
		for i, call := range calls {
			<-call.Done
			var props map[string]dbus.Variant
			if call.Store(&props) != nil {
				continue // it has expired meanwhile, or its elements cannot be parsed
			}
			if b := decodeBSS(some[i], props); b.frequency > 0 && match(b) {
				found = append(found, b)
			}
		}
	}
	return found, ctx.Err()
}

// bssByPath returns one access point.
func (d *device) bssByPath(ctx context.Context, path dbus.ObjectPath) (bss, error) {
	props, err := d.supplicant.GetAll(ctx, path, bssIface)
	return decodeBSS(path, props), err
}
