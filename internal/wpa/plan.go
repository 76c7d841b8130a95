package wpa

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Key management (AKM) as in a network's key_mgmt (hostap, wpa_supplicant.conf); a BSS
// has the same names in lower case.
const (
	akmNone      = "NONE"
	akmPSK       = "WPA-PSK"
	akmPSKSHA256 = "WPA-PSK-SHA256"
	akmSAE       = "SAE"
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

// plan is how a network is going to be joined.
type plan struct {
	akms   []string // key_mgmt
	proto  string   // RSN (WPA2, WPA3), or WPA where there is nothing better
	pmf    int32    // ieee80211w: 0 off, 1 if the access point can, 2 required
	scan   []int    // scan_freq, MHz
	hidden bool     // scan_ssid: probe requests name it, which everybody in range can read
}

// protected reports whether the network has a password.
func (p plan) protected() bool { return !slices.Contains(p.akms, akmNone) }

// sae reports whether WPA3 may be used.
func (p plan) sae() bool { return slices.Contains(p.akms, akmSAE) }

// choose decides how to join one of the access points found, given what the user asked
// for, what they offer, and what the radio can do. It returns the plan and the access
// points that it fits. Only what they offer goes into the plan: wpa_supplicant would
// otherwise wait in vain for an access point that fits, and never say so.
func choose(cred wifi.Credentials, found []bss, dev *device, hidden bool) (plan, []bss, error) {
	akms, security := wanted[cred.Security], cred.Security
	if security == wifi.AutoDetect && cred.Passphrase.Len() == 0 {
		akms, security = wanted[wifi.Open], wifi.Open
	}
	akms, lacking := possible(akms, cred, dev)
	p := plan{proto: "RSN", hidden: hidden}
	var fitting []bss
	for _, b := range found {
		if offered := offers(b, akms, b.rsn); len(offered) > 0 {
			fitting = append(fitting, b)
			p.akms = append(p.akms, offered...)
		}
	}
	if len(fitting) == 0 && security == wifi.AutoDetect {
		p.proto = "WPA" // WPA2's predecessor has no security type of its own
		for _, b := range found {
			if offered := offers(b, akms, b.wpa); len(offered) > 0 {
				fitting = append(fitting, b)
				p.akms = append(p.akms, offered...)
			}
		}
	}
	if len(fitting) == 0 {
		return plan{}, nil, notOffered(cred, found, lacking)
	}
	// Transition: an access point may be switched to WPA3 alone, or back, and the
	// connection must survive that. wpa_supplicant prefers SAE where both are offered.
	if security == wifi.WPAAutoPersonal {
		p.akms = slices.Clone(akms)
	}
	slices.Sort(p.akms)
	p.akms = slices.Compact(p.akms)
	p.pmf = protection(p, security, dev)
	for _, b := range fitting {
		p.scan = append(p.scan, b.frequency)
	}
	slices.Sort(p.scan)
	p.scan = slices.Compact(p.scan)
	return p, fitting, nil
}

// offers returns which of akms b offers; offered is its RSN or its WPA element.
func offers(b bss, akms, offered []string) []string {
	var both []string
	for _, akm := range akms {
		if akm == akmNone && b.open() || slices.Contains(offered, strings.ToLower(akm)) {
			both = append(both, akm)
		}
	}
	return both
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
	case slices.Contains(cred.Passphrase.Bytes(), 0):
		lacking = "a password with a zero byte cannot be used with WPA3" // sae_password is a C string
	default:
		return akms, ""
	}
	return slices.DeleteFunc(slices.Clone(akms), func(akm string) bool { return akm == akmSAE }), lacking
}

// notOffered says why none of the access points found can be joined. An empty password
// on a protected network counts as a wrong one: that failure makes a phone ask for the
// password.
func notOffered(cred wifi.Credentials, found []bss, lacking string) error {
	offer := describe(found)
	if cred.Security == wifi.AutoDetect && cred.Passphrase.Len() == 0 && slices.ContainsFunc(found, func(b bss) bool { return b.offer().Joinable }) {
		return &wifi.Error{Failure: wifi.FailureWrongPassword,
			Detail: fmt.Sprintf("the network needs a password and none was given; the access point offers %s", offer)}
	}
	detail := fmt.Sprintf("asked for security %s, the access point offers %s", cred.Security, offer)
	if cred.Security == wifi.AutoDetect && !slices.ContainsFunc(found, func(b bss) bool { return !b.open() }) {
		detail = "a password was given, but the network is open; to join it anyway, give none"
	}
	if lacking != "" && slices.ContainsFunc(found, func(b bss) bool { return slices.Contains(b.rsn, "sae") }) {
		detail += "; " + lacking
	}
	return &wifi.Error{Failure: wifi.FailureSecurityNotOffered, Detail: detail}
}

// protection returns ieee80211w. WPA3 requires protected management frames, PMF (WPA3
// specification, 2.3); WPA2 uses them if both sides can.
func protection(p plan, security wifi.Security, dev *device) int32 {
	switch {
	case !p.protected() || p.proto == "WPA":
		return 0
	case slices.Equal(p.akms, []string{akmSAE}):
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
// The second value is a secret, which the caller wipes once the network is added.
func (p plan) properties(cred wifi.Credentials) (map[string]dbus.Variant, []byte, error) {
	props := map[string]dbus.Variant{
		"ssid":      dbus.MakeVariant([]byte(cred.SSID)),
		"key_mgmt":  dbus.MakeVariant(strings.Join(p.akms, " ")),
		"scan_freq": dbus.MakeVariant(joinInts(p.scan)),
	}
	if p.hidden {
		props["scan_ssid"] = dbus.MakeVariant(int32(1))
	}
	if !p.protected() {
		return props, nil, nil
	}
	props["proto"] = dbus.MakeVariant(p.proto)
	props["ieee80211w"] = dbus.MakeVariant(p.pmf)
	if p.sae() {
		props["sae_password"] = dbus.MakeVariant(cred.Passphrase.Bytes())
	}
	if slices.Equal(p.akms, []string{akmSAE}) {
		return props, nil, nil
	}
	psk, err := derivePSK(cred)
	if err != nil {
		return nil, nil, err
	}
	props["psk"] = dbus.MakeVariant(psk)
	return props, psk, nil
}

// derivePSK returns the 256-bit PSK of a passphrase (IEEE 802.11-2020, J.4.1), or the
// raw one that was given. It takes 0.12 s at 500 MIPS: 4096 rounds twice.
func derivePSK(cred wifi.Credentials) ([]byte, error) {
	if psk, ok := cred.Passphrase.RawPSK(); ok {
		return psk, nil
	}
	secret := cred.Passphrase.Bytes()
	// A view of the secret: a string of its own could not be wiped.
	password := unsafe.String(unsafe.SliceData(secret), len(secret))
	psk, err := pbkdf2.Key(sha1.New, password, []byte(cred.SSID), 4096, 32)
	if err != nil {
		return nil, fmt.Errorf("derive the PSK: %w", err)
	}
	return psk, nil
}

func joinInts(numbers []int) string {
	text := make([]string, len(numbers))
	for i, n := range numbers {
		text[i] = strconv.Itoa(n)
	}
	return strings.Join(text, " ")
}
