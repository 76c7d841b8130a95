package native

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"unicode"
	"unicode/utf8"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// The targets that use fuzz write what an attacker may write, then let a phone provision.

func fuzz(f *testing.F, uuid string, check func(t *testing.T, value []byte, err error, c *client)) {
	f.Fuzz(func(t *testing.T, value []byte) {
		c := newClient(t)
		err := c.write(phone, uuid, string(value))
		check(t, value, err, c)
		c.control.asked = nil
		c.ok(phone2, SSIDUUID, "home", PasswordUUID, secret, ControlUUID, connect)
		c.asked(`connect ` + phone2 + ` "home" auto "` + secret + `"`)
		c.profile.Gone(phone)
	})
}

func FuzzSSID(f *testing.F) {
	fuzz(f, SSIDUUID, func(t *testing.T, value []byte, err error, c *client) {
		if accepted := err == nil; accepted != (len(value) >= 1 && len(value) <= 32) {
			t.Errorf("%d bytes: %v", len(value), err)
		}
		if err == nil && string(c.staged(phone).SSID) != string(value) {
			t.Error("another SSID is staged")
		}
	})
}

func FuzzPassword(f *testing.F) {
	fuzz(f, PasswordUUID, func(t *testing.T, value []byte, err error, c *client) {
		if accepted := err == nil; accepted != (len(value) <= 64) {
			t.Errorf("%d bytes: %v", len(value), err)
		}
		if err == nil && string(c.held(phone)) != string(value) {
			t.Error("another password is staged")
		}
	})
}

func FuzzSecurity(f *testing.F) {
	fuzz(f, SecurityUUID, func(t *testing.T, value []byte, err error, c *client) {
		if accepted := err == nil; accepted != (len(value) == 1 && wifi.Security(value[0]).Valid()) {
			t.Errorf("%x: %v", value, err)
		}
	})
}

func FuzzControl(f *testing.F) {
	fuzz(f, ControlUUID, func(t *testing.T, value []byte, err error, c *client) {
		want := len(value) == 1 && (value[0] == ControlConnect || value[0] == ControlErase)
		if accepted := err == nil; accepted != want || accepted != (len(c.control.asked) == 1) {
			t.Errorf("%x: %v; asked for %q", value, err, c.control.asked)
		}
	})
}

// FuzzJSON: whatever bytes an SSID or a name has, the JSON is valid, short enough,
// has the SSID exactly, and nothing in it that a terminal acts on.
func FuzzJSON(f *testing.F) {
	f.Add("home", "02:00:00:00:01:00", "WPA2-PSK", "gateway", "board", "serial")
	f.Add(strings.Repeat("\x01", 32), "\x1b", strings.Repeat("\"", 99), strings.Repeat("\\", 99), strings.Repeat("<", 99), "\u202e\u009b")
	f.Add("\xff\xfe\"'\\", "", "", "", strings.Repeat("世", 99), strings.Repeat("🦊", 99))
	f.Add("🦊\u0085\U000e0001", "", "", "\xf0\x9f", "\x00", "")
	f.Fuzz(func(t *testing.T, ssid, bssid, akm, name, model, serial string) {
		ssid = ssid[:min(len(ssid), wifi.MaxSSIDLen)]
		all := netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
		network := encodeNetwork(&gateway.Snapshot{
			Network: &wifi.Network{
				SSID: wifi.SSID(ssid), BSSID: bssid, FrequencyMHz: 65535, SignalDBm: -128, AKM: wifi.AKM(akm),
			},
			Addresses: wifi.Addresses{IPv4: netip.MustParseAddr("255.255.255.255"), IPv6: all, Gateway: all},
		})
		d := Device{Name: name, Model: model, Serial: serial, Version: serial, Security: "authenticated"}
		for _, value := range [][]byte{network, d.encode()} {
			if !json.Valid(value) || len(value) > gatt.MaxValue {
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
		if err := json.Unmarshal(network, &read); err != nil {
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
		synctest.Test(t, func(t *testing.T) { fuzzScan(t, scan, page, ssid, signal) })
	})
}

func fuzzScan(t *testing.T, scan, page []byte, ssid string, signal int) {
	c := newClient(t)
	err := c.write(phone, ScanUUID, string(scan))
	if (err == nil) != bytes.Equal(scan, []byte{ScanStart}) {
		t.Errorf("write % x: %v", scan, err)
	}
	if err == nil {
		c.scans(1)
	} else {
		c.scans(0)
		c.ok(phone, ScanUUID, start)
	}
	var found []wifi.Offer
	for i := range 20 {
		found = append(found, wifi.Offer{SSID: wifi.SSID(ssid), SignalDBm: signal + i})
	}
	c.scanned(found, nil)
	if err := c.write(phone, ScanPageUUID, string(page)); (err == nil) != (len(page) == 1) {
		t.Errorf("page % x: %v", page, err)
	}
	for rest := c.read(phone, ScanPageUUID); len(rest) > 0; {
		if len(rest) < 4 || rest[3] == 0 || int(rest[3]) > wifi.MaxSSIDLen || string(rest[4:4+rest[3]]) != ssid {
			t.Fatalf("record % x", rest)
		}
		rest = rest[4+rest[3]:]
	}
}
