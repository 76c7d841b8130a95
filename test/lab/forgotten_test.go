//go:build lab

package lab

import (
	"os"
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

// TestForgottenAgainAndAgain: each pairing takes a passkey, and none that is typed right counts as a
// guess.
func TestForgottenAgainAndAgain(t *testing.T) {
	g := start(t, situation{config: map[string]string{"bluetooth.security": "authenticated"}})
	p := newPhone(t, "", g.passkey)
	begin := g.from
	for n := range 5 { // bluez.freeGuesses, and more
		g.from = g.journal.mark(t, "pairs")
		p.find()
		p.pair()
		p.connect()
		p.status()
		p.leave()
		if _, locked := g.guessed(begin); locked > 0 {
			t.Fatalf("pairing is locked after %d right passkeys", n+1)
		}
		p.forget()
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

	begin := g.journal.mark(t, "without a passkey")
	g.from = begin
	weak := newPhone(t, "NoInputNoOutput", nil)
	weak.find()
	if err := weak.central.Pair(weak.deadline(), weak.gateway); err == nil {
		t.Error("the phone has paired without a passkey")
	}
	// bluetoothd has asked; without the drop-in it would have refused by itself.
	g.logged(patience, "MESSAGE~pairing without a passkey was refused")
	if !g.bonded(adapterAddress(t, phoneHCI)) {
		t.Error("the gateway has lost its bond")
	}
	// The gateway, which has a bond, demands encryption of whoever connects (BlueZ, device_attach_att); this
	// phone cannot give it, and may not even stay connected.
	session, err := weak.central.Connect(weak.deadline(), weak.gateway)
	if err == nil {
		weak.session = session
		_, err = session.Read(weak.deadline(), central.StatusUUID)
	}
	if err == nil {
		t.Error("the phone has read Status without a passkey")
	}
	t.Log(err)
	if shown := len(g.journal.all(begin, event("passkey"))); shown > 0 {
		t.Errorf("passkeys were shown: %d", shown)
	}
	if !g.bonded(adapterAddress(t, phoneHCI)) {
		t.Error("the gateway has lost its bond after all")
	}
}

// TestNoneGrantsPairing: a phone that pairs although it need not is granted that, and served.
func TestNoneGrantsPairing(t *testing.T) {
	home := AP{SSID: "paired anyway", Security: wifi.Open}
	g := start(t, situation{aps: []AP{home}, config: map[string]string{"bluetooth.security": "none"}})
	p := newPhone(t, "NoInputNoOutput", nil)
	p.find()
	p.pair()
	if !g.bonded(adapterAddress(t, phoneHCI)) {
		t.Error("there is no bond")
	}
	p.mayAll(g, home)
	p.leave()
	p.forget()

	p.find()
	p.pair()
	p.connect()
	if s := p.status(); s != central.StatusConnected {
		t.Errorf("a phone that has forgotten the gateway, and pairs, reads status %s", s)
	}
}

// TestOwnersMainConf: what the owner's main.conf says stays in force, about pairing again too.
func TestOwnersMainConf(t *testing.T) {
	const conf = "/etc/bluetooth/main.conf"
	was, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		systemctl(t, "restart", bluetoothd)
	}
	t.Cleanup(func() { write(string(was)) })
	timeout := func() (n uint32) {
		value, err := bus(t).Object("org.bluez", "/org/bluez/"+gatewayHCI).GetProperty("org.bluez.Adapter1.DiscoverableTimeout")
		if err == nil {
			err = value.Store(&n)
		}
		if err != nil {
			t.Error(err)
		}
		return n
	}

	write("[General]\nDiscoverableTimeout = 77\n")
	g := start(t, situation{})
	if n := timeout(); n != 77 {
		t.Errorf("DiscoverableTimeout is %d, not the owner's", n)
	}
	p := newPhone(t, "", nil)
	p.find()
	p.pair()
	p.connect()
	p.status()
	p.leave()
	p.forget()

	write("[General]\nJustWorksRepairing = never\n")
	again := newPhone(t, "", nil) // bluetoothd has lost the other's agent
	again.find()
	if !g.bonded(adapterAddress(t, phoneHCI)) {
		t.Fatal("the gateway has no bond")
	}
	if err := again.central.Pair(again.deadline(), again.gateway); err == nil {
		t.Error("the phone has paired again, which the owner does not want")
	}
	again.forget()
}

// forget makes the phone, but not the gateway, forget the bond.
func (p *phone) forget() {
	p.t.Helper()
	if err := p.central.RemoveBond(p.deadline(), p.gateway); err != nil {
		p.t.Fatal(err)
	}
}
