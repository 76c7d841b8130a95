package native

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/profile"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const start = string(rune(ScanStart))

// told of a scan.
func scan(state, count byte) notification { return notification{ScanUUID, []byte{state, count}} }

func TestScan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		if err := c.write(phone, ScanUUID, ""); !errors.Is(err, gatt.ErrInvalidLength) {
			t.Errorf("nothing written: %v", err)
		}
		if err := c.write(phone, ScanUUID, "\x02"); !errors.Is(err, ErrUnknownScan) {
			t.Errorf("2 written: %v", err)
		}
		c.change(home)
		c.told(notification{NetworkUUID, []byte{byte(len(encodeNetwork(c.now))), 0}})
		c.ok(phone, ScanUUID, start)
		c.scans(1)
		if err := c.write(phone2, ScanUUID, start); !errors.Is(err, gatt.ErrInProgress) {
			t.Errorf("while one runs: %v", err)
		}
		c.scans(1)
		c.scanned([]wifi.Offer{
			{SSID: "b", SignalDBm: -80, Security: wifi.Open, Joinable: true},
			{SSID: homeSSID, SignalDBm: -200, Security: wifi.WPA2PSK, Joinable: true, Several: true},
			{SSID: "a", SignalDBm: -30, Security: wifi.AutoDetect},
			{SSID: ""}, {SSID: wifi.SSID(strings.Repeat("x", 33))},
		}, nil)
		c.told(scan(ScanRunning, 0), scan(ScanDone, 3))
		if !strings.Contains(c.log.String(), "level=INFO") || !strings.Contains(c.log.String(), "5 networks") ||
			!strings.Contains(c.log.String(), "event=scanned") {
			t.Errorf("logged %s", c.log.String())
		}

		c.ok(phone, ScanUUID, start) // a moment later
		c.scans(1)
		c.told(scan(ScanDone, 3))
		if got := c.read(phone, ScanPageUUID); len(got) != 0 {
			t.Errorf("no page was chosen, and it is % x", got)
		}
		c.ok(phone, ScanPageUUID, "\x00")
		want := "\xe2\xfe\x00\x01a" + "\xb0\x00\x00\x01b" + "\x80\x01\x03\x08" + homeSSID
		if got := c.read(phone, ScanPageUUID); string(got) != want {
			t.Errorf("page 0 is % x, want % x", got, want)
		}
		if err := c.write(phone, ScanPageUUID, "\x00\x00"); !errors.Is(err, gatt.ErrInvalidLength) {
			t.Errorf("2 bytes as a page: %v", err)
		}

		sleep(profile.ScanPause - 1)
		c.ok(phone, ScanUUID, start)
		c.scans(1)
		sleep(1)
		c.ok(phone, ScanUUID, start)
		c.scans(2)
		c.scanned(nil, nil)
		c.told(scan(ScanDone, 3), scan(ScanRunning, 0), scan(ScanDone, 0))
	})
}

// A scan that failed can be repeated sooner, and leaves what the one before found.
func TestScanFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		c.ok(phone, ScanUUID, start)
		c.scanned([]wifi.Offer{{SSID: "a", SignalDBm: -30, Joinable: true}}, nil)
		c.told(scan(ScanRunning, 0), scan(ScanDone, 1))
		sleep(profile.ScanPause)
		for scans := range 2 {
			c.ok(phone, ScanUUID, start)
			c.scans(scans + 2)
			c.scanned(nil, errors.New("no radio"))
			c.ok(phone, ScanUUID, start) // a moment later
			c.scans(scans + 2)
			c.told(scan(ScanRunning, 0), scan(ScanFailed, 0), scan(ScanFailed, 0))
			sleep(profile.FailedPause)
		}
		c.ok(phone, ScanPageUUID, "\x00")
		if got := c.read(phone, ScanPageUUID); string(got) != "\xe2\x00\x00\x01a" {
			t.Errorf("page 0 is % x", got)
		}
		if log := c.log.String(); !strings.Contains(log, `msg="Wi-Fi scan requested by a phone failed" err="no radio"`) {
			t.Errorf("logged %s", log)
		}
	})
}

// A scan that nobody ends does not keep phones from starting another one.
func TestScanHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		c.ok(phone, ScanUUID, start)
		sleep(profile.ScanTimeout - 1)
		c.told(scan(ScanRunning, 0))
		sleep(1)
		c.told(scan(ScanFailed, 0))
		sleep(profile.FailedPause)
		c.ok(phone, ScanUUID, start)
		c.scans(2)
		c.scanned(nil, nil)
	})
}

// The phone that asked may be gone before the scan ends: others are told of its end.
func TestScanOutlivesItsCentral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		c.ok(phone, ScanUUID, start)
		c.profile.Gone(phone)
		c.scanned([]wifi.Offer{{SSID: "a"}}, nil)
		c.told(scan(ScanRunning, 0), scan(ScanDone, 1))
	})
}

// The pages that a central reads are of one scan, until it begins anew.
func TestPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		offers := func(n int, letter string) (found []wifi.Offer) {
			for i := range n {
				found = append(found, wifi.Offer{SSID: wifi.SSID(fmt.Sprintf("%s%031d", letter, i)), SignalDBm: -i, Joinable: true})
			}
			return found
		}
		c.ok(phone, ScanUUID, start)
		c.scanned(offers(100, "a"), nil)
		c.told(scan(ScanRunning, 0), scan(ScanDone, profile.MaxNetworks))
		page := func(central gatt.Central, n byte) []byte {
			t.Helper()
			c.ok(central, ScanPageUUID, string([]byte{n}))
			return c.read(central, ScanPageUUID)
		}
		all := page(phone, 0)
		sleep(profile.ScanPause)
		c.ok(phone2, ScanUUID, start)
		c.scanned(offers(1, "b"), nil)
		for n := byte(1); ; n++ {
			more := page(phone, n)
			if len(more) == 0 {
				break
			}
			all = append(all, more...)
		}
		if len(all) != profile.MaxNetworks*36 || bytes.ContainsRune(all, 'b') {
			t.Errorf("%d bytes of records", len(all))
		}
		for i := range profile.MaxNetworks {
			if r := all[36*i:]; int8(r[0]) != int8(-i) || r[3] != 32 {
				t.Errorf("record %d is % x", i, r[:36])
			}
		}
		for n, size := range map[byte]int{0: 36, 1: 0, 255: 0} {
			if got := page(phone2, n); len(got) != size {
				t.Errorf("page %d of the new scan has %d bytes", n, len(got))
			}
		}
	})
}
