package daemon

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// inForce fails unless the snapshot and the store have these countries, and the back-end
// was told of those.
func (b *bench) inForce(shown, stored wifi.Country, told ...wifi.Country) {
	b.t.Helper()
	synctest.Wait()
	if got := b.Snapshot().Country; got != shown {
		b.t.Errorf("the country shown is %q, want %q", got, shown)
	}
	if got, _ := b.store.Country(); got != stored {
		b.t.Errorf("the country stored is %q, want %q", got, stored)
	}
	b.air.mu.Lock()
	defer b.air.mu.Unlock()
	if !slices.Equal(b.air.countries, told) {
		b.t.Errorf("the back-end was told %q, want %q", b.air.countries, told)
	}
}

// TestCountryOfAPhone: it is stored, in force, and the radios are unblocked, before a
// CONNECT that comes after it is carried out. An ERASE forgets it.
func TestCountryOfAPhone(t *testing.T) {
	unblocked := 0
	prepare := func(b *bench, c *Config) {
		c.Unblock = func(context.Context) error { unblocked++; return nil }
	}
	runWith(t, &memStore{}, prepare, func(b *bench) {
		b.expect(gateway.Idle)
		b.inForce("", "")
		if err := b.SetCountry(gateway.Phone("A"), "DE"); err != nil {
			t.Fatal(err)
		}
		b.connect("A", "home")
		wait(t, b.air.joins, "join")
		b.inForce("DE", "DE", "DE")
		if unblocked != 1 {
			t.Errorf("the radios were unblocked %d times", unblocked)
		}
		if err := b.SetCountry(gateway.Phone("B"), "FR"); !errors.Is(err, gateway.ErrBusy) {
			t.Errorf("another phone is answered %v during the attempt", err)
		}
		b.air.out <- nil
		b.expect(gateway.Connecting, gateway.Connected)
		b.WifiUsable("wlan0", "wpa_supplicant", "")
		if err := b.SetCountry(gateway.Phone("A"), "DE"); err != nil { // nothing new
			t.Error(err)
		}
		b.inForce("DE", "DE", "DE")
		if unblocked != 1 {
			t.Errorf("the radios were unblocked %d times", unblocked)
		}
		b.WifiUsable("wlan0", "wpa_supplicant", "blocked")
		if err := b.SetCountry(gateway.Phone("A"), "DE"); err != nil { // as the owner who tries again
			t.Error(err)
		}
		b.inForce("DE", "DE", "DE")
		if unblocked != 2 {
			t.Errorf("the radios were unblocked %d times", unblocked)
		}
		if err := b.Erase(gateway.Phone("A")); err != nil {
			t.Fatal(err)
		}
		b.expect(gateway.Idle)
		b.inForce("", "", "DE")
		if err := b.SetCountry(gateway.Requester{}, "DE"); !errors.Is(err, gateway.ErrNobody) {
			t.Errorf("nobody is answered %v", err)
		}
	})
}

// TestCountryAfterErase: what is written after an ERASE was accepted outlives it.
func TestCountryAfterErase(t *testing.T) {
	run(t, proven("home"), func(b *bench) {
		b.expect(gateway.Connecting)
		b.join(nil)
		b.expect(gateway.Connected)
		if err := errors.Join(b.Erase(gateway.Phone("A")), b.SetCountry(gateway.Phone("A"), "DE")); err != nil {
			t.Fatal(err)
		}
		b.expect(gateway.Idle)
		b.inForce("DE", "DE", "DE")
	})
}

// TestCountryAtTheStart: the configuration's word comes before a phone's.
func TestCountryAtTheStart(t *testing.T) {
	run(t, &memStore{country: "DE"}, func(b *bench) {
		b.expect(gateway.Idle)
		b.inForce("DE", "DE", "DE")
	})
	configured := func(_ *bench, c *Config) { c.Country = "FR" }
	runWith(t, &memStore{country: "DE"}, configured, func(b *bench) {
		b.expect(gateway.Idle)
		b.inForce("FR", "DE", "FR")
		if err := b.SetCountry(gateway.Phone("A"), "GB"); !errors.Is(err, gateway.ErrConfigured) {
			t.Errorf("another country is answered %v", err)
		}
		if err := b.SetCountry(gateway.Phone("A"), "FR"); err != nil {
			t.Errorf("the same country is answered %v", err)
		}
		b.inForce("FR", "DE", "FR")
	})
}
