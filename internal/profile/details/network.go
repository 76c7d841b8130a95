package details

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"time"
	"unicode/utf8"

	"github.com/wifiprovd/wifiprovd/internal/bluez/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Network is the network that the gateway has joined.
type Network struct {
	wifi.Network
	IPv4, IPv6, Gateway netip.Addr // not valid: there is none
	Since               time.Time
}

// PublishNetwork makes n what is read, nil for none. If it is news, the length of
// the new value is notified as 2 bytes, low byte first: the value itself may not
// fit into a notification. The signal is no news: it changes all the time.
func (p *Profile) PublishNetwork(n *Network) {
	p.mu.Lock()
	changed := !n.like(p.network)
	p.network = n
	length := len(n.encode())
	p.mu.Unlock()
	if changed {
		p.networkChanged.Send(binary.LittleEndian.AppendUint16(nil, uint16(length)))
	}
}

// like reports whether two networks are the same but for the signal.
func (n *Network) like(other *Network) bool {
	if n == nil || other == nil {
		return n == other
	}
	a := *n
	a.SignalDBm = other.SignalDBm
	return a == *other
}

// readNetwork answers with what is known, and has it looked at for the next read. The pieces
// of a long read are of one value.
func (p *Profile) readNetwork(r gatt.Request) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.view(r.Central)
	if r.Offset == 0 || v.network == nil {
		v.network = p.network.encode()
		if p.network != nil {
			p.cfg.Refresh()
		}
	}
	return v.network, nil
}

// encode returns the JSON of n, {} if it is nil. The SSID is text if it is UTF-8,
// else digits. The longest text, 32 control characters, takes 192 bytes: the whole
// stays below MaxValue.
func (n *Network) encode() []byte {
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
		Security:  cut(n.KeyMgmt, 20),
		IPv4:      address(n.IPv4),
		IPv6:      address(n.IPv6),
		Gateway:   address(n.Gateway),
		// By the clock that does not jump: one without a battery is set after the join.
		Since: time.Now().Add(-time.Since(n.Since)).UTC().Format(time.RFC3339),
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
