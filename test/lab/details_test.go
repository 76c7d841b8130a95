//go:build lab

package lab

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/central"
	events "github.com/wifiprovd/wifiprovd/internal/journal"
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
	p.tellsDevice("Boiler")
	var none map[string]any
	if p.readJSON(central.NetworkUUID, &none); len(none) > 0 {
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
	var n network
	var length int
	waitFor(t, "the network with an address", patience, func() error {
		if length = p.readJSON(central.NetworkUUID, &n); n.IPv4 == "" || n.Gateway == "" {
			return errors.New("there is none")
		}
		return nil
	})
	toldLength(t, notified, length)
	n.check(t, home, begin)
}

// readJSON reads a value and decodes it. It returns the value's length.
func (p *phone) readJSON(uuid string, into any) int {
	p.t.Helper()
	value, err := p.session.Read(p.deadline(), uuid)
	if err == nil {
		err = json.Unmarshal(value, into)
	}
	if err != nil || len(value) > 512 {
		p.t.Fatalf("read %s: %q, %v", uuid, value, err)
	}
	p.t.Logf("%s", value)
	return len(value)
}

// tellsDevice checks what Device tells of a gateway with this name.
func (p *phone) tellsDevice(name string) {
	var device struct {
		Name, Model, Version, Security string
		Protocols                      map[string]int
	}
	p.readJSON(central.DeviceUUID, &device)
	model, _ := os.ReadFile("/sys/class/dmi/id/product_name") // arm64 has no phone
	if device.Name != name || device.Version == "" || device.Security != "encrypt" || device.Protocols["provisioning"] != 1 ||
		device.Protocols["details"] != 1 || device.Model == "" || device.Model != strings.TrimSpace(string(model)) {
		p.t.Errorf("the device is %+v", device)
	}
}

// toldLength waits until the network is notified with this length, but for the digits of its signal.
// NetworkManager may have an address when it says that the network is joined: then nothing shorter
// comes before.
func toldLength(t testing.TB, notified <-chan []byte, want int) {
	t.Helper()
	for length := 0; length < want-2 || length > want+2; {
		select {
		case value := <-notified:
			switch {
			case len(value) == 2:
				length = int(binary.LittleEndian.Uint16(value))
			case !json.Valid(value): // what was read meanwhile
				t.Fatalf("notified % x, want a length", value)
			}
		case <-time.After(patience):
			t.Fatalf("the network was not notified with %d bytes, but with %d", want, length)
		}
	}
}

// check compares what a phone reads of the network ap, joined after begin, with the gateway's
// interface and the access point.
func (n network) check(t testing.TB, ap AP, begin time.Time) {
	address := leased(t)
	if len(address) != 1 || n.IPv4 != address[0].Addr().String() || n.Gateway != "192.0.2.1" {
		t.Errorf("address %s, gateway %s; the interface has %v", n.IPv4, n.Gateway, address)
	}
	if n.SSID != ap.SSID || n.SSIDHex != "" || n.BSSID != radio(1).bssid(t) || n.Frequency != 2437 || n.Signal >= 0 || n.Security != "WPA2-PSK" {
		t.Errorf("the network is %+v", n)
	}
	if n.Since.Before(begin.Add(-time.Second)) || n.Since.After(time.Now().Add(time.Second)) {
		t.Errorf("joined at %s, and it is %s", n.Since, time.Now())
	}
}

// TestNoAddress joins a network whose DHCP server is silent, after one that gave an address: the
// phone is notified of no-address while the link stays up, and of its end when the server answers.
func TestNoAddress(t *testing.T) {
	t.Run("as installed", func(t *testing.T) { noAddress(t, false) })
	t.Run("the lease is kept", func(t *testing.T) { noAddress(t, true) })
}

func noAddress(t *testing.T, kept bool) {
	const dhcp = "lab-dhcp.service"
	home := AP{SSID: "home", Security: wifi.WPA2PSK, Passphrase: "a passphrase at home"}
	silent := AP{SSID: "silent", Security: wifi.WPA2PSK, Passphrase: "a silent passphrase"}
	g := start(t, situation{aps: []AP{home, silent}, config: map[string]string{"wifi.address_timeout": "5s"}})
	if kept {
		keepLeases(t)
	}
	p := g.joined(home)
	systemctl(t, "stop", dhcp)
	t.Cleanup(func() { systemctl(t, "start", dhcp) })
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	reasons, err := p.session.Watch(ctx, central.ReasonUUID)
	if err != nil {
		t.Fatal(err)
	}
	p.provision(silent.SSID, silent.Passphrase, wifi.AutoDetect)
	p.expect(central.StatusConnecting, central.StatusConnected)
	begin := time.Now()
	var n network
	if p.readJSON(central.NetworkUUID, &n); n.SSID != silent.SSID || n.IPv4 != "" {
		t.Errorf("right after CONNECTED the network is %+v", n)
	}
	reasonBecomes(t, reasons, wifi.FailureNoAddress)
	if address := leased(t); kept {
		t.Logf("the interface has %v", address)
	} else if len(address) > 0 {
		t.Errorf("the other network's address is still there: %v", address)
	}
	t.Logf("told %s after CONNECTED", time.Since(begin))
	g.event("reason", "MESSAGE_ID="+events.MessageNoAddress, "WIFIPROVD_STATUS=CONNECTED", "WIFIPROVD_REASON=no-address", "PRIORITY=4")
	if err := radio(2).lists(wifiAddress(t)); err != nil {
		t.Errorf("the link did not stay: %v", err)
	}
	systemctl(t, "start", dhcp)
	run(t, "networkctl", "reconfigure", wlan) // at once
	reasonBecomes(t, reasons, wifi.FailureNone)
	g.event("reason", "MESSAGE_ID="+events.MessageAddress, "WIFIPROVD_STATUS=CONNECTED", "WIFIPROVD_REASON=none")
	if len(p.statuses) > 0 {
		t.Errorf("the status was notified again: % x", <-p.statuses)
	}
	if s := p.status(); s != central.StatusConnected {
		t.Errorf("status %s, want CONNECTED", s)
	}
	g.stores(&silent)
}

// reasonBecomes waits until a phone is notified of this reason.
func reasonBecomes(t testing.TB, reasons <-chan []byte, want wifi.Failure) {
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

// keepLeases makes systemd-networkd keep an address over a change of networks, as
// other DHCP clients do.
func keepLeases(t testing.TB) {
	dir := "/run/systemd/network/80-wifiprovd-" + wlan + ".network.d"
	reload := func() {
		run(t, "networkctl", "reload")
		run(t, "networkctl", "reconfigure", wlan)
	}
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(dir+"/keep.conf", []byte("[Network]\nIgnoreCarrierLoss=10min\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
		reload()
	})
	reload()
}
