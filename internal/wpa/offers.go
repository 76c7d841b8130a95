package wpa

import (
	"slices"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// offered returns one offer per SSID, that of its strongest access point. Those that hide
// their SSID are left out.
func offered(found []bss, dev *device) []wifi.Offer {
	var offers []wifi.Offer
	for _, b := range found {
		if hides(b.ssid) {
			continue
		}
		o := b.offer(dev)
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

// offer returns how the access point can be joined with this radio.
func (b bss) offer(dev *device) wifi.Offer {
	o := wifi.Offer{SSID: b.ssid, SignalDBm: b.signal}
	has := func(akms ...string) bool {
		return slices.ContainsFunc(akms, func(akm string) bool { return slices.Contains(b.rsn.akms, akm) })
	}
	psk, sha256, sae := has(akmPSK, akmFTPSK), has(akmPSKSHA256), has(akmSAE, akmFTSAE)
	able := len(b.rsn.usable(dev.ciphers).pairwise) > 0
	o.Joinable = able && (psk || sha256 || sae && dev.sae)
	switch {
	case b.open():
		o.Security, o.Joinable = wifi.Open, true
	case sae && (psk || sha256):
		o.Security = wifi.WPAAutoPersonal
	case sae:
		o.Security = wifi.WPA3SAE
	case psk:
		o.Security = wifi.WPA2PSK
	case sha256:
		o.Security = wifi.WPA2PSKSHA256
	default:
		o.Security = wifi.AutoDetect
		o.Joinable = slices.Contains(b.wpa.akms, akmPSK) && len(b.wpa.usable(dev.ciphers).pairwise) > 0
	}
	return o
}
