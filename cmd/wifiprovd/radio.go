package main

import (
	"context"
	"log/slog"
	"os/signal"
	"syscall"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/config"
	"github.com/wifiprovd/wifiprovd/internal/credstore"
	"github.com/wifiprovd/wifiprovd/internal/nm"
	"github.com/wifiprovd/wifiprovd/internal/radio"
	"github.com/wifiprovd/wifiprovd/internal/systemd"
)

const (
	radioUnit   = "wifiprovd-radio.service"
	cureTimeout = 20 * time.Second // less than the unit's
)

// cure is wifiprovd -radio: it unblocks the radios, and returns the exit status.
func cure(c config.Config, log *slog.Logger) int {
	signal.Ignore(syscall.SIGTERM) // udev's restart for the next radio waits: what was done is also told
	ctx, cancel := context.WithTimeout(context.Background(), cureTimeout)
	defer cancel()
	country, source := c.Wifi.Country, "wifi.country"
	if country == "" { // what the daemon puts in force, in the same order
		source = "a phone"
		var err error
		if country, err = credstore.ReadCountry(c.Store.Dir); err != nil {
			log.Warn("the store cannot be read; has a phone named the country?", "err", err)
		}
	}
	err := radio.Cure(ctx, radio.Config{
		Root:    "/",
		Country: country,
		Source:  source,
		Unblock: c.Radio.Unblock,
		Kernel:  radio.Linux{},
		Manager: nm.Wireless{},
		Log:     log,
	})
	if err != nil {
		log.Error("not everything could be unblocked", "event", "radio-blocked", "err", err)
		return exFailure
	}
	return 0
}

// unblock returns what the daemon does when a phone has named the country; nil: nothing. It has
// rights for nothing itself: the unit has.
func unblock(c config.Config) func(context.Context) error {
	if !c.Radio.Unblock {
		return nil
	}
	return func(ctx context.Context) error { return systemd.RestartUnit(ctx, radioUnit) }
}
