package central

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"reflect"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

func TestParseRecords(t *testing.T) {
	got, err := parseRecords([]byte("\xe2\xfe\x00\x01a\xb0\x00\x01\x02\x1b\xff\xa0\x77\x02\x01c"))
	want := []Heard{
		{Offer: wifi.Offer{SSID: "a", SignalDBm: -30, Security: wifi.AutoDetect}},
		{Offer: wifi.Offer{SSID: "\x1b\xff", SignalDBm: -80, Security: wifi.Open, Joinable: true}, Joined: true},
		{Offer: wifi.Offer{SSID: "c", SignalDBm: -96, Security: wifi.AutoDetect, Joinable: true, Several: true}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestParseNetwork(t *testing.T) {
	for value, want := range map[string]Network{
		"{}": {},
		`{"ssid":"home\u001b","ipv4":"192.0.2.7","gateway":"192.0.2.1","more":[1]}`: {"home\x1b", netip.MustParseAddr("192.0.2.7"), netip.Addr{}, netip.MustParseAddr("192.0.2.1")},
		`{"ssid_hex":"ff00"}`: {SSID: "\xff\x00"},
	} {
		if got, err := parseNetwork([]byte(value)); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", value, got, err)
		}
	}
	for _, value := range []string{"", "{", `{"ipv4":"\u001b[2J"}`, `{"ipv4":"fe80::1%\u001b[2J"}`, `{"ssid_hex":"0"}`} {
		if got, err := parseNetwork([]byte(value)); err == nil {
			t.Errorf("%q: got %+v", value, got)
		}
	}
}

// FuzzGateway: whatever a gateway answers, a phone survives it, and an address does
// nothing to the terminal that it is shown on.
func FuzzGateway(f *testing.F) {
	f.Add([]byte("\xb0\x00\x01\x02ab"))
	f.Add([]byte("\xb0\x00\x01\x00"))
	f.Add([]byte(`{"ssid":"x","ipv4":"192.0.2.7"}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		size := 0
		records, err := parseRecords(bytes.Clone(value))
		for _, r := range records {
			size += 4 + len(r.SSID)
		}
		if err == nil && size != len(value) {
			t.Errorf("%d bytes of %d are records", size, len(value))
		}
		n, err := parseNetwork(value)
		if err == nil && !json.Valid(value) {
			t.Errorf("%q is taken", value)
		}
		for _, address := range []netip.Addr{n.IPv4, n.IPv6, n.Gateway} {
			dbustest.CheckText(t, "address", address.String())
		}
	})
}
