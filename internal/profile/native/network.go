package native

import (
	"encoding/hex"
	"net/netip"
	"time"
	"unicode/utf8"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

// sameNetwork reports whether phones need not read the network again. The signal does
// not count: it changes all the time. Nor does a lease that was only renewed.
func sameNetwork(a, b *gateway.Snapshot) bool {
	if a.Network == nil || b.Network == nil {
		return a.Network == b.Network
	}
	n := *a.Network
	n.SignalDBm = b.Network.SignalDBm
	return n == *b.Network && a.Joined.Equal(b.Joined) && a.Addresses.IPv4 == b.Addresses.IPv4 &&
		a.Addresses.IPv6 == b.Addresses.IPv6 && a.Addresses.Gateway == b.Addresses.Gateway
}

// readNetwork answers with what is known, and has the signal measured for the next read.
// The pieces of a long read are of one value.
func (p *Profile) readNetwork(r gatt.Request) ([]byte, error) {
	now, begins := p.latest.Load(), false
	var value []byte
	p.views.Update(r.Central, func(v *view) {
		if begins = r.Offset == 0 || v.network == nil; begins {
			v.network = encodeNetwork(now)
		}
		value = v.network
	})
	if begins && now.Network != nil {
		p.control.Refresh()
	}
	return value, nil
}

// encodeNetwork returns the JSON of the joined network, {} if there is none. The SSID is
// text if it is UTF-8, else hex digits. The longest SSID, 32 control characters, takes
// 192 bytes: the whole stays below gatt.MaxValue.
func encodeNetwork(s *gateway.Snapshot) []byte {
	n := s.Network
	if n == nil {
		return []byte("{}")
	}
	fields := struct {
		SSID      text   `json:"ssid,omitempty"`
		SSIDHex   string `json:"ssid_hex,omitempty"`
		BSSID     text   `json:"bssid"`
		Frequency int    `json:"frequency_mhz"`
		Signal    int    `json:"signal_dbm"`
		Security  text   `json:"security"`
		IPv4      string `json:"ipv4,omitempty"`
		IPv6      string `json:"ipv6,omitempty"`
		Gateway   string `json:"gateway,omitempty"`
		Since     string `json:"since"`
	}{
		BSSID:     cut(n.BSSID, 17),
		Frequency: n.FrequencyMHz,
		Signal:    n.SignalDBm,
		Security:  cut(string(n.AKM), 20),
		IPv4:      address(s.Addresses.IPv4),
		IPv6:      address(s.Addresses.IPv6),
		Gateway:   address(s.Addresses.Gateway),
		// By the monotonic clock: a board without a battery learns the time after the join.
		Since: time.Now().Add(-time.Since(s.Joined)).UTC().Format(time.RFC3339),
	}
	if utf8.ValidString(string(n.SSID)) {
		fields.SSID = text(n.SSID)
	} else {
		fields.SSIDHex = hex.EncodeToString([]byte(n.SSID))
	}
	return encode(fields)
}

func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.WithZone("").String()
}
