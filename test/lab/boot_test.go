//go:build lab

package lab

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// The tests in this file are one story over three boots of the machine. The configuration is the
// installed one: /etc is new at each boot.

// bootAP is on at every boot: /var survives.
var bootAP = AP{SSID: "the home of the gateway", Security: wifi.WPA2PSK, Passphrase: "three boots passphrase"}

// TestBoot1Provisioned leaves a gateway that is on a network, in a country that a phone has named. All
// radios are noted as blocked, as by the maker of Raspberry Pi OS, and are at the next boot.
func TestBoot1Provisioned(t *testing.T) {
	g := start(t, situation{aps: []AP{bootAP}})
	p := g.joined(bootAP)
	p.mustWrite(central.CountryUUID, 'D', 'E')
	p.leave()
	g.event("country", "WIFIPROVD_COUNTRY=DE")
	waitFor(t, "the country in the store", patience, func() error {
		text, err := os.ReadFile(storeFile)
		if err == nil && !strings.Contains(string(text), `"DE"`) {
			err = errors.New("it is not there")
		}
		return err
	})
	noted, err := filepath.Glob(savedSwitches)
	if err != nil || len(noted) < 2 {
		t.Fatalf("systemd-rfkill has noted %v, %v", noted, err)
	}
	for _, file := range noted {
		overwrite(t, file, "1\n")
	}
}

// savedSwitches are where systemd-rfkill(8) keeps over a reboot which radios are blocked.
const savedSwitches = "/var/lib/systemd/rfkill/*"

// TestBoot2Connected finds it back on the network without a phone's doing, and erases it with the
// phone that bonded before the reboot.
func TestBoot2Connected(t *testing.T) {
	g := found(t)
	g.event("radio-unblocked", "WIFIPROVD_RADIO=Bluetooth")
	g.event("radio-unblocked", "WIFIPROVD_RADIO=Wi-Fi", "WIFIPROVD_COUNTRY=DE")
	g.becomes(central.StatusConnecting)
	e := g.becomes(central.StatusConnected)
	t.Logf("CONNECTED %s after the boot of the kernel", e.sinceBoot())
	waitFor(t, "online", patience, func() error { return g.online(1) })

	p := newPhone(t, "", nil)
	p.connect()
	p.watch()
	p.command(central.ControlErase)
	p.expect(central.StatusIdle)
	g.becomes(central.StatusIdle)
	g.stores(nil)
	p.leave()
}

// TestBoot3Erased finds it still erased, and waiting for a phone.
func TestBoot3Erased(t *testing.T) {
	g := found(t)
	g.becomes(central.StatusIdle)
	g.stores(nil)
	newPhone(t, "", nil).find()
	if a := leased(t); len(a) > 0 {
		t.Errorf("%s has %v", wlan, a)
	}
	if _, i := g.journal.find(0, showing(central.StatusConnecting)); i >= 0 {
		t.Error("it tried to join a network")
	}
}
