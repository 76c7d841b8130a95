//go:build lab

package lab

import (
	"os"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const (
	radioUnit   = "wifiprovd-radio.service"
	radioReport = "/run/wifiprovd-radio"
	managerFile = "/var/lib/NetworkManager/NetworkManager.state"
)

// TestFreshPi: a gateway like a Raspberry Pi OS that was just written, all radios blocked and no
// country known. A phone finds it, tells it the country, and provisions it.
func TestFreshPi(t *testing.T) {
	t.Run("wpa_supplicant", func(t *testing.T) { firstBoot(t, freshPi(t)) })
	t.Run("NetworkManager", func(t *testing.T) {
		manager.use(t)
		firstBoot(t, freshPi(t))
	})
	t.Run("NetworkManager with a profile", func(t *testing.T) {
		manager.use(t)
		g := freshPi(t)
		other := AP{SSID: "Imager's network", Security: wifi.WPA2PSK, Passphrase: "Imager's passphrase"}
		run(t, "nmcli", "connection", "add", "save", "no", "type", "wifi", "con-name", "preconfigured", "ifname", wlan,
			"ssid", other.SSID, "wifi-sec.key-mgmt", "wpa-psk", "wifi-sec.psk", other.Passphrase)
		firstBoot(t, g, other)
		if out := run(t, "nmcli", "-g", "NAME", "connection", "show"); !strings.Contains(out, "preconfigured") {
			t.Errorf("the profile is gone: %s", out)
		}
	})
}

// firstBoot starts g, has a phone tell it the country and a network, and restarts it. Other
// networks are there as well.
func firstBoot(t *testing.T, g *gateway, others ...AP) {
	t.Helper()
	home := AP{SSID: "first home", Security: wifi.WPA2PSK, Passphrase: "passphrase of the first boot"}
	if !manager.on { // which has blocked the access points' radios, too
		startAPs(t, home)
	}
	before := g.from
	g.start()
	g.event("radio-unblocked", "WIFIPROVD_RADIO=Bluetooth")
	g.event("radio-blocked", "WIFIPROVD_RADIO=Wi-Fi")
	g.from = before // the daemon does not wait for the unit
	g.event("wifi-unusable", "MESSAGE~rfkill")
	doctorFinds(t, "interface", "blocked", "country")
	p := ready(t, true)

	before = g.from
	p.mustWrite(central.CountryUUID, 'D', 'E')
	if !manager.on { // and at once: CONNECT waits until the radio may send
		p.provision(home.SSID, home.Passphrase, wifi.AutoDetect)
		p.expect(central.StatusConnecting, central.StatusConnected)
	}
	g.event("radio-unblocked", "WIFIPROVD_RADIO=Wi-Fi", "WIFIPROVD_COUNTRY=DE")
	g.from = before // the daemon may say so first
	g.event("wifi-usable")
	rulesOf(t, "DE")
	_, results := examined(t)
	if r := results["radios"]; r.Verdict != "ok" || !strings.Contains(r.Message, "Bluetooth") || !strings.Contains(r.Message, "DE, says a phone") {
		t.Errorf("doctor says of the radios %+v", r)
	}
	mended(t, "interface")

	if manager.on {
		startAPs(t, append([]AP{home}, others...)...)
		p.provision(home.SSID, home.Passphrase, wifi.AutoDetect)
		p.until(central.StatusConnected)
	}
	p.leave()
	waitFor(t, "online", patience, func() error { return g.online(1) })

	systemctl(t, "stop", unit, radioUnit)
	if manager.on {
		systemctl(t, "restart", managerd)
	}
	systemctl(t, "restart", bluetoothd, supplicantd)
	g.from = g.journal.mark(t, "the second boot")
	g.start()
	g.becomes(central.StatusConnected)
	waitFor(t, "online", patience, func() error { return g.online(1) })
	g.stores(&home)
}

// freshPi blocks the gateway's radios, and NetworkManager's switch if it manages the interface, as at
// the first boot. The daemon and the unit before it are stopped.
func freshPi(t *testing.T, config ...string) *gateway {
	t.Helper()
	settings := map[string]string{}
	for _, c := range config {
		key, value, _ := strings.Cut(c, "=")
		settings[key] = value
	}
	t.Cleanup(func() {
		countryNow = ""
		unblockAll(t)
	})
	g := start(t, situation{config: settings, stopped: true})
	stopRadioUnit(t)
	run(t, "iw", "reg", "set", "00")
	countryNow = ""
	if manager.on {
		systemctl(t, "stop", managerd)
		if err := os.WriteFile(managerFile, []byte("[main]\nWirelessEnabled=false\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	rfkill(t, bluetoothSwitch, true)
	rfkill(t, wifiSwitch, true)
	if manager.on {
		systemctl(t, "start", managerd)
	}
	systemctl(t, "restart", bluetoothd)
	removeBonds(t)
	return g
}

func stopRadioUnit(t testing.TB) {
	t.Helper()
	systemctl(t, "stop", radioUnit)
	if err := os.RemoveAll(radioReport); err != nil {
		t.Fatal(err)
	}
}

// unblockAll undoes freshPi.
func unblockAll(t testing.TB) {
	t.Helper()
	rfkill(t, bluetoothSwitch, false)
	rfkill(t, wifiSwitch, false)
	if manager.on {
		run(t, "nmcli", "radio", "wifi", "on")
	}
	stopRadioUnit(t)
}

// TestUnblockNo: whoever wants nothing unblocked gets nothing unblocked, and is told.
func TestUnblockNo(t *testing.T) {
	g := freshPi(t, "radio.unblock=false", "wifi.country=DE")
	before := g.from
	g.start()
	g.event("radio-blocked", "WIFIPROVD_RADIO=Bluetooth")
	g.event("radio-blocked", "WIFIPROVD_RADIO=Wi-Fi")
	g.from = before
	g.event("not-advertising", "MESSAGE~rfkill")
	doctorFinds(t, "adapter", "blocked", "rfkill unblock bluetooth")
	doctorFinds(t, "interface", "blocked", "rfkill unblock wifi")
	_, results := examined(t)
	if r := results["radios"]; r.Verdict != "ok" || !strings.Contains(r.Message, "radio.unblock is false") {
		t.Errorf("doctor says of the radios %+v", r)
	}
	if _, i := g.journal.find(g.first, event("radio-unblocked")); i >= 0 {
		t.Error("something was unblocked")
	}
}

// TestSystemCountry: the country that the system has unblocks Wi-Fi, and is in force before.
func TestSystemCountry(t *testing.T) {
	const conf = "/etc/wpa_supplicant/wpa_supplicant.conf"
	g := freshPi(t)
	t.Cleanup(func() { _ = os.Remove(conf) })
	if err := os.WriteFile(conf, []byte("country=SE\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.start()
	g.event("country", "WIFIPROVD_COUNTRY=SE")
	g.event("radio-unblocked", "WIFIPROVD_RADIO=Wi-Fi", "WIFIPROVD_COUNTRY=SE")
	g.event("wifi-usable")
	rulesOf(t, "SE")

	// What an operator blocks afterwards stays blocked.
	g.from = g.journal.mark(t, "an operator")
	rfkill(t, wifiSwitch, true)
	g.event("wifi-unusable", "MESSAGE~rfkill")
	systemctl(t, "restart", unit)
	g.event("wifi-unusable", "MESSAGE~rfkill")
	if _, i := g.journal.find(g.from, event("radio-unblocked")); i >= 0 {
		t.Error("what the operator has blocked was unblocked")
	}
}
