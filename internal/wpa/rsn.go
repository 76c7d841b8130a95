package wpa

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// element is what a BSS says about its security, in an RSN element (WPA2, WPA3: IEEE
// 802.11-2020, 9.4.2.24) or in the vendor's element of WPA that came before. The names
// are those of a network's group, pairwise and key_mgmt (hostap, wpa_supplicant.conf).
// wpa_supplicant's own RSN and WPA properties leave out what it has no name for there:
// 2.10 does not list FT-SAE.
type element struct {
	group    string
	pairwise []string
	akms     []string
}

// IDs of elements (table 9-92), and what the WPA element begins with.
const (
	idRSN    = 48
	idVendor = 221
)

var (
	ouiRSN = []byte{0x00, 0x0f, 0xac}
	ouiWPA = []byte{0x00, 0x50, 0xf2}
)

// cipherNames are the cipher suites by type (table 9-149).
var cipherNames = map[byte]string{
	1: "WEP40", 2: "TKIP", 4: "CCMP", 5: "WEP104", 8: "GCMP", 9: "GCMP-256", 10: "CCMP-256",
}

// akmNames are the AKM suites by type (table 9-151).
var akmNames = map[byte]string{
	1: "WPA-EAP", 2: akmPSK, 3: "FT-EAP", 4: akmFTPSK, 5: "WPA-EAP-SHA256", 6: akmPSKSHA256,
	8: akmSAE, 9: akmFTSAE, 11: "WPA-EAP-SUITE-B", 12: "WPA-EAP-SUITE-B-192", 18: "OWE", 24: "SAE-EXT-KEY", 25: "FT-SAE-EXT-KEY",
}

// elements returns the RSN and the WPA element among a BSS's elements; empty: there is
// none. Anybody in range can send anything: what does not parse is not there.
func elements(ies []byte) (rsn, wpa element) {
	for len(ies) >= 2 {
		id, length := ies[0], int(ies[1])
		if len(ies) < 2+length {
			break
		}
		body := ies[2 : 2+length]
		ies = ies[2+length:]
		switch {
		case id == idRSN:
			rsn = parseElement(body, ouiRSN, element{"CCMP", []string{"CCMP"}, []string{akmNames[1]}})
		case id == idVendor && bytes.HasPrefix(body, append(ouiWPA, 1)):
			wpa = parseElement(body[4:], ouiWPA, element{"TKIP", []string{"TKIP"}, []string{akmNames[1]}})
		}
	}
	return rsn, wpa
}

// parseElement parses an element's body from its version on. A body may end after any
// field; defaults has what the rest then is.
func parseElement(body, oui []byte, defaults element) element {
	if len(body) < 2 || body[0] != 1 || body[1] != 0 {
		return element{} // another version
	}
	body = body[2:]
	e := defaults
	if len(body) < 4 {
		return e
	}
	e.group = suite(body[:4], oui, cipherNames)
	body = body[4:]
	var ok bool
	if e.pairwise, body, ok = suites(body, oui, cipherNames); !ok {
		e.pairwise = defaults.pairwise
		return e
	}
	if e.akms, _, ok = suites(body, oui, akmNames); !ok {
		e.akms = defaults.akms
	}
	return e
}

// suites reads a counted list of suites, and returns what follows it.
func suites(body, oui []byte, names map[byte]string) (list []string, rest []byte, ok bool) {
	if len(body) < 2 {
		return nil, nil, false
	}
	n := int(body[0]) | int(body[1])<<8
	body = body[2:]
	if n == 0 || len(body) < 4*n {
		return nil, nil, false
	}
	for s := range slices.Chunk(body[:4*n], 4) {
		list = append(list, suite(s, oui, names))
	}
	return list, body[4*n:], true
}

func suite(s, oui []byte, names map[byte]string) string {
	if name, ok := names[s[3]]; ok && bytes.Equal(s[:3], oui) {
		return name
	}
	return fmt.Sprintf("%02x-%02x-%02x-%d", s[0], s[1], s[2], s[3])
}

// offers reports whether there is such an element.
func (e element) offers() bool { return len(e.akms) > 0 }

// usable returns the pairwise and group ciphers that the radio has, too; none if it lacks
// what it takes.
func (e element) usable(radio ciphers) ciphers {
	pairwise := intersection(e.pairwise, radio.pairwise)
	if len(pairwise) == 0 || !slices.Contains(radio.group, e.group) {
		return ciphers{}
	}
	return ciphers{pairwise: pairwise, group: []string{e.group}}
}

// text says what the element offers, for a person: WPA2/WPA-PSK, or with ciphers that not
// every radio has WPA2/WPA-PSK (GCMP).
func (e element) text(generation string) []string {
	var offers []string
	for _, akm := range e.akms {
		offer := generation + "/" + akm
		if !slices.Contains(e.pairwise, "CCMP") {
			offer += " (" + strings.Join(e.pairwise, " ") + ")"
		}
		offers = append(offers, offer)
	}
	return offers
}

// ciphers are those that a radio has or a network may use.
type ciphers struct{ pairwise, group []string }

// add adds ciphers to use.
func (c *ciphers) add(more ciphers) {
	c.pairwise = union(c.pairwise, more.pairwise)
	c.group = union(c.group, more.group)
}

// intersection returns what is in a and in b.
func intersection(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return !slices.Contains(b, s) })
}

// union returns what is in a or b, each once.
func union(a, b []string) []string {
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}
