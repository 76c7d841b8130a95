package main

import (
	"context"
	"log/slog"

	"github.com/wifiprovd/wifiprovd/internal/bluez"
	"github.com/wifiprovd/wifiprovd/internal/config"
	"github.com/wifiprovd/wifiprovd/internal/control"
	"github.com/wifiprovd/wifiprovd/internal/credstore"
	"github.com/wifiprovd/wifiprovd/internal/daemon"
	"github.com/wifiprovd/wifiprovd/internal/journal"
	"github.com/wifiprovd/wifiprovd/internal/netaddr"
	"github.com/wifiprovd/wifiprovd/internal/profile"
	"github.com/wifiprovd/wifiprovd/internal/systemd"
	"github.com/wifiprovd/wifiprovd/internal/wpa"
)

// serve runs the daemon's parts until ctx ends, or until one of them cannot go on.
func serve(ctx context.Context, c config.Config, log *slog.Logger) error {
	store := credstore.Open(c.Store.Dir, log)
	lines := journal.Observer{Log: log, Name: c.Bluetooth.Name}
	notifier := systemd.New(log)
	networks := wpa.New(wpa.Config{
		Interface: c.Wifi.Interface, Backend: wpa.BackendOf(c.Wifi.Backend), ScanIdle: c.Wifi.ScanIdle, Log: log,
		Stored: func() bool {
			known, _, err := store.Networks()
			return err != nil || len(known) > 0
		},
	})
	peripheral := bluez.New(bluez.Config{Adapter: c.Bluetooth.Adapter, Name: c.Bluetooth.Name, Log: log, Passkey: lines.Passkey})
	d := daemon.New(daemon.Config{
		Log:             log,
		Store:           store,
		Networks:        networks,
		Peripheral:      peripheral,
		Pairing:         c.Bluetooth.Security,
		ConnectTimeout:  c.Wifi.ConnectTimeout,
		AddressTimeout:  c.Wifi.AddressTimeout,
		KeepAdvertising: c.Bluetooth.KeepAfterConnect,
		Country:         c.Wifi.Country,
		Watchdog:        systemd.Watchdog(log),
		Alive:           notifier.Alive,
	})
	phones := protocols(ctx, c, d, log)
	operators := control.NewServer(control.ServerConfig{
		Version: version, Security: c.Bluetooth.Security, Log: log, Control: d,
	})

	return runTasks(ctx, []task{
		{"gateway", func(ctx context.Context) error {
			return d.Run(ctx, lines, notifier, operators, phones, profile.NewAdvertiser(phones, peripheral.Advertise))
		}},
		{"Wi-Fi", func(ctx context.Context) error { return networks.Run(ctx, d.WifiUsable) }},
		{"Bluetooth", func(ctx context.Context) error {
			return peripheral.Run(ctx, bluez.Application{Services: phones.Services(), Gone: phones.Gone}, d)
		}},
		{"addresses", func(ctx context.Context) error {
			return netaddr.Follow(ctx, c.Wifi.Interface, log, d.Addresses)
		}},
		{"D-Bus interface", operators.Run},
		{"systemd", notifier.Run},
		{"runtime report", func(ctx context.Context) error { return reportRuntime(ctx, log) }},
	})
}
