//go:build lab

package lab

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/central"
	events "github.com/wifiprovd/wifiprovd/internal/journal"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Answers to a phone that has not paired as it must.
const (
	attInsufficientAuthentication central.ATTError = 0x05
	attInsufficientEncryption     central.ATTError = 0x0F
)

var (
	written = []string{central.SSIDUUID, central.PasswordUUID, central.SecurityUUID, central.ControlUUID}
	shown   = []string{central.StatusUUID, central.ReasonUUID, central.NetworkUUID}
	others  = []string{central.ScanUUID, central.ScanPageUUID, central.DeviceUUID, central.CountryUUID, central.CustomUUID}
)

// refusedAll checks that each access is refused.
func (r *rawATT) refusedAll(want central.ATTError) {
	r.t.Helper()
	check := func(what, uuid string, err error) {
		r.t.Helper()
		if !errors.Is(err, want) {
			r.t.Errorf("%s %s: %v, want %v", what, uuid, err, want)
		}
	}
	for _, uuid := range append([]string{central.ScanUUID, central.ScanPageUUID, central.CountryUUID, central.CustomUUID}, written...) {
		check("write", uuid, r.write(uuid, 1))
		check("prepare a write of", uuid, r.writeLong(uuid, 0, []byte{1}))
	}
	for _, uuid := range shown {
		_, err := r.read(uuid)
		check("read", uuid, err)
		check("subscribe to", uuid, r.subscribe(uuid))
	}
	for _, uuid := range []string{central.ScanPageUUID, central.DeviceUUID, central.CountryUUID, central.CustomUUID} {
		_, err := r.read(uuid)
		check("read", uuid, err)
	}
	check("subscribe to", central.ScanUUID, r.subscribe(central.ScanUUID))
}

// mayAll checks that each access works.
func (p *phone) mayAll(g *gateway, open AP) {
	p.t.Helper()
	p.connect()
	p.watch()
	if s := p.status(); s != central.StatusIdle {
		p.t.Errorf("status %s, want IDLE", s)
	}
	<-p.statuses // what was read
	p.provision(open.SSID, "", wifi.Open)
	p.expect(central.StatusConnecting, central.StatusConnected)
	if reason := p.reason(); reason != wifi.FailureNone {
		p.t.Errorf("reason %s while CONNECTED", reason)
	}
	g.stores(&open)
}

// TestSecurityNone provisions without pairing, which bluetooth.security: none allows, with a warning.
func TestSecurityNone(t *testing.T) {
	open := AP{SSID: "in plaintext", Security: wifi.Open}
	g := start(t, situation{aps: []AP{open}, config: map[string]string{"bluetooth.security": "none"}})
	g.event("plaintext", "PRIORITY=4")
	p := newPhone(t, "", nil)
	p.find()
	p.mayAll(g, open)
	if err := g.noBond(adapterAddress(t, phoneHCI)); err != nil {
		t.Error(err)
	}
}

// TestSecurityEncrypt is the default: nothing works before pairing, Just Works
// is enough.
func TestSecurityEncrypt(t *testing.T) {
	open := AP{SSID: "encrypted on the way", Security: wifi.Open}
	g := start(t, situation{aps: []AP{open}})
	r := dialATT(t, phoneHCI, notEncrypted)
	r.refusedAll(attInsufficientEncryption)
	r.leave()

	p := newPhone(t, "NoInputNoOutput", nil)
	p.find()
	p.pair()
	if !g.bonded(r.address) {
		t.Fatal("there is no bond")
	}
	p.mayAll(g, open)
}

// TestSecurityAuthenticated: only the passkey in the journal opens the gateway.
func TestSecurityAuthenticated(t *testing.T) {
	open := AP{SSID: "authenticated on the way", Security: wifi.Open}
	g := start(t, situation{aps: []AP{open}, config: map[string]string{"bluetooth.security": "authenticated"}})
	r := dialATT(t, phoneHCI, notEncrypted)
	r.refusedAll(attInsufficientAuthentication)
	r.leave()

	t.Run("Just Works", func(t *testing.T) {
		g := g.in(t)
		p := newPhone(t, "NoInputNoOutput", nil)
		p.find()
		p.cannotPair(g, false)
	})
	t.Run("wrong passkey", func(t *testing.T) {
		g := g.in(t)
		p := newPhone(t, "", func(ctx context.Context) (uint32, error) {
			right, err := g.passkey(ctx)
			return (right + 1) % 1000000, err
		})
		p.find()
		p.cannotPair(g, true)
	})
	t.Run("passkey", func(t *testing.T) {
		g := g.in(t)
		g.from = g.journal.mark(t, "passkey")
		begin := g.from
		p := newPhone(t, "", g.passkey)
		p.find()
		p.pair()
		p.mayAll(g, open)
		g.showedPasskey(begin, r.address)
	})
}

// cannotPair checks that pairing fails and leaves nothing: the gateway has no bond, and the phone
// can do nothing there. asked: the phone's user is to be asked for the passkey.
func (p *phone) cannotPair(g *gateway, asked bool) {
	p.t.Helper()
	var refused *central.PairingError
	err := p.central.Pair(p.deadline(), p.gateway)
	if !errors.As(err, &refused) || refused.Asked != asked {
		p.t.Fatalf("pair: %v, want a refusal; asked for the passkey: %v", err, asked)
	}
	p.t.Log(err)
	phone := adapterAddress(p.t, phoneHCI)
	if err := g.noBond(phone); err != nil {
		p.t.Error(err)
	}
	r := dialATT(p.t, phoneHCI, notEncrypted)
	r.refusedAll(attInsufficientAuthentication)
	r.leave()
	// BlueZ takes no service from advertisements of a device that it was connected to.
	if err := p.central.RemoveBond(p.deadline(), p.gateway); err != nil {
		p.t.Error(err)
	}
}

// showedPasskey checks that the journal has shown one passkey since entry begin, for the phone.
func (g *gateway) showedPasskey(begin int, phone string) {
	g.t.Helper()
	shown := g.journal.all(begin, []string{"WIFIPROVD_PASSKEY="})
	if len(shown) != 1 {
		g.t.Fatalf("passkeys were shown %d times, want once: %v", len(shown), shown)
	}
	e := shown[0]
	digits := regexp.MustCompile(`^[0-9]{6}$`)
	if !digits.MatchString(e["WIFIPROVD_PASSKEY"]) || e["WIFIPROVD_CENTRAL"] != phone || e["MESSAGE_ID"] != events.MessagePasskey ||
		e["WIFIPROVD_EVENT"] != "passkey" || !strings.Contains(e["MESSAGE"], phone) || !strings.Contains(e["MESSAGE"], e["WIFIPROVD_PASSKEY"]) {
		g.t.Errorf("the passkey was shown as %v", e)
	}
}

// TestSecurityModeChange changes to a stronger and to a weaker mode with bonds of both.
func TestSecurityModeChange(t *testing.T) {
	g := start(t, situation{})
	phone := adapterAddress(t, phoneHCI)
	p := newPhone(t, "", g.passkey)
	p.find()
	p.pair()
	p.connect()
	p.status()
	p.leave()
	if !g.bonded(phone) {
		t.Fatal("there is no bond")
	}

	g.changeMode("authenticated")
	g.event("bond-removed", "WIFIPROVD_CENTRAL="+phone, "MESSAGE~authenticated")
	waitFor(t, "no bond", patience, func() error { return g.noBond(phone) })
	if err := p.central.RemoveBond(p.deadline(), p.gateway); err != nil {
		t.Fatal(err)
	}
	p.find()
	p.pair()
	p.connect()
	p.status()
	p.leave()

	for _, mode := range []string{"encrypt", "authenticated"} {
		g.changeMode(mode)
		p.connect() // with the same bond
		p.status()
		p.leave()
		if !g.bonded(phone) {
			t.Fatalf("the bond with a passkey did not outlive mode %s", mode)
		}
	}
}

// changeMode starts the daemon with another bluetooth.security.
func (g *gateway) changeMode(mode string) {
	g.t.Helper()
	systemctl(g.t, "stop", unit)
	writeConfig(g.t, map[string]string{"bluetooth.security": mode})
	g.from = g.journal.mark(g.t, "mode "+mode)
	g.start()
}

// guesser is a phone that answers with a wrong passkey while wrong is set. It gives up a pairing for
// which the gateway shows none: in the lab, where it shares bluetoothd with the gateway, nothing else
// can end it (BlueZ src/shared/mgmt.c, can_write_data: one command at a time, and pairing is one).
type guesser struct {
	g     *gateway
	p     *phone
	wrong bool
}

func newGuesser(g *gateway) *guesser {
	s := &guesser{g: g, wrong: true}
	s.p = newPhone(g.t, "", func(ctx context.Context) (uint32, error) {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		passkey, err := g.passkey(ctx)
		if s.wrong {
			passkey = (passkey + 1) % 1000000
		}
		return passkey, err
	})
	return s
}

// pair finds the gateway and tries to pair. If that fails, it removes what is left of the try.
func (s *guesser) pair() error {
	s.g.from = s.g.journal.mark(s.g.t, "pair")
	s.p.find()
	s.p.mayConnect()
	err := s.p.central.Pair(s.p.deadline(), s.p.gateway)
	if err != nil {
		// BlueZ takes no service from advertisements of a device that it was connected to.
		if err := s.p.central.RemoveBond(s.p.deadline(), s.p.gateway); err != nil {
			s.p.t.Error(err)
		}
		waitGone(s.p.t, adapterAddress(s.p.t, phoneHCI))
	}
	return err
}

// guessed counts the passkeys and the lockouts in the journal since entry begin.
func (g *gateway) guessed(begin int) (passkeys, locked int) {
	return len(g.journal.all(begin, event("passkey"))), len(g.journal.all(begin, event("pairing-locked", "PRIORITY=4")))
}
