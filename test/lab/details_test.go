//go:build lab

package lab

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/daemon"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// network is the JSON of Network.
type network struct {
	SSID      string    `json:"ssid"`
	SSIDHex   string    `json:"ssid_hex"`
	BSSID     string    `json:"bssid"`
	Frequency int       `json:"frequency_mhz"`
	Signal    int       `json:"signal_dbm"`
	Security  string    `json:"security"`
	IPv4      string    `json:"ipv4"`
	Gateway   string    `json:"gateway"`
	Since     time.Time `json:"since"`
}

// bssid returns the address of an access point.
func (r radio) bssid(t testing.TB) string {
	t.Helper()
	out, err := r.hostapd("status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out) {
		if value, ok := strings.CutPrefix(line, "bssid[0]="); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("hostapd tells no address: %s", out)
	return ""
}

// TestNetworkAndDevice reads what a phone can know of the network that it gave the
// gateway, and of the gateway.
func TestNetworkAndDevice(t *testing.T) {
	home := AP{SSID: "a home", Security: wifi.WPA2PSK, Passphrase: "a passphrase at home", Channel: 6}
	begin := time.Now()
	start(t, situation{aps: []AP{home}, config: map[string]string{"bluetooth.name": "Boiler"}})
	p := ready(t, true)
	read := func(uuid string, into any) {
		t.Helper()
		value, err := p.session.Read(p.deadline(), uuid)
		if err == nil {
			err = json.Unmarshal(value, into)
		}
		if err != nil || len(value) > 512 {
			t.Fatalf("read %s: %q, %v", uuid, value, err)
		}
		t.Logf("%s", value)
	}
	var device struct {
		Name, Model, Version, Security string
		Protocols                      map[string]int
	}
	read(central.DeviceUUID, &device)
	model, _ := os.ReadFile("/sys/class/dmi/id/product_name") // arm64 has no phone
	if device.Name != "Boiler" || device.Version == "" || device.Security != "encrypt" || device.Protocols["provisioning"] != 1 ||
		device.Protocols["details"] != 1 || device.Model == "" || device.Model != strings.TrimSpace(string(model)) {
		t.Errorf("the device is %+v", device)
	}
	var none map[string]any
	if read(central.NetworkUUID, &none); len(none) > 0 {
		t.Errorf("without a network it has %v", none)
	}

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	notified, err := p.session.Watch(ctx, central.NetworkUUID)
	if err != nil {
		t.Fatal(err)
	}
	p.provision(home.SSID, home.Passphrase, wifi.AutoDetect)
	p.expect(central.StatusConnecting, central.StatusConnected)
	var length int
	for range 2 { // joined, and bound
		select {
		case value := <-notified:
			if len(value) != 2 {
				t.Fatalf("notified % x, want a length", value)
			}
			length = int(binary.LittleEndian.Uint16(value))
		case <-time.After(patience):
			t.Fatal("the network was not notified")
		}
	}
	var n network
	waitFor(t, "the network with an address", patience, func() error {
		if read(central.NetworkUUID, &n); n.IPv4 == "" || n.Gateway == "" {
			return errors.New("there is none")
		}
		return nil
	})
	if length < 100 || length > 512 {
		t.Errorf("the length of the value is %d", length)
	}
	address := leased(t)
	if len(address) != 1 || n.IPv4 != address[0].Addr().String() || n.Gateway != "192.0.2.1" {
		t.Errorf("address %s, gateway %s; the interface has %v", n.IPv4, n.Gateway, address)
	}
	if n.SSID != home.SSID || n.SSIDHex != "" || n.BSSID != radio(1).bssid(t) || n.Frequency != 2437 || n.Signal >= 0 || n.Security != "WPA2-PSK" {
		t.Errorf("the network is %+v", n)
	}
	if n.Since.Before(begin.Add(-time.Second)) || n.Since.After(time.Now().Add(time.Second)) {
		t.Errorf("joined at %s, and it is %s", n.Since, time.Now())
	}
}

// record is one network on a scan page.
type record struct {
	signal          int8
	security, flags byte
	ssid            string
}

// scan lets the gateway look around until it hears networks of these names, and
// returns what it heard.
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
			r.t.Fatalf("%d networks were announced, and are %+v", count, found)
		}
		for _, name := range names {
			if !slices.ContainsFunc(found, func(f record) bool { return f.ssid == name }) {
				return fmt.Errorf("heard %+v", found)
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

// records reads pages up to the empty one.
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

// TestScanAround lists the networks around with the smallest MTU, and joins one
// whose name is made to break JSON and terminals.
func TestScanAround(t *testing.T) {
	const twins, hostile = "tw\x1b[31m\"in\\\n", "\x1b[2J\"\\{}\n\x00\xff"
	g := start(t, situation{aps: []AP{
		{SSID: twins, Security: wifi.WPAAutoPersonal, Passphrase: "a passphrase of both", Channel: 1},
		{SSID: twins, Security: wifi.WPAAutoPersonal, Passphrase: "a passphrase of both", Channel: 6},
		{SSID: hostile, Security: wifi.Open, Channel: 11},
	}})
	power := func(r radio, mBm string) {
		run(t, "ip", append(strings.Fields("netns exec ap iw dev "+r.iface()+" set txpower"), strings.Fields(mBm)...)...)
	}
	t.Cleanup(func() { power(1, "auto"); power(3, "auto") })
	power(1, "fixed 300")  // the weaker of the two
	power(3, "fixed 1000") // weaker than the stronger one

	r := dialATT(t, phoneHCI, encrypted)
	waitFor(t, "a scan while one runs", patience, func() error {
		err := r.write(central.ScanUUID, 1)
		if errors.Is(err, attBusy) {
			return nil
		}
		return fmt.Errorf("answered %v", err)
	})
	is(t, "subscribe to Scan", r.subscribe(central.ScanUUID), nil)
	found := r.scan(twins, hostile)
	t.Logf("found %+v", found)
	if len(found) != 2 || found[0].ssid != twins || found[1].ssid != hostile || found[0].signal <= found[1].signal {
		t.Errorf("want each name once, the strongest first")
	}
	if found[0].security != byte(wifi.WPAAutoPersonal) || found[0].flags != 2 || found[1].security != byte(wifi.Open) || found[1].flags != 0 {
		t.Errorf("want WPA2/WPA3 of two access points, and an open network")
	}
	is(t, "write a page", r.write(central.ScanPageUUID, 7), nil)
	if past := r.readLong(central.ScanPageUUID); len(past) > 0 {
		t.Errorf("a page past the end is % x", past)
	}

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
	if found := r.scan(twins); found[0].flags&1 == 0 {
		t.Errorf("the joined network is not marked: %+v", found)
	}
	if r.mtu != defaultMTU {
		t.Errorf("the MTU was %d, want %d", r.mtu, defaultMTU)
	}
}

// TestNoAddress joins a network whose DHCP server is silent: the phone is told so
// while the link stays up, and that it is over when the server answers.
func TestNoAddress(t *testing.T) {
	const dhcp = "lab-dhcp.service"
	silent := AP{SSID: "silent", Security: wifi.WPA2PSK, Passphrase: "a silent passphrase"}
	g := start(t, situation{aps: []AP{silent}, config: map[string]string{"wifi.address_timeout": "5s"}})
	systemctl(t, "stop", dhcp)
	t.Cleanup(func() { systemctl(t, "start", dhcp) })
	p := ready(t, true)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	reasons, err := p.session.Watch(ctx, central.ReasonUUID)
	if err != nil {
		t.Fatal(err)
	}
	becomes := func(want wifi.Failure) {
		t.Helper()
		for {
			select {
			case value := <-reasons:
				if wifi.Failure(value[0]) == want {
					return
				}
			case <-time.After(patience):
				t.Fatalf("reason %s was not notified", want)
			}
		}
	}
	p.provision(silent.SSID, silent.Passphrase, wifi.AutoDetect)
	p.expect(central.StatusConnecting, central.StatusConnected)
	begin := time.Now()
	becomes(wifi.FailureNoAddress)
	t.Logf("told %s after CONNECTED", time.Since(begin))
	g.logged(patience, "MESSAGE_ID="+daemon.MessageNoAddress, "WIFIPROVD_STATE=CONNECTED", "WIFIPROVD_REASON=no-address", "PRIORITY=4")
	if err := radio(1).lists(wifiAddress(t)); err != nil {
		t.Errorf("the link did not stay: %v", err)
	}
	systemctl(t, "start", dhcp)
	becomes(wifi.FailureNone)
	g.logged(patience, "MESSAGE_ID="+daemon.MessageAddress, "WIFIPROVD_STATE=CONNECTED", "WIFIPROVD_REASON=none")
	if len(p.statuses) > 0 {
		t.Errorf("the status was notified again: % x", <-p.statuses)
	}
	if s := p.status(); s != central.StatusConnected {
		t.Errorf("status %s, want CONNECTED", s)
	}
	g.stores(&silent)
}
