//go:build lab

package lab

import (
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// wrongWithin is how soon after CONNECT a wrong password is called one.
const wrongWithin = 10 * time.Second

// TestWrongPassword writes a wrong password, then the right one in the same connection. Nothing was
// stored before, and the radio has both bands to scan, which takes 5 s: the scan begins when the
// phone connects and is over when its owner has typed the password.
func TestWrongPassword(t *testing.T) {
	for _, ap := range []AP{
		{SSID: "mistyped WPA2", Security: wifi.WPA2PSK, Passphrase: "the right password 1"},
		{SSID: "mistyped WPA3", Security: wifi.WPA3SAE, Passphrase: "the right password 2"},
		{SSID: "mistyped transition", Security: wifi.WPAAutoPersonal, Passphrase: "the right password 3"},
	} {
		t.Run(ap.Security.String(), func(t *testing.T) {
			g := start(t, situation{aps: []AP{ap}, country: bothBands})
			p := ready(t, true)
			g.event("scanned")
			g.refuses(p, ap.SSID, "the wrong password 1")
			g.stores(nil)

			p.provision(ap.SSID, ap.Passphrase, wifi.AutoDetect)
			took := p.expect(central.StatusConnecting, central.StatusConnected)
			t.Logf("connected %.1f s after the second CONNECT", took.Seconds())
			if got := p.reason(); got != wifi.FailureNone {
				t.Errorf("reason %d (%s) while CONNECTED, want 0", got, got)
			}
			waitFor(t, "online", patience, func() error { return g.online(1) })
			g.stores(&ap)
		})
	}
}

// TestWrongPasswordKeepsNetwork writes a wrong password to a gateway that is on a network: it goes
// back there by itself, and still has it at its next start.
func TestWrongPasswordKeepsNetwork(t *testing.T) {
	home := AP{SSID: "home", Security: wifi.WPA2PSK, Passphrase: "password of home", Channel: 1}
	other := AP{SSID: "the neighbours'", Security: wifi.WPA3SAE, Passphrase: "password of the others", Channel: 6}
	g := start(t, situation{aps: []AP{home, other}})
	p := g.joined(home)
	for _, ssid := range []string{other.SSID, home.SSID} {
		t.Run(ssid, func(t *testing.T) {
			g, p := g.in(t), p.in(t)
			g.refuses(p, ssid, "the wrong password 2")
			took := p.expect(central.StatusConnecting, central.StatusConnected)
			t.Logf("back on %q %.1f s after FAILED", home.SSID, took.Seconds())
			waitFor(t, "online", patience, func() error { return g.online(1) })
			g.stores(&home)
		})
	}

	systemctl(t, "stop", unit)
	resetWifi(t)
	g.stores(&home)
	g.from = g.journal.mark(t, "starts again")
	g.start()
	g.becomes(central.StatusConnected)
	waitFor(t, "online", patience, func() error { return g.online(1) })
}

// refuses provisions a network with a wrong password, and checks that the phone and the journal are
// told, in time.
func (g *gateway) refuses(p *phone, ssid, password string) {
	g.t.Helper()
	p.stage(ssid, password, wifi.AutoDetect)
	begin := time.Now()
	p.command(central.ControlConnect)
	p.expect(central.StatusConnecting, central.StatusFailed)
	took := time.Since(begin)
	if took > wrongWithin {
		g.t.Errorf("FAILED came %s after CONNECT, want at most %s", took, wrongWithin)
	}
	if got := p.reason(); got != wifi.FailureWrongPassword {
		g.t.Errorf("reason %d (%s), want %d", got, got, wifi.FailureWrongPassword)
	}
	g.fails(wifi.FailureWrongPassword)
	g.t.Logf("failed %.1f s after CONNECT", took.Seconds())
}
