//go:build lab

package lab

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// record is one network on a scan page.
type record struct {
	signal          int8
	security, flags byte
	ssid            string
}

// String shows the name with everything escaped.
func (r record) String() string {
	return fmt.Sprintf("%q %d dBm %d %d", r.ssid, r.signal, r.security, r.flags)
}

// scan makes the gateway scan until it hears networks of these names, and returns all that it heard.
func (r *rawATT) scan(names ...string) (found []record) {
	r.t.Helper()
	waitFor(r.t, fmt.Sprintf("a scan with %q", names), patience, func() error {
		for len(r.notified) > 0 {
			<-r.notified // of the scan before
		}
		if err := r.write(central.ScanUUID, 1); err != nil && !errors.Is(err, attBusy) {
			return err
		}
		count := r.scanned()
		if found = r.records(); len(found) != count {
			r.t.Fatalf("%d networks were announced, and are %v", count, found)
		}
		for _, name := range names {
			if !slices.ContainsFunc(found, func(f record) bool { return f.ssid == name }) {
				return fmt.Errorf("heard %v", found)
			}
		}
		return nil
	})
	return found
}

// scanned waits for the end of a scan.
func (r *rawATT) scanned() int {
	r.t.Helper()
	for {
		select {
		case n := <-r.notified:
			if len(n) != 4 || binary.LittleEndian.Uint16(n) != r.handle(central.ScanUUID) || n[2] == 3 {
				r.t.Fatalf("notified % x, want the end of a scan", n)
			}
			if n[2] == 2 {
				return int(n[3])
			}
		case <-time.After(patience):
			r.t.Fatal("the scan does not end")
		}
	}
}

// records reads the pages, up to the empty one.
func (r *rawATT) records() (all []record) {
	r.t.Helper()
	for page := byte(0); ; page++ {
		is(r.t, "choose a page", r.write(central.ScanPageUUID, page), nil)
		value := r.readLong(central.ScanPageUUID)
		if len(value) == 0 {
			return all
		}
		for len(value) > 0 {
			end := 4 + int(value[3])
			all = append(all, record{int8(value[0]), value[1], value[2], string(value[4:end])})
			value = value[end:]
		}
	}
}

// TestScanAround lists the networks that the gateway hears, with the smallest MTU, and joins one
// whose name is made to break JSON and terminals.
func TestScanAround(t *testing.T) {
	const twins, hostile = "tw\x1b[31m\"in\\\n", "\x1b[2J\"\\{}\n\x00\xff"
	g := start(t, situation{aps: []AP{
		{SSID: twins, Security: wifi.WPAAutoPersonal, Passphrase: "a passphrase of both", Channel: 1},
		{SSID: twins, Security: wifi.WPAAutoPersonal, Passphrase: "a passphrase of both", Channel: 6},
		{SSID: hostile, Security: wifi.Open, Channel: 11},
	}})
	t.Cleanup(func() { radio(1).power(t, "auto"); radio(3).power(t, "auto") })
	radio(1).power(t, "fixed 300")  // the weaker of the two
	radio(3).power(t, "fixed 1000") // weaker than the stronger one

	g.event("wifi-usable")
	r := dialATT(t, phoneHCI, encrypted)
	r.busyWhileItScans()
	is(t, "subscribe to Scan", r.subscribe(central.ScanUUID), nil)
	r.listsBoth(twins, hostile)

	is(t, "write the SSID", r.write(central.SSIDUUID, []byte(hostile)...), nil)
	is(t, "CONNECT", r.write(central.ControlUUID, byte(central.ControlConnect)), nil)
	g.becomes(central.StatusConnected)
	waitFor(t, "online", patience, func() error { return g.online(3) })
	var n network
	if value := r.readLong(central.NetworkUUID); json.Unmarshal(value, &n) != nil || n.SSIDHex != fmt.Sprintf("%x", hostile) || n.SSID != "" {
		t.Errorf("Network is %q", value)
	}
	is(t, "write the SSID", r.writeLong(central.SSIDUUID, 0, []byte(twins)), nil)
	is(t, "write the password", r.writeLong(central.PasswordUUID, 0, []byte("a passphrase of both")), nil)
	is(t, "CONNECT", r.write(central.ControlUUID, byte(central.ControlConnect)), nil)
	g.becomes(central.StatusConnected)
	if value := r.readLong(central.NetworkUUID); json.Unmarshal(value, &n) != nil || n.SSID != twins {
		t.Errorf("Network is %q", value)
	}
	if found := r.scan(twins); !slices.ContainsFunc(found, func(f record) bool { return f.ssid == twins && f.flags&1 != 0 }) {
		t.Errorf("the joined network is not marked: %v", found)
	}
	if r.mtu != defaultMTU {
		t.Errorf("the MTU was %d, want %d", r.mtu, defaultMTU)
	}
}

// power sets how strongly an access point sends.
func (r radio) power(t testing.TB, mBm string) {
	t.Helper()
	run(t, "ip", append(strings.Fields("netns exec ap iw dev "+r.iface()+" set txpower"), strings.Fields(mBm)...)...)
}

// busyWhileItScans asks for scans until one is refused because another one runs, which may take
// some tenths of a second only.
func (r *rawATT) busyWhileItScans() {
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		err := r.write(central.ScanUUID, 1)
		if errors.Is(err, attBusy) {
			return
		}
		if time.Since(begin) > patience {
			r.t.Fatalf("no scan was refused while one ran; the last was answered %v", err)
		}
	}
}

// listsBoth checks how a scan lists two access points of one name and a weaker open one, and that
// there is nothing past its last page.
func (r *rawATT) listsBoth(twins, open string) {
	found := r.scan(twins, open)
	r.t.Logf("found %v", found)
	// Access points of the previous test may still be in the scan results.
	found = slices.DeleteFunc(found, func(f record) bool { return f.ssid != twins && f.ssid != open })
	if len(found) != 2 || found[0].ssid != twins || found[1].ssid != open || found[0].signal <= found[1].signal {
		r.t.Errorf("want each name once, the strongest first")
	}
	if found[0].security != byte(wifi.WPAAutoPersonal) || found[0].flags != 2 || found[1].security != byte(wifi.Open) || found[1].flags != 0 {
		r.t.Errorf("want WPA2/WPA3 of two access points, and an open network")
	}
	is(r.t, "write a page", r.write(central.ScanPageUUID, 7), nil)
	if past := r.readLong(central.ScanPageUUID); len(past) > 0 {
		r.t.Errorf("a page past the end is % x", past)
	}
}

// TestPhoneBeforeWifi: the phone connects before Wi-Fi can be used. The scan ahead that a phone
// causes runs as soon as Wi-Fi can be used, so that CONNECT need not scan.
func TestPhoneBeforeWifi(t *testing.T) {
	withoutManager(t) // it sets the interface up again
	g := start(t, situation{config: map[string]string{"bluetooth.security": "none"}})
	g.event("wifi-usable")
	t.Cleanup(func() { run(t, "ip", "link", "set", wlan, "up") })
	run(t, "ip", "link", "set", wlan, "down")
	g.event("wifi-unusable")
	dialATT(t, phoneHCI, notEncrypted)
	g.event("central-connected")
	run(t, "ip", "link", "set", wlan, "up")
	g.event("wifi-usable")
	g.event("scanned")
}
