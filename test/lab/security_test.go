//go:build lab

package lab

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// AKM suites as hostapd lists them for a station (IEEE 802.11-2020, table 9-151).
const (
	akmOpen      = ""
	akmPSK       = "00-0f-ac-2"
	akmPSKSHA256 = "00-0f-ac-6"
	akmSAE       = "00-0f-ac-8"
)

// provisioned is one provisioning that must succeed.
type provisioned struct {
	name     string
	on       radio         // whose SSID and passphrase the phone writes
	security wifi.Security // what it writes to Security; AutoDetect: nothing
	akm      string        // what both sides must have agreed on
}

const easyPassphrase = "correct horse 1"

// The longest secrets that a network can have.
var (
	longest = strings.Repeat("0123456789abcdef ", 4)[:wifi.MaxPassphraseLen]
	rawPSK  = strings.Repeat("00c0FFee9a1B7f5e", 4)
)

// anyBytes returns an SSID of bytes that are hard to transport.
func anyBytes() string {
	every := make([]byte, 0, wifi.MaxSSIDLen)
	every = append(every, "\x00\x01\t\n\r\x1b[2J\"\\'#={}\x7f\x80\xc3\x28\xf0\x9f\xff\xfe"...)
	for b := byte(0xa0); len(every) < wifi.MaxSSIDLen; b++ {
		every = append(every, b)
	}
	return string(every)
}

// securities are the gateways' networks, and how they are joined, one after the
// other.
var securities = []struct {
	name  string
	aps   []AP
	joins []provisioned
}{
	{"plain", []AP{
		{SSID: "an open network", Security: wifi.Open, Channel: 1},
		{SSID: "a WPA2 network", Security: wifi.WPA2PSK, Passphrase: easyPassphrase, Channel: 6},
		{SSID: "a SHA256 network", Security: wifi.WPA2PSKSHA256, Passphrase: easyPassphrase, Channel: 11},
	}, []provisioned{
		{"open as 0", 1, wifi.Open, akmOpen},
		{"WPA2 as 1", 2, wifi.WPA2PSK, akmPSK},
		{"SHA256 as 2", 3, wifi.WPA2PSKSHA256, akmPSKSHA256},
		{"open detected", 1, wifi.AutoDetect, akmOpen},
		{"SHA256 detected", 3, wifi.AutoDetect, akmPSKSHA256},
		{"WPA2 detected", 2, wifi.AutoDetect, akmPSK},
		{"WPA2 as 6", 2, wifi.WPAAutoPersonal, akmPSK},
	}},
	{"newer", []AP{
		{SSID: "a WPA3 network", Security: wifi.WPA3SAE, Passphrase: easyPassphrase, Channel: 1},
		{SSID: "a transition network", Security: wifi.WPAAutoPersonal, Passphrase: easyPassphrase, Channel: 6},
		{SSID: "a hidden network", Security: wifi.WPA2PSK, Passphrase: easyPassphrase, Channel: 11, Hidden: true},
	}, []provisioned{
		{"hidden detected", 3, wifi.AutoDetect, akmPSK},
		{"WPA3 as 3", 1, wifi.WPA3SAE, akmSAE},
		{"transition as 6", 2, wifi.WPAAutoPersonal, akmSAE},
		{"hidden as 1", 3, wifi.WPA2PSK, akmPSK},
		{"WPA3 detected", 1, wifi.AutoDetect, akmSAE},
		{"transition detected", 2, wifi.AutoDetect, akmSAE},
		{"WPA3 as 6", 1, wifi.WPAAutoPersonal, akmSAE},
		{"transition as 1", 2, wifi.WPA2PSK, akmPSK},
		{"transition as 3", 2, wifi.WPA3SAE, akmSAE},
		{"transition as 2", 2, wifi.WPA2PSKSHA256, akmPSKSHA256},
	}},
	{"any bytes", []AP{
		{SSID: anyBytes(), Security: wifi.WPAAutoPersonal, Passphrase: ` "it's" \x41\\ $(id) `, Channel: 1},
		{SSID: "1", Security: wifi.WPAAutoPersonal, Passphrase: "Grüße, 世界 🦊", Channel: 6},
		{SSID: "Café 世界", Security: wifi.Open, Channel: 11},
	}, []provisioned{
		{"quotes, backslashes and spaces, WPA2", 1, wifi.WPA2PSK, akmPSK},
		{"UTF-8, WPA2", 2, wifi.WPA2PSK, akmPSK},
		{"quotes, backslashes and spaces, WPA3", 1, wifi.WPA3SAE, akmSAE},
		{"UTF-8, WPA3", 2, wifi.WPA3SAE, akmSAE},
		{"UTF-8 SSID, open", 3, wifi.AutoDetect, akmOpen},
		{"quotes, backslashes and spaces, detected", 1, wifi.AutoDetect, akmSAE},
	}},
	{"longest", []AP{
		{SSID: "63 bytes", Security: wifi.WPAAutoPersonal, Passphrase: longest, Channel: 1},
		{SSID: "64 digits", Security: wifi.WPA2PSK, Passphrase: rawPSK, Channel: 6},
		{SSID: "64 digits, SHA256", Security: wifi.WPA2PSKSHA256, Passphrase: rawPSK, Channel: 11},
	}, []provisioned{
		{"63 bytes, WPA2", 1, wifi.WPA2PSK, akmPSK},
		{"raw PSK as 1", 2, wifi.WPA2PSK, akmPSK},
		{"raw PSK as 2", 3, wifi.WPA2PSKSHA256, akmPSKSHA256},
		{"63 bytes, WPA3", 1, wifi.WPA3SAE, akmSAE},
		{"raw PSK detected", 2, wifi.AutoDetect, akmPSK},
		{"raw PSK as 6", 2, wifi.WPAAutoPersonal, akmPSK},
	}},
}

// TestEachSecurity joins every kind of network with every security type that fits, auto-detection
// included, and with secrets and names that are hard to transport. A few gateways are provisioned
// again and again, each by one phone in one connection.
func TestEachSecurity(t *testing.T) {
	for _, c := range securities {
		t.Run(c.name, func(t *testing.T) {
			g := start(t, situation{aps: c.aps})
			p := ready(t, true)
			for _, join := range c.joins {
				if !t.Run(join.name, func(t *testing.T) { join.check(g.in(t), p.in(t), c.aps[join.on-1]) }) {
					return // what the next one would start from is not known
				}
			}
		})
	}
}

func (c provisioned) check(g *gateway, p *phone, ap AP) {
	p.provision(ap.SSID, ap.Passphrase, c.security)
	took := p.expect(central.StatusConnecting, central.StatusConnected)
	got := c.on.akm(g.t, wifiAddress(g.t))
	if manager.on && ap.Security == wifi.WPAAutoPersonal && got == akmSAE && c.akm != akmOpen {
		got = c.akm // NetworkManager cannot leave WPA3 out
	}
	if got != c.akm {
		g.t.Errorf("the access point lists key management %q, want %q", got, c.akm)
	}
	waitFor(g.t, "an address, and the access point's answer", patience, func() error {
		if err := g.online(c.on); err != nil {
			return err
		}
		return reachable()
	})
	g.t.Logf("connected after %.1f s", took.Seconds())
}

// TestSecurityNotOffered asks for a security type that the network does not
// have.
func TestSecurityNotOffered(t *testing.T) {
	const passphrase = "correct horse 2"
	g := start(t, situation{aps: []AP{
		{SSID: "open only", Security: wifi.Open, Channel: 1},
		{SSID: "WPA2 only", Security: wifi.WPA2PSK, Passphrase: passphrase, Channel: 6},
		{SSID: "WPA3 only", Security: wifi.WPA3SAE, Passphrase: passphrase, Channel: 11},
	}})
	p := ready(t, true)
	for _, c := range []struct {
		name, ssid, password string
		security             wifi.Security
	}{
		{"WPA2 as 0", "WPA2 only", "", wifi.Open},
		{"WPA2 as 2", "WPA2 only", passphrase, wifi.WPA2PSKSHA256},
		{"WPA2 as 3", "WPA2 only", passphrase, wifi.WPA3SAE},
		{"WPA3 as 1", "WPA3 only", passphrase, wifi.WPA2PSK},
		{"open as 6", "open only", passphrase, wifi.WPAAutoPersonal},
		{"open detected, but a password", "open only", passphrase, wifi.AutoDetect},
	} {
		if !t.Run(c.name, func(t *testing.T) {
			g, p := g.in(t), p.in(t)
			p.provision(c.ssid, c.password, c.security)
			p.expect(central.StatusConnecting, central.StatusFailed)
			if got := p.reason(); got != wifi.FailureSecurityNotOffered {
				t.Errorf("reason %d (%s), want %d", got, got, wifi.FailureSecurityNotOffered)
			}
			g.fails(wifi.FailureSecurityNotOffered)
			g.stores(nil)
		}) {
			return
		}
	}
}

// in returns the gateway for a subtest.
func (g *gateway) in(t testing.TB) *gateway {
	c := *g
	c.t = t
	return &c
}

// in returns the phone for a subtest.
func (p *phone) in(t testing.TB) *phone {
	c := *p
	c.t = t
	return &c
}

// akm returns the key management of a station as hostapd lists it; empty if its
// network is open.
func (r radio) akm(t testing.TB, address string) string {
	t.Helper()
	out, err := r.hostapd("sta", address)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(out, "\n") {
		if value, ok := strings.CutPrefix(line, "AKMSuiteSelector="); ok {
			return value
		}
	}
	return ""
}

// reachable returns nil if the access points' own address answers: it refuses
// the connection, as nothing listens there.
func reachable() error {
	conn, err := net.DialTimeout("tcp", "192.0.2.1:9", patience/10)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil
	case err == nil:
		_ = conn.Close()
		return errors.New("something listens on port 9 of the access points")
	}
	return fmt.Errorf("reach the access point: %w", err)
}
