//go:build lab

package lab

import (
	"context"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// When advertising ends and comes back with keep_after_connect: false, and how late it may be in an
// emulated machine.
const (
	quietAfter = 10 * time.Second
	againAfter = time.Minute
	late       = 5 * time.Second
)

// TestAdvertisingEnds follows a gateway with keep_after_connect: false through
// all that switches advertising off and on.
func TestAdvertisingEnds(t *testing.T) {
	home := AP{SSID: "quiet home", Security: wifi.WPA2PSK, Passphrase: "a passphrase to be quiet"}
	g := start(t, situation{aps: []AP{home}, config: map[string]string{"bluetooth.keep_after_connect": "false"}})
	p := g.joined(home)
	connected := g.becomes(central.StatusConnected)
	g.changesTo(0, connected, quietAfter)

	t.Log("ERASE, from the phone that is still connected")
	p.command(central.ControlErase)
	p.expect(central.StatusIdle)
	g.changesTo(1, g.becomes(central.StatusIdle), 0)
	p.isCut()
	if err := p.central.RemoveBond(p.deadline(), p.gateway); err != nil {
		t.Fatal(err)
	}
	p.find()
	p.pair()
	p.connect()
	p.watch()

	t.Log("joined again, the phone leaves")
	p.provision(home.SSID, home.Passphrase, wifi.AutoDetect)
	p.expect(central.StatusConnecting, central.StatusConnected)
	p.leave()
	g.changesTo(0, g.becomes(central.StatusConnected), quietAfter)
	p.hearsNothing()

	t.Log("the link is lost for long")
	radio(1).off(t)
	g.changesTo(1, g.becomes(central.StatusProvisioned), againAfter)
	p.find()
}

// changesTo waits until the number of advertisements changes to want. It must do so a certain time
// after an entry of the journal, not earlier and hardly later.
func (g *gateway) changesTo(want byte, event entry, after time.Duration) {
	g.t.Helper()
	for {
		err := g.advertises(want)
		took := time.Since(event.when())
		switch {
		case err == nil && took < after:
			g.t.Fatalf("%d advertisements %s after %q, want %s", want, took, event["MESSAGE"], after)
		case err == nil:
			g.t.Logf("%d advertisements %s after %q", want, took, event["MESSAGE"])
			return
		case took > after+late:
			g.t.Fatalf("%s after %q: %v", took, event["MESSAGE"], err)
		}
		time.Sleep(max(50*time.Millisecond, (after-took)/4)) // each check takes the emulated machine long
	}
}

// hearsNothing looks for the gateway, several times as long as it takes to hear one that is there.
func (p *phone) hearsNothing() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), late)
	defer cancel()
	err := p.central.Scan(ctx, func(g central.Gateway) bool {
		p.t.Errorf("it hears %v", g)
		return false
	})
	if err != nil {
		p.t.Fatal(err)
	}
}
