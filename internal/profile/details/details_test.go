package details

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/bluez/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// rig is the service with what it asked for and what it notified.
type rig struct {
	*Profile
	t         *testing.T
	scans     int
	refreshed int
	notified  map[string][][]byte
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, notified: map[string][][]byte{}}
	r.Profile = New(Config{
		Device:    Device{Name: "a \"gateway\"", Model: "board\x00\x1b", Version: "v1", Security: "encrypt"},
		StartScan: func() { r.scans++ },
		Refresh:   func() { r.refreshed++ },
	})
	for _, c := range r.Service().Characteristics {
		if c.Notify != nil {
			c.Notify.Bind(func(v []byte) { r.notified[c.UUID] = append(r.notified[c.UUID], v) })
		}
	}
	return r
}

func (r *rig) characteristic(uuid string) *gatt.Characteristic {
	for _, c := range r.Service().Characteristics {
		if c.UUID == uuid {
			return c
		}
	}
	r.t.Fatalf("no characteristic %s", uuid)
	return nil
}

func (r *rig) write(central, uuid string, value ...byte) error {
	return r.characteristic(uuid).Write(gatt.Request{Central: central}, value)
}

// read reads like a phone with an MTU of 23: in pieces of 22 bytes.
func (r *rig) read(central, uuid string) []byte {
	r.t.Helper()
	var whole []byte
	for {
		value, err := r.characteristic(uuid).Read(gatt.Request{Central: central, Offset: uint16(len(whole))})
		if err != nil || len(value) > MaxValue || len(value) < len(whole) {
			r.t.Fatalf("read %s at %d: %d bytes, %v", uuid, len(whole), len(value), err)
		}
		piece := value[len(whole):]
		if len(piece) < 22 {
			return append(whole, piece...)
		}
		whole = append(whole, piece[:22]...)
	}
}

func (r *rig) expect(uuid string, want ...[]byte) {
	r.t.Helper()
	if got := r.notified[uuid]; fmt.Sprint(got) != fmt.Sprint(want) {
		r.t.Errorf("%s notified %v, want %v", uuid, got, want)
	}
	r.notified[uuid] = nil
}

func TestReasonIsReadAndNotified(t *testing.T) {
	r := newRig(t)
	for _, f := range []wifi.Failure{wifi.FailureWrongPassword, wifi.FailureNone} {
		r.Publish(f)
		if got := r.read("A", ReasonUUID); !bytes.Equal(got, []byte{byte(f)}) {
			t.Errorf("read %v after %s", got, f)
		}
	}
	r.expect(ReasonUUID, []byte{1}, []byte{0})
}

var home = Network{
	Network: wifi.Network{SSID: "home\x1b[2J", BSSID: "02:00:00:00:01:00", FrequencyMHz: 2437, SignalDBm: -40, KeyMgmt: "WPA2-PSK"},
	IPv4:    netip.MustParseAddr("192.0.2.7"), Gateway: netip.MustParseAddr("192.0.2.1"),
}

func TestNetwork(t *testing.T) {
	r := newRig(t)
	if got := r.read("A", NetworkUUID); string(got) != "{}" || r.refreshed != 0 {
		t.Errorf("no network is %s, refreshed %d times", got, r.refreshed)
	}
	n := home
	n.Since = time.Now()
	r.PublishNetwork(&n)
	r.PublishNetwork(&n)
	got := r.read("A", NetworkUUID)
	want := `{"ssid":"home\u001b[2J","bssid":"02:00:00:00:01:00","frequency_mhz":2437,` +
		`"signal_dbm":-40,"security":"WPA2-PSK","ipv4":"192.0.2.7","gateway":"192.0.2.1","since":"` + n.Since.UTC().Format(time.RFC3339) + `"}`
	if string(got) != want || r.refreshed != 1 {
		t.Errorf("got  %s\nwant %s\nrefreshed %d times", got, want, r.refreshed)
	}
	r.expect(NetworkUUID, []byte{byte(len(want)), byte(len(want) >> 8)})

	louder := n
	louder.SignalDBm = -77
	r.PublishNetwork(&louder)
	r.expect(NetworkUUID)
	if got := r.read("A", NetworkUUID); !strings.Contains(string(got), `"signal_dbm":-77`) {
		t.Errorf("the signal is not in %s", got)
	}
	r.PublishNetwork(nil)
	r.expect(NetworkUUID, []byte{2, 0})
}

// A long read gives one value, whatever happens meanwhile.
func TestLongReadIsOfOneValue(t *testing.T) {
	r := newRig(t)
	r.PublishNetwork(&home)
	c := r.characteristic(NetworkUUID)
	first, _ := c.Read(gatt.Request{Central: "A"})
	r.PublishNetwork(nil)
	if rest, _ := c.Read(gatt.Request{Central: "A", Offset: 22}); !bytes.Equal(rest, first) {
		t.Errorf("the rest is of %s", rest)
	}
	if other, _ := c.Read(gatt.Request{Central: "B"}); string(other) != "{}" {
		t.Errorf("another central reads %s", other)
	}
	r.CentralGone("A")
	if again, _ := c.Read(gatt.Request{Central: "A", Offset: 2}); string(again) != "{}" {
		t.Errorf("after the central has left it reads %s", again)
	}
}

func TestViewsAreBounded(t *testing.T) {
	r := newRig(t)
	for i := range 100 {
		r.read(fmt.Sprint(i), NetworkUUID)
	}
	if len(r.views) != maxViews || r.views["99"] == nil {
		t.Errorf("%d views", len(r.views))
	}
}

func TestDevice(t *testing.T) {
	r := newRig(t)
	want := `{"name":"a \"gateway\"","model":"board","version":"v1","protocols":{"details":1,"provisioning":1},"security":"encrypt"}`
	if got := r.read("A", DeviceUUID); string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestScan(t *testing.T) {
	r := newRig(t)
	if err := r.write("A", ScanUUID); !errors.Is(err, gatt.ErrInvalidLength) {
		t.Errorf("nothing written: %v", err)
	}
	if err := r.write("A", ScanUUID, 2); !errors.Is(err, ErrUnknownScan) {
		t.Errorf("2 written: %v", err)
	}
	r.PublishNetwork(&home)
	if err := r.write("A", ScanUUID, 1); err != nil || r.scans != 1 {
		t.Fatalf("%v, %d scans", err, r.scans)
	}
	if err := r.write("B", ScanUUID, 1); !errors.Is(err, gatt.ErrInProgress) || r.scans != 1 {
		t.Errorf("while one runs: %v, %d scans", err, r.scans)
	}
	r.Scanned([]wifi.Offer{
		{SSID: "b", SignalDBm: -80, Security: wifi.Open, Joinable: true},
		{SSID: home.SSID, SignalDBm: -200, Security: wifi.WPA2PSK, Joinable: true, Several: true},
		{SSID: "a", SignalDBm: -30, Security: wifi.AutoDetect},
		{SSID: ""}, {SSID: wifi.SSID(strings.Repeat("x", 33))},
	}, nil)
	r.expect(ScanUUID, []byte{ScanRunning, 0}, []byte{ScanDone, 3})

	if err := r.write("A", ScanUUID, 1); err != nil || r.scans != 1 {
		t.Errorf("a moment later: %v, %d scans", err, r.scans)
	}
	r.expect(ScanUUID, []byte{ScanDone, 3})
	if got := r.read("A", ScanPageUUID); len(got) != 0 {
		t.Errorf("no page was chosen, and it is % x", got)
	}
	if err := r.write("A", ScanPageUUID, 0); err != nil {
		t.Fatal(err)
	}
	want := "\xe2\xfe\x00\x01a" + "\xb0\x00\x00\x01b" + "\x80\x01\x03\x08" + string(home.SSID)
	if got := r.read("A", ScanPageUUID); string(got) != want {
		t.Errorf("page 0 is % x, want % x", got, want)
	}
	if err := r.write("A", ScanPageUUID, 0, 0); !errors.Is(err, gatt.ErrInvalidLength) {
		t.Errorf("2 bytes as a page: %v", err)
	}

	r.scan.ended = r.scan.ended.Add(-scanPause)
	if err := r.write("A", ScanUUID, 1); err != nil || r.scans != 2 {
		t.Errorf("after the pause: %v, %d scans", err, r.scans)
	}
}

// A scan that failed can be repeated sooner.
func TestScanFails(t *testing.T) {
	r := newRig(t)
	for scans := range 2 {
		if err := r.write("A", ScanUUID, 1); err != nil || r.scans != scans+1 {
			t.Fatalf("%v, %d scans, want %d", err, r.scans, scans+1)
		}
		r.Scanned(nil, errors.New("no radio"))
		if err := r.write("A", ScanUUID, 1); err != nil || r.scans != scans+1 {
			t.Errorf("a moment later: %v, %d scans", err, r.scans)
		}
		r.expect(ScanUUID, []byte{ScanRunning, 0}, []byte{ScanFailed, 0}, []byte{ScanFailed, 0})
		r.scan.ended = r.scan.ended.Add(-failedPause)
	}
}

// The pages that a central reads are of one scan, until it begins anew.
func TestPages(t *testing.T) {
	r := newRig(t)
	offers := func(n int, letter string) (found []wifi.Offer) {
		for i := range n {
			found = append(found, wifi.Offer{SSID: wifi.SSID(fmt.Sprintf("%s%031d", letter, i)), SignalDBm: -i, Joinable: true})
		}
		return found
	}
	r.Scanned(offers(100, "a"), nil)
	r.expect(ScanUUID, []byte{ScanDone, maxNetworks})
	page := func(central string, n byte) []byte {
		t.Helper()
		if err := r.write(central, ScanPageUUID, n); err != nil {
			t.Fatal(err)
		}
		return r.read(central, ScanPageUUID)
	}
	first := page("A", 0)
	r.Scanned(offers(1, "b"), nil)
	all := first
	for n := byte(1); ; n++ {
		more := page("A", n)
		if len(more) == 0 {
			break
		}
		all = append(all, more...)
	}
	if len(all) != maxNetworks*36 || bytes.ContainsRune(all, 'b') {
		t.Errorf("%d bytes of records", len(all))
	}
	for i := range maxNetworks {
		if r := all[36*i:]; int8(r[0]) != int8(-i) || r[3] != 32 {
			t.Errorf("record %d is % x", i, r[:36])
		}
	}
	for n, size := range map[byte]int{0: 36, 1: 0, 255: 0} {
		if got := page("B", n); len(got) != size {
			t.Errorf("page %d of the new scan has %d bytes", n, len(got))
		}
	}
}
