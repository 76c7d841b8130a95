package wpa

import (
	"context"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// SetCountry has the radio work by the rules of a country, now and whenever
// wpa_supplicant or the interface comes back. It waits for a Join or a Scan to end. What
// was heard before does not count any more: there may be other channels. While
// wpa_supplicant is not there it returns nil.
func (c *Client) SetCountry(ctx context.Context, country wifi.Country) error {
	t, err := c.take(ctx)
	if err != nil {
		return err
	}
	defer c.give(t)
	c.country.Store(&country)
	dev := c.view.Load().dev
	if dev == nil {
		return nil
	}
	// An interface that was found before this has an older country, or this one by now.
	if err := dev.set(ctx, "Country", string(country)); err != nil {
		return msgbus.Plain(err)
	}
	t.heard, t.sought = time.Time{}, ""
	return nil
}
