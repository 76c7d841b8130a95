package wpa

import (
	"slices"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// offered returns one offer per SSID, that of its strongest access point. Those that hide
// their SSID are left out.
func offered(found []bss) []wifi.Offer {
	var offers []wifi.Offer
	for _, b := range found {
		if hides(b.ssid) {
			continue
		}
		o := b.offer()
		i := slices.IndexFunc(offers, func(o wifi.Offer) bool { return o.SSID == b.ssid })
		if i < 0 {
			offers = append(offers, o)
			continue
		}
		if o.SignalDBm < offers[i].SignalDBm {
			o = offers[i]
		}
		o.Several = true
		offers[i] = o
	}
	return offers
}

// hides reports whether an access point hides its SSID: some send none, some as many
// zeros as it has bytes.
func hides(ssid wifi.SSID) bool {
	for i := range len(ssid) {
		if ssid[i] != 0 {
			return false
		}
	}
	return true
}

// offer returns how the access point can be joined.
func (b bss) offer() wifi.Offer {
	o := wifi.Offer{SSID: b.ssid, SignalDBm: b.signal, Joinable: true}
	psk := slices.Contains(b.rsn, "wpa-psk")
	sha256, sae := slices.Contains(b.rsn, "wpa-psk-sha256"), slices.Contains(b.rsn, "sae")
	switch {
	case b.open():
		o.Security = wifi.Open
	case sae && (psk || sha256):
		o.Security = wifi.WPAAutoPersonal
	case sae:
		o.Security = wifi.WPA3SAE
	case psk:
		o.Security = wifi.WPA2PSK
	case sha256:
		o.Security = wifi.WPA2PSKSHA256
	default:
		o.Security, o.Joinable = wifi.AutoDetect, slices.Contains(b.wpa, "wpa-psk")
	}
	return o
}
