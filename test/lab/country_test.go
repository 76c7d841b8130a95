//go:build lab

package lab

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/central"
)

// TestCountry: a phone's country is in force at once, after a restart, and until ERASE.
func TestCountry(t *testing.T) {
	t.Run("wpa_supplicant", testCountry)
	t.Run("NetworkManager", func(t *testing.T) {
		manager.use(t)
		testCountry(t)
	})
}

func testCountry(t *testing.T) {
	g := startIn(t, nil)
	p := ready(t, true)
	p.hasCountry("")
	for code, want := range map[string]error{
		"00": attUnknownCountry, "XX": attUnknownCountry, "UK": attUnknownCountry,
		"de": attUnknownCountry, "D": attInvalidLength, "DEU": attInvalidLength, "": attInvalidLength,
	} {
		if err := p.write(central.CountryUUID, []byte(code)); !errors.Is(err, want) {
			t.Errorf("%q is answered %v, want %v", code, err, want)
		}
	}
	p.hasCountry("")
	p.mustWrite(central.CountryUUID, 'D', 'E')
	g.event("country", "WIFIPROVD_COUNTRY=DE")
	rulesOf(t, "DE")
	p.hasCountry("DE")
	p.leave()

	run(t, "iw", "reg", "set", onlyBand24)
	rulesOf(t, onlyBand24)
	systemctl(t, "restart", unit)
	rulesOf(t, "DE")
	p = ready(t, true)
	p.hasCountry("DE")
	p.command(central.ControlErase)
	p.expect(central.StatusIdle)
	g.event("country")
	p.hasCountry("")
}

// TestConfiguredCountry: phones cannot change it.
func TestConfiguredCountry(t *testing.T) {
	startIn(t, map[string]string{"wifi.country": "FR"})
	rulesOf(t, "FR")
	p := ready(t, true)
	p.hasCountry("FR")
	if err := p.write(central.CountryUUID, []byte("DE")); !errors.Is(err, attConfiguredCountry) {
		t.Errorf("another one is answered %v", err)
	}
	p.mustWrite(central.CountryUUID, 'F', 'R')
	p.command(central.ControlErase)
	p.expect(central.StatusIdle)
	p.hasCountry("FR")
	rulesOf(t, "FR")
}

// startIn starts a gateway that may change the country of this machine.
func startIn(t *testing.T, config map[string]string) *gateway {
	t.Helper()
	t.Cleanup(func() { countryNow = "" })
	return start(t, situation{config: config})
}

// hasCountry checks what the phone reads.
func (p *phone) hasCountry(want string) {
	p.t.Helper()
	if got, err := p.session.Read(p.deadline(), central.CountryUUID); string(got) != want || err != nil {
		p.t.Errorf("the country is %q, %v; want %q", got, err, want)
	}
}

// rulesOf waits until the kernel works by the rules of a country.
func rulesOf(t *testing.T, country string) {
	t.Helper()
	waitFor(t, "radio rules of "+country, patience, func() error {
		if rules := run(t, "iw", "reg", "get"); !strings.Contains(rules, "country "+country+":") {
			return fmt.Errorf("they are %s", rules)
		}
		return nil
	})
}
