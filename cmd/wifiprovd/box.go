package main

import (
	"context"
	"log/slog"
	"strings"

	"github.com/wifiprovd/wifiprovd/internal/button"
	"github.com/wifiprovd/wifiprovd/internal/config"
	"github.com/wifiprovd/wifiprovd/internal/daemon"
	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/led"
	"github.com/wifiprovd/wifiprovd/internal/netaddr"
	"github.com/wifiprovd/wifiprovd/internal/profile"
	"github.com/wifiprovd/wifiprovd/internal/systemd"
)

// boxSigns returns what a person at the box sees and does, beside the phones: the targets,
// the LED, the button; and what makes the gateway online beside its Wi-Fi. What is not
// configured costs nothing. wifi returns the name of the Wi-Fi's interface.
func boxSigns(c config.Config, log *slog.Logger, d *daemon.Daemon, wifi func() string) ([]gateway.Observer, []task) {
	targets := systemd.NewTargets(log, "")
	observers, tasks := []gateway.Observer{targets}, []task{{"targets", targets.Run}}
	if c.LED.Name != "" {
		lamp := led.New(c.LED.Name, "", log)
		observers, tasks = append(observers, lamp), append(tasks, task{"LED", lamp.Run})
	}
	if c.Button.Key != 0 {
		tasks = append(tasks, task{"button", func(ctx context.Context) error {
			return button.Run(ctx, button.Config{
				Key: c.Button.Key, Device: c.Button.Device,
				Hold: c.Button.Hold, EraseAfter: c.Button.EraseAfter,
				Log: log, Control: d,
			})
		}})
	}
	if c.Bluetooth.Access == gateway.AccessOffline && c.Bluetooth.AccessIgnores != "*" {
		others := netaddr.Others{Wifi: wifi, Ignores: strings.Fields(c.Bluetooth.AccessIgnores)}
		tasks = append(tasks, task{"other interfaces", func(ctx context.Context) error {
			return netaddr.FollowOthers(ctx, others, log, d.OnlineElsewhere)
		}})
	}
	return observers, tasks
}

// door returns whether phones are served, as the latest Snapshot says.
func door(d *daemon.Daemon) profile.Door {
	return profile.Door{
		MayRead:  func() bool { return d.Snapshot().MayRead() },
		MayWrite: func() bool { return d.Snapshot().MayWrite() },
	}
}
