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
	"github.com/wifiprovd/wifiprovd/internal/profile/espressif"
	"github.com/wifiprovd/wifiprovd/internal/profile/improv"
	"github.com/wifiprovd/wifiprovd/internal/profile/native"
)

// protocols returns the phone protocols that are configured, in the order of their handles, and
// whether they ask for the code on the box. The one that proves it is not among them: it is
// codeDoor.prover, and is served only while there is a code.
func protocols(
	ctx context.Context, c config.Config, control gateway.Control, exchange *custom.Exchange, log *slog.Logger,
) (phones profile.Set, door *codeDoor) {
	door = &codeDoor{rule: c.Bluetooth.RequireCode, log: log}
	behindCode := func(name string, p profile.Profile) {
		door.others = append(door.others, name)
		phones = append(phones, profile.NewBehindCode(p, door.shut, door.proved))
	}
	about := device("/sys", c)
	scans := profile.NewScanner(control.Scan, log)
	if c.Bluetooth.Protocols.Native {
		behindCode("native", native.New(native.Config{
			Control: control, Scans: scans, Device: about, Pairing: c.Bluetooth.Security, Log: log,
			Deliver: exchange.Deliver,
		}))
	}
	if c.Bluetooth.Protocols.Improv {
		behindCode("improv", improv.New(improv.Config{
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
	if c.Bluetooth.Protocols.Espressif {
		door.prover = espressif.New(espressif.Config{
			Control: control, Scans: scans, Deliver: exchange.Deliver, Name: about.Name, Log: log, Alone: door.alone,
		})
	}
	return phones, door
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
