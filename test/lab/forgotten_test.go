//go:build lab

package lab

import (
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// TestForgottenGateway: a phone's user has made it forget the gateway, which keeps its own half of the
// bond. The phone pairs again, as strictly as the first time, and provisions.
func TestForgottenGateway(t *testing.T) {
	home := AP{SSID: "not forgotten", Security: wifi.WPA2PSK, Passphrase: "a passphrase not forgotten"}
	for _, mode := range []string{"encrypt", "authenticated"} {
		t.Run(mode, func(t *testing.T) {
			g := start(t, situation{aps: []AP{home}, config: map[string]string{"bluetooth.security": mode}})
			p := newPhone(t, "", g.passkey)
			p.find()
			p.pair()
			p.connect()
			p.status()
			p.leave()
			phone := adapterAddress(t, phoneHCI)
			p.forget()
			if !g.bonded(phone) {
				t.Fatal("the gateway has no bond")
			}

			g.from = g.journal.mark(t, "pairs again")
			begin := g.from
			p.find()
			p.pair()
			p.connect()
			p.watch()
			p.provision(home.SSID, home.Passphrase, wifi.AutoDetect)
			p.expect(central.StatusConnecting, central.StatusConnected)
			if mode == "authenticated" {
				g.showedPasskey(begin, phone)
			}
		})
	}
}

// TestForgottenGatewayStaysStrict: a phone that has forgotten the gateway does not get in with less
// than the mode requires, and the bond that the gateway has of it is not replaced.
func TestForgottenGatewayStaysStrict(t *testing.T) {
	g := start(t, situation{config: map[string]string{"bluetooth.security": "authenticated"}})
	p := newPhone(t, "", g.passkey)
	p.find()
	p.pair()
	p.connect()
	p.status()
	p.leave()
	p.forget()
	p.central.Close()

	weak := newPhone(t, "NoInputNoOutput", nil)
	weak.find()
	if err := weak.central.Pair(weak.deadline(), weak.gateway); err == nil {
		t.Error("the phone has paired without a passkey")
	}
	if err := weak.central.RemoveBond(weak.deadline(), weak.gateway); err != nil {
		t.Error(err)
	}
	waitGone(t, adapterAddress(t, phoneHCI))
	r := dialATT(t, phoneHCI, notEncrypted)
	r.refusedAll(attInsufficientAuthentication)
	r.leave()
}

// TestNoneGrantsPairing: a phone that pairs although it need not is granted that, and served.
func TestNoneGrantsPairing(t *testing.T) {
	home := AP{SSID: "paired anyway", Security: wifi.Open}
	start(t, situation{aps: []AP{home}, config: map[string]string{"bluetooth.security": "none"}})
	p := newPhone(t, "NoInputNoOutput", nil)
	for _, what := range []string{"pairs", "has forgotten, and pairs"} {
		p = p.in(t)
		p.find()
		p.pair()
		p.connect()
		if s := p.status(); s != central.StatusIdle {
			t.Errorf("a phone that %s reads status %s", what, s)
		}
		p.leave()
		p.forget()
	}
}

// forget makes the phone, but not the gateway, forget the bond.
func (p *phone) forget() {
	p.t.Helper()
	if err := p.central.RemoveBond(p.deadline(), p.gateway); err != nil {
		p.t.Fatal(err)
	}
}
