package details

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// FuzzJSON: whatever bytes an SSID or a name has, the JSON is valid, short enough,
// has the SSID exactly, and nothing in it that a terminal acts on.
func FuzzJSON(f *testing.F) {
	f.Add("home", "02:00:00:00:01:00", "WPA2-PSK", "gateway", "board", "serial")
	f.Add(strings.Repeat("\x01", 32), "\x1b", strings.Repeat("\"", 99), strings.Repeat("\\", 99), strings.Repeat("<", 99), "\u202e\u009b")
	f.Add("\xff\xfe\"'\\", "", "", "", strings.Repeat("世", 99), strings.Repeat("🦊", 99))
	f.Add("🦊\u0085\U000e0001", "", "", "\xf0\x9f", "\x00", "")
	f.Fuzz(func(t *testing.T, ssid, bssid, keyMgmt, name, model, serial string) {
		ssid = ssid[:min(len(ssid), wifi.MaxSSIDLen)]
		n := Network{Network: wifi.Network{SSID: wifi.SSID(ssid), BSSID: bssid, FrequencyMHz: 65535, SignalDBm: -128, KeyMgmt: keyMgmt},
			IPv4: netip.MustParseAddr("255.255.255.255"), IPv6: netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
			Gateway: netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")}
		d := Device{Name: name, Model: model, Serial: serial, Version: serial, Security: "authenticated"}
		for _, value := range [][]byte{n.encode(), d.encode()} {
			if !json.Valid(value) || len(value) > MaxValue {
				t.Errorf("%d bytes: %s", len(value), value)
			}
			if i := strings.IndexFunc(string(value), func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
				t.Errorf("%q at %d", value, i)
			}
		}
		var read struct {
			SSID string `json:"ssid"`
			Hex  string `json:"ssid_hex"`
		}
		if err := json.Unmarshal(n.encode(), &read); err != nil {
			t.Fatal(err)
		}
		if utf8.ValidString(ssid) && (read.SSID != ssid || read.Hex != "") || !utf8.ValidString(ssid) && (read.SSID != "" || read.Hex != fmt.Sprintf("%x", ssid)) {
			t.Errorf("%q became %q and %s", ssid, read.SSID, read.Hex)
		}
	})
}

// FuzzScan: whatever is written, in whatever order, each answer is one of the
// contract's and each page is whole records.
func FuzzScan(f *testing.F) {
	f.Add([]byte{1}, []byte{0}, "home", -40)
	f.Add([]byte{}, []byte{1, 2}, "\x00\xff\"\x1b[2J", 300)
	f.Add([]byte{2}, []byte{255}, strings.Repeat("x", 40), -300)
	f.Fuzz(func(t *testing.T, scan, page []byte, ssid string, signal int) {
		r := newRig(t)
		err := r.write("A", ScanUUID, scan...)
		if (err == nil) != bytes.Equal(scan, []byte{1}) || (r.scans == 1) != (err == nil) {
			t.Errorf("write % x: %v, %d scans", scan, err, r.scans)
		}
		var found []wifi.Offer
		for i := range 20 {
			found = append(found, wifi.Offer{SSID: wifi.SSID(ssid), SignalDBm: signal + i})
		}
		r.Scanned(found, nil)
		if err := r.write("A", ScanPageUUID, page...); (err == nil) != (len(page) == 1) {
			t.Errorf("page % x: %v", page, err)
		}
		for rest := r.read("A", ScanPageUUID); len(rest) > 0; {
			if len(rest) < 4 || rest[3] == 0 || int(rest[3]) > wifi.MaxSSIDLen || string(rest[4:4+rest[3]]) != ssid {
				t.Fatalf("record % x", rest)
			}
			rest = rest[4+rest[3]:]
		}
	})
}
