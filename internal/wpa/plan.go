package wpa

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Key management (AKM) as in a network's key_mgmt (hostap, wpa_supplicant.conf).
const (
	akmNone      = "NONE"
	akmPSK       = "WPA-PSK"
	akmPSKSHA256 = "WPA-PSK-SHA256"
	akmSAE       = "SAE"
	akmFTPSK     = "FT-PSK" // PSK and SAE with fast transition, 802.11r
	akmFTSAE     = "FT-SAE"
)

// wanted are the AKMs that each security type may use.
var wanted = map[wifi.Security][]string{
	wifi.Open:            {akmNone},
	wifi.WPA2PSK:         {akmPSK},
	wifi.WPA2PSKSHA256:   {akmPSKSHA256},
	wifi.WPA3SAE:         {akmSAE},
	wifi.WPAAutoPersonal: {akmPSK, akmPSKSHA256, akmSAE},
	wifi.AutoDetect:      {akmPSK, akmPSKSHA256, akmSAE},
}

// fastTransition are the AKMs that some networks offer in place of the plain ones.
var fastTransition = map[string]string{akmPSK: akmFTPSK, akmSAE: akmFTSAE}

// defaultCiphers are what a network takes for pairwise and group that names none
// (hostap, wpa_supplicant/config_ssid.h).
var defaultCiphers = []string{"CCMP", "TKIP"}

// plan is how a network is going to be joined.
type plan struct {
	akms    []string // key_mgmt
	ciphers ciphers
	proto   string // RSN (WPA2, WPA3), or WPA where there is nothing better
	pmf     int32  // ieee80211w: 0 off, 1 if the access point can, 2 required
	scan    []int  // scan_freq, MHz
	hidden  bool   // scan_ssid: probe requests name it, which everybody in range can read
	bssid   string // the only access point to join; empty: any of the network
	offered bool   // WPA3 is, by one of the access points
}

func isSAE(akm string) bool { return akm == akmSAE || akm == akmFTSAE }

// protected reports whether the network has a password.
func (p plan) protected() bool { return !slices.Contains(p.akms, akmNone) }

// sae reports whether WPA3 may be used, psk whether WPA2 may be.
func (p plan) sae() bool { return slices.ContainsFunc(p.akms, isSAE) }
func (p plan) psk() bool { return p.protected() && slices.ContainsFunc(p.akms, isNoSAE) }

func isNoSAE(akm string) bool { return !isSAE(akm) }

// withoutSAE returns the plan that does without WPA3.
func (p plan) withoutSAE() plan {
	p.akms = slices.DeleteFunc(slices.Clone(p.akms), isSAE)
	return p
}

// choose decides how to join one of the access points found, given what the user asked
// for, what they offer, what the radio can do and what is known of WPA3 there. It returns
// the plan and the access points that it fits, the strongest first. Only what they offer
// goes into the plan: wpa_supplicant would otherwise wait in vain for an access point that
// fits, and never say so.
func choose(cred wifi.Credentials, found []bss, dev *device, sae wifi.SAERecord, hidden bool) (plan, []bss, error) {
	akms, security := wanted[cred.Security], cred.Security
	if security == wifi.AutoDetect && cred.Passphrase.Len() == 0 {
		akms, security = wanted[wifi.Open], wifi.Open
	}
	akms, lacking := possible(akms, cred, dev)
	if psk := slices.DeleteFunc(slices.Clone(akms), isSAE); sae == wifi.SAEFailed && !dev.alwaysSAE && anyFits(found, psk, dev) {
		akms = psk
	}
	p := plan{proto: "RSN", hidden: hidden}
	fitting := p.fit(found, akms, dev, func(b bss) element { return b.rsn })
	if len(fitting) == 0 && security == wifi.AutoDetect {
		p.proto = "WPA" // WPA2's predecessor has no security type of its own
		fitting = p.fit(found, akms, dev, func(b bss) element { return b.wpa })
	}
	if len(fitting) == 0 {
		return plan{}, nil, notOffered(cred, found, dev, lacking)
	}
	// Transition: an access point may be switched to WPA3 alone, or back, and the
	// connection must survive that. wpa_supplicant prefers SAE where both are offered.
	if security == wifi.WPAAutoPersonal {
		p.akms = union(p.akms, akms)
	}
	p.pmf = protection(p, security, dev)
	slices.SortStableFunc(fitting, func(a, b bss) int { return b.signal - a.signal })
	return p, fitting, nil
}

// fit takes what of akms the access points offer, in the element that of returns, into the
// plan, and returns those that offer any.
func (p *plan) fit(found []bss, akms []string, dev *device, of func(bss) element) (fitting []bss) {
	for _, b := range found {
		offered, usable := b.fits(akms, of(b), dev)
		if len(offered) == 0 {
			continue
		}
		fitting = append(fitting, b)
		p.akms = union(p.akms, offered)
		p.ciphers.add(usable)
		p.scan = append(p.scan, b.frequency)
		p.offered = p.offered || slices.ContainsFunc(b.rsn.akms, isSAE)
	}
	slices.Sort(p.scan)
	p.scan = slices.Compact(p.scan)
	return fitting
}

func anyFits(found []bss, akms []string, dev *device) bool {
	return slices.ContainsFunc(found, func(b bss) bool {
		offered, _ := b.fits(akms, b.rsn, dev)
		return len(offered) > 0
	})
}

// fits returns which of akms b offers in one of its elements, and the ciphers to use.
func (b bss) fits(akms []string, e element, dev *device) (offered []string, usable ciphers) {
	if b.open() {
		if slices.Contains(akms, akmNone) {
			offered = []string{akmNone}
		}
		return offered, ciphers{}
	}
	usable = e.usable(dev.ciphers)
	if len(usable.pairwise) == 0 {
		return nil, ciphers{}
	}
	for _, akm := range akms {
		switch ft := fastTransition[akm]; {
		case slices.Contains(e.akms, akm):
			offered = append(offered, akm)
		case ft != "" && slices.Contains(e.akms, ft):
			offered = append(offered, ft)
		}
	}
	return offered, usable
}

// possible returns which of akms the radio and the password allow, and, for a person,
// why SAE is not among them. SAE needs the password itself, not a key derived from it.
func possible(akms []string, cred wifi.Credentials, dev *device) (able []string, lacking string) {
	_, raw := cred.Passphrase.RawPSK()
	switch {
	case !dev.sae:
		lacking = "this radio or its driver cannot do WPA3"
	case raw:
		lacking = "a raw PSK cannot be used with WPA3"
	default:
		return akms, ""
	}
	return slices.DeleteFunc(slices.Clone(akms), isSAE), lacking
}

// notOffered says why none of the access points found can be joined. An empty password
// on a protected network counts as a wrong one: that failure makes a phone ask for the
// password.
func notOffered(cred wifi.Credentials, found []bss, dev *device, lacking string) error {
	offer := describe(found)
	if cred.Security == wifi.AutoDetect && cred.Passphrase.Len() == 0 && slices.ContainsFunc(found, func(b bss) bool { return b.offer(dev).Joinable }) {
		return &wifi.Error{Failure: wifi.FailureWrongPassword,
			Detail: fmt.Sprintf("the network needs a password and none was given; the access point offers %s", offer)}
	}
	detail := fmt.Sprintf("asked for security %s, the access point offers %s", cred.Security, offer)
	if cred.Security == wifi.AutoDetect && !slices.ContainsFunc(found, func(b bss) bool { return !b.open() }) {
		detail = "a password was given, but the network is open; to join it anyway, give none"
	}
	if lacking != "" && slices.ContainsFunc(found, func(b bss) bool { return slices.ContainsFunc(b.rsn.akms, isSAE) }) {
		detail += "; " + lacking
	}
	if i := slices.IndexFunc(found, func(b bss) bool { return b.rsn.offers() && len(b.rsn.usable(dev.ciphers).pairwise) == 0 }); i >= 0 {
		detail += fmt.Sprintf("; this radio or its driver lacks the ciphers: pairwise %s, group %s", strings.Join(found[i].rsn.pairwise, " "), found[i].rsn.group)
	}
	return &wifi.Error{Failure: wifi.FailureSecurityNotOffered, Detail: detail}
}

// protection returns ieee80211w. WPA3 requires protected management frames, PMF (WPA3
// specification, 2.3); WPA2 uses them if both sides can.
func protection(p plan, security wifi.Security, dev *device) int32 {
	switch {
	case !p.protected() || p.proto == "WPA":
		return 0
	case !p.psk():
		return 2
	case dev.pmf || p.sae():
		return 1
	}
	return 0
}

// properties returns AddNetwork's argument. wpa_supplicant puts an `ay` into its
// configuration as hex, which carries every byte, and an `s` in quotes that it does not
// escape (dbus_new_handlers.c, set_network_properties). So the SSID, the PSK and the SAE
// password go as `ay`. For a PSK that means 32 bytes: it is derived here, which also
// keeps a WPA2 passphrase from wpa_supplicant.
//
// psk is what derivePSK returns, and used only if the plan has a use for it.
func (p plan) properties(cred wifi.Credentials, psk []byte) map[string]dbus.Variant {
	props := map[string]dbus.Variant{
		"ssid":      dbus.MakeVariant([]byte(cred.SSID)),
		"key_mgmt":  dbus.MakeVariant(strings.Join(p.akms, " ")),
		"scan_freq": dbus.MakeVariant(joinInts(p.scan)),
	}
	if p.hidden {
		props["scan_ssid"] = dbus.MakeVariant(int32(1))
	}
	if p.bssid != "" {
		props["bssid"] = dbus.MakeVariant(p.bssid)
	}
	if !p.protected() {
		return props
	}
	if all := union(defaultCiphers, p.ciphers.pairwise); len(all) > len(defaultCiphers) {
		props["pairwise"] = dbus.MakeVariant(strings.Join(all, " "))
	}
	if all := union(defaultCiphers, p.ciphers.group); len(all) > len(defaultCiphers) {
		props["group"] = dbus.MakeVariant(strings.Join(all, " "))
	}
	props["proto"] = dbus.MakeVariant(p.proto)
	props["ieee80211w"] = dbus.MakeVariant(p.pmf)
	if p.sae() {
		props["sae_password"] = dbus.MakeVariant(cred.Passphrase.Bytes())
	}
	if p.psk() {
		props["psk"] = dbus.MakeVariant(psk)
	}
	return props
}

func joinInts(numbers []int) string {
	text := make([]string, len(numbers))
	for i, n := range numbers {
		text[i] = strconv.Itoa(n)
	}
	return strings.Join(text, " ")
}
