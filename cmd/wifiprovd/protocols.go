package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/config"
	"github.com/wifiprovd/wifiprovd/internal/custom"
	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/hostname"
	"github.com/wifiprovd/wifiprovd/internal/profile"
	"github.com/wifiprovd/wifiprovd/internal/profile/improv"
	"github.com/wifiprovd/wifiprovd/internal/profile/native"
)

// protocols returns the phone protocols that are configured, in the order of their handles.
func protocols(
	ctx context.Context, c config.Config, control gateway.Control, exchange *custom.Exchange, log *slog.Logger,
) (phones profile.Set) {
	about := device("/sys", c)
	scans := profile.NewScanner(control.Scan, log)
	if c.Bluetooth.Protocols.Native {
		phones = append(phones, native.New(native.Config{
			Control: control, Scans: scans, Device: about, Pairing: c.Bluetooth.Security, Log: log,
			Deliver: exchange.Deliver,
		}))
	}
	if c.Bluetooth.Protocols.Improv {
		phones = append(phones, improv.New(improv.Config{
			Control:   control,
			Scans:     scans,
			Device:    improv.Device{Name: about.Name, Model: about.Model, Version: about.Version},
			Pairing:   c.Bluetooth.Security,
			URL:       c.Improv.URL,
			Authorize: c.Improv.Authorize,
			Identify:  control.Identify,
			Hosts:     hosts(ctx, log),
			Log:       log,
		}))
	}
	return phones
}

// hostsWait is how long the start may wait to learn who keeps the host name.
const hostsWait = 5 * time.Second

// hosts returns who keeps the host name, nil if there is nobody who could be asked.
func hosts(ctx context.Context, log *slog.Logger) improv.Hosts {
	ctx, cancel := context.WithTimeout(ctx, hostsWait)
	defer cancel()
	keeper := hostname.Keeper{}
	if err := keeper.Reachable(ctx); err != nil {
		log.Info("phones cannot read or set the host name", "err", err)
		return nil
	}
	return keeper
}
