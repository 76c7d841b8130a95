//go:build lab

package lab

import (
	"fmt"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/central"
	events "github.com/wifiprovd/wifiprovd/internal/journal"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// TestErase erases a gateway in each of its statuses, and pairs with it anew.
func TestErase(t *testing.T) {
	home := AP{SSID: "erased home", Security: wifi.WPA2PSK, Passphrase: "a passphrase to erase"}
	const nowhere, unused = "erased nowhere", "a passphrase of nowhere"
	for _, c := range []struct {
		from  central.Status
		reach func(*gateway) *phone
	}{
		{central.StatusIdle, func(g *gateway) *phone { return ready(g.t, true) }},
		{central.StatusConnecting, func(g *gateway) *phone { // with an active network and a candidate
			p := g.joined(home)
			p.provision(nowhere, unused, wifi.AutoDetect)
			p.expect(central.StatusConnecting)
			return p
		}},
		{central.StatusConnected, func(g *gateway) *phone { return g.joined(home) }},
		{central.StatusFailed, func(g *gateway) *phone {
			p := ready(g.t, true)
			p.provision(home.SSID, "not the passphrase", wifi.AutoDetect)
			p.expect(central.StatusConnecting, central.StatusFailed)
			return p
		}},
		{central.StatusProvisioned, func(g *gateway) *phone {
			p := ready(g.t, true)
			p.provision(nowhere, unused, wifi.AutoDetect)
			p.expect(central.StatusConnecting, central.StatusFailed, central.StatusProvisioned)
			return p
		}},
	} {
		t.Run(c.from.String(), func(t *testing.T) {
			g := start(t, situation{aps: []AP{home}})
			p := c.reach(g)
			phone := adapterAddress(t, phoneHCI)
			if !g.bonded(phone) {
				t.Fatal("there is no bond to erase")
			}
			begin := g.journal.mark(t, "ERASE")
			g.from = begin
			p.command(central.ControlErase)
			p.expect(central.StatusIdle)
			g.event("erase-requested", "WIFIPROVD_CENTRAL="+phone)
			g.becomes(central.StatusIdle)
			g.from = begin // the two may be told in either order
			g.event("erased", "MESSAGE_ID="+events.MessageErased)
			g.event("bond-removed", "WIFIPROVD_CENTRAL="+phone)
			g.isBlank(phone)
			g.takesAnew(p)
		})
	}
}

// isBlank checks that the gateway has no network, no credentials, no bond, and waits for a phone.
func (g *gateway) isBlank(phone string) {
	g.t.Helper()
	g.stores(nil)
	waitFor(g.t, "no bond in the store", patience, noStoredBond)
	waitFor(g.t, "no bond in bluetoothd", patience, func() error { return g.noBond(phone) })
	waitFor(g.t, "no network", patience, func() error {
		if networks := wpaNetworks(g.t); len(networks) > 0 {
			return fmt.Errorf("wpa_supplicant has %v", networks)
		}
		if radio(1).lists(wifiAddress(g.t)) == nil {
			return fmt.Errorf("it is a station of the access point")
		}
		if a := leased(g.t); len(a) > 0 {
			return fmt.Errorf("it has the address %v", a)
		}
		return nil
	})
	if err := g.advertises(1); err != nil {
		g.t.Error(err)
	}
}

// takesAnew checks that the phone, once it has removed its own bond, can find the gateway, pair, and
// read IDLE.
func (g *gateway) takesAnew(p *phone) {
	g.t.Helper()
	p.isCut() // the bond went
	if err := p.central.RemoveBond(p.deadline(), p.gateway); err != nil {
		g.t.Fatal(err)
	}
	p.find()
	p.pair()
	p.connect()
	if s := p.status(); s != central.StatusIdle {
		g.t.Errorf("status %s, want IDLE", s)
	}
}

// noStoredBond returns nil if the daemon's store has no bond.
func noStoredBond() error {
	s, err := readStore()
	if err == nil && len(s.Bonds) > 0 {
		err = fmt.Errorf("it has %v", s.Bonds)
	}
	return err
}

// wpaNetworks returns the networks that wpa_supplicant has for the gateway.
func wpaNetworks(t testing.TB) []dbus.ObjectPath {
	t.Helper()
	const service = "fi.w1.wpa_supplicant1"
	var iface dbus.ObjectPath
	if err := bus(t).Object(service, "/fi/w1/wpa_supplicant1").Call(service+".GetInterface", 0, wlan).Store(&iface); err != nil {
		t.Fatal(err)
	}
	value, err := bus(t).Object(service, iface).GetProperty(service + ".Interface.Networks")
	if err != nil {
		t.Fatal(err)
	}
	networks, ok := value.Value().([]dbus.ObjectPath)
	if !ok {
		t.Fatalf("Networks is %v", value)
	}
	return networks
}
