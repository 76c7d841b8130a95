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

// The tests in this file are chapters of two stories over reboots of the machine: of /etc, what is
// wifiprovd's survives one.

// bootAP is on at every boot: /var survives.
var bootAP = AP{SSID: "the home of the gateway", Security: wifi.WPA2PSK, Passphrase: "three boots passphrase"}

// TestBoot1Provisioned leaves a gateway that is on a network, in a country that a phone has named. All
// radios are noted as blocked, as by the maker of Raspberry Pi OS, and are at the next boot.
func TestBoot1Provisioned(t *testing.T) {
	atHome(t)
	blockRadios(t)
}

// atHome provisions the gateway, and has the phone tell it its country.
func atHome(t *testing.T) *gateway {
	t.Helper()
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
	return g
}

// savedSwitches are where systemd-rfkill(8) keeps over a reboot which radios are blocked.
const savedSwitches = "/var/lib/systemd/rfkill/*"

// blockRadios has all radios be blocked at the next boot.
func blockRadios(t *testing.T) {
	t.Helper()
	noted, err := filepath.Glob(savedSwitches)
	if err != nil || len(noted) < 2 {
		t.Fatalf("systemd-rfkill has noted %v, %v", noted, err)
	}
	for _, file := range noted {
		overwrite(t, file, "1\n")
	}
}

// reconnects checks that the gateway, whose radios were blocked at boot, joins its network without a phone's doing.
func (g *gateway) reconnects() {
	g.t.Helper()
	g.event("radio-unblocked", "WIFIPROVD_RADIO=Bluetooth")
	g.event("radio-unblocked", "WIFIPROVD_RADIO=Wi-Fi", "WIFIPROVD_COUNTRY=DE")
	g.becomes(central.StatusConnecting)
	e := g.becomes(central.StatusConnected)
	g.t.Logf("CONNECTED %s after the boot of the kernel", e.sinceBoot())
	waitFor(g.t, "online", patience, func() error { return g.online(1) })
}

// TestBoot2Connected finds it back on the network without a phone's doing, and erases it with the
// phone that bonded before the reboot.
func TestBoot2Connected(t *testing.T) {
	g := found(t)
	g.reconnects()

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
	g.staysOut()
}

// staysOut checks that the gateway has not tried to join a network since the boot.
func (g *gateway) staysOut() {
	g.t.Helper()
	if a := leased(g.t); len(a) > 0 {
		g.t.Errorf("%s has %v", wlan, a)
	}
	if _, i := g.journal.find(0, showing(central.StatusConnecting)); i >= 0 {
		g.t.Error("it tried to join a network")
	}
}

// TestBoot3SealedByTPM begins the other story: it leaves a gateway that is on a network, with a code on its label. The
// key of its store is bound to a TPM, which the board has at each boot.
func TestBoot3SealedByTPM(t *testing.T) {
	startTPM(t)
	g := atHome(t)
	g.newCode()
	g.seals("tpm2", "")
	g.event("store-sealed")
	g.becomes(central.StatusConnected)
	g.sealed(bootAP)
	g.codeSealed(true)
	blockRadios(t)
}

// TestBoot4OpenedByTPM finds it back on the network without anybody's doing: the TPM has opened the key. Then the
// disk moves to a board whose TPM is another one.
func TestBoot4OpenedByTPM(t *testing.T) {
	g := found(t)
	g.reconnects()
	g.sealed(bootAP)
	g.codeSealed(true)
	if _, results := examined(t); results["seal"].Verdict != "ok" || !strings.Contains(results["seal"].Message, "TPM") {
		t.Errorf("doctor says %+v", results["seal"])
	}
	anotherTPM(t)
}

// TestBoot5AnotherTPM finds it waiting for a phone, and saying why. All that is sealed is still there. The phone that
// bonded before the reboots provisions it anew.
func TestBoot5AnotherTPM(t *testing.T) {
	g := found(t)
	unsealed(t)
	t.Cleanup(func() { removeTPM(t) })
	g.event("store-locked", "PRIORITY=3")
	g.codeTold("code-broken", "PRIORITY=3")
	g.becomes(central.StatusIdle)
	doctorFinds(t, "seal", "another board", "--new-key")
	g.sealed(bootAP)
	g.codeSealed(true)
	g.staysOut()

	p := newPhone(t, "", nil)
	p.connect()
	p.watch()
	p.provision(bootAP.SSID, bootAP.Passphrase, wifi.AutoDetect)
	p.until(central.StatusConnected)
	g.becomes(central.StatusConnected)
	g.sealed(bootAP)
	p.leave()
}
