package daemon

import (
	"context"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// countryTimeout bounds how long the back-end may take for another country, and how long
// the radios may take to be unblocked.
const countryTimeout = 15 * time.Second

// startCountry finds out where the gateway is: the configuration's word comes first.
func (a *attempts) startCountry(l *loop) {
	country := a.cfg.Country
	if country == "" {
		country, _ = a.cfg.Store.Country() // a store that cannot be read is told by Networks
	}
	l.draft.Country = country
	if country != "" {
		a.work.do(func() { a.tellBackend(l.ctx, country) })
	}
}

// setCountry takes a country from r. What is asked for later waits until it is in force.
func (a *attempts) setCountry(l *loop, r gateway.Requester, c wifi.Country) error {
	switch {
	case !admits(l, r):
		return gateway.ErrShut
	case a.behind() || l.Snapshot().Busy(r):
		return gateway.ErrBusy
	}
	if l.draft.Country == c {
		if l.draft.WifiProblem != "" { // it did not help the first time, or somebody blocked the radio since
			a.work.do(func() { a.unblock(l.ctx) })
		}
		return nil
	}
	countryIs(l, c)
	a.work.do(func() {
		if err := a.cfg.Store.SetCountry(c); err != nil {
			a.cfg.Log.Error("cannot save the country", "err", err)
		}
		a.post(func(l *loop) { countryIs(l, c) }) // an ERASE before this may have forgotten it
		a.tellBackend(l.ctx, c)
		a.unblock(l.ctx)
	})
	return nil
}

func (a *attempts) tellBackend(ctx context.Context, c wifi.Country) {
	ctx, cancel := context.WithTimeout(ctx, countryTimeout)
	defer cancel()
	if err := a.cfg.Networks.SetCountry(ctx, c); err != nil {
		a.cfg.Log.Warn("the Wi-Fi country is not in force yet", "country", c, "err", err)
	}
}

func (a *attempts) unblock(ctx context.Context) {
	if a.cfg.Unblock == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, countryTimeout)
	defer cancel()
	if err := a.cfg.Unblock(ctx); err != nil {
		a.cfg.Log.Warn("cannot have the radios unblocked", "err", err)
	}
}

func countryIs(l *loop, c wifi.Country) {
	l.draft.Country = c
	l.publish()
}
