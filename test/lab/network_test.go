//go:build lab

package lab

import (
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// TestNotFound provisions a gateway before its router is switched on: it shows not-found, and joins by
// itself once the router is there.
func TestNotFound(t *testing.T) {
	later := AP{SSID: "switched on later", Security: wifi.WPA2PSK, Passphrase: "not found passphrase"}
	g := start(t, situation{})
	p := ready(t, true)
	p.provision(later.SSID, later.Passphrase, wifi.AutoDetect)
	took := p.expect(central.StatusConnecting, central.StatusFailed)
	t.Logf("FAILED %s after CONNECT", took)
	g.fails(wifi.FailureNotFound)
	if reason := p.reason(); reason != wifi.FailureNotFound {
		t.Errorf("reason %s, want %s", reason, wifi.FailureNotFound)
	}
	p.leave()

	startAPs(t, later)
	begin := time.Now()
	g.becomes(central.StatusConnected)
	t.Logf("CONNECTED %s after the access point was there", time.Since(begin))
	waitFor(t, "online", patience, func() error { return g.online(1) })
	g.stores(&later)
}

// TestNotFoundKeepsNetwork provisions a gateway that is on a network with one that is not there: it
// goes back, and forgets the other one.
func TestNotFoundKeepsNetwork(t *testing.T) {
	home := AP{SSID: "home", Security: wifi.WPA2PSK, Passphrase: "a passphrase of home"}
	g := start(t, situation{aps: []AP{home}})
	p := g.joined(home)
	p.provision("nowhere", "a passphrase of nowhere", wifi.AutoDetect)
	p.expect(central.StatusConnecting, central.StatusFailed, central.StatusConnecting, central.StatusConnected)
	g.fails(wifi.FailureNotFound, `WIFIPROVD_SSID="nowhere"`)
	waitFor(t, "online", patience, func() error { return g.online(1) })
	g.stores(&home)
}

// TestAccessPointGone switches the access point off and on again.
func TestAccessPointGone(t *testing.T) {
	home := AP{SSID: "comes and goes", Security: wifi.WPAAutoPersonal, Passphrase: "gone and back passphrase"}
	g := start(t, situation{aps: []AP{home}})
	p := g.joined(home)

	radio(1).off(t)
	p.expect(central.StatusProvisioned, central.StatusConnecting)
	p.leave()
	g.becomes(central.StatusProvisioned)
	g.becomes(central.StatusConnecting)

	radio(1).on(t)
	begin := time.Now()
	g.becomes(central.StatusConnected)
	t.Logf("CONNECTED %s after the access point was back", time.Since(begin))
	waitFor(t, "online", patience, func() error { return g.online(1) })
	g.stores(&home)
}
