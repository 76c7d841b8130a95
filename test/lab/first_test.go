//go:build lab

package lab

import (
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

func TestFirst(t *testing.T) {
	home := AP{SSID: "home net", Security: wifi.WPA2PSK, Passphrase: "first boot passphrase"}
	g := start(t, situation{aps: []AP{home}})
	g.logged(patience, "WIFIPROVD_STATE=IDLE")
	p := ready(t, true)
	p.provision(home.SSID, home.Passphrase, wifi.AutoDetect)
	p.expect(central.StatusConnecting, central.StatusConnected)
	waitFor(t, "online", patience, func() error { return g.online(1) })
	g.logged(patience, "WIFIPROVD_STATE=CONNECTED")
}
