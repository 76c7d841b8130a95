package main

import (
	"context"
	"log/slog"

	"github.com/wifiprovd/wifiprovd/internal/bluez"
	"github.com/wifiprovd/wifiprovd/internal/config"
	"github.com/wifiprovd/wifiprovd/internal/control"
	"github.com/wifiprovd/wifiprovd/internal/credstore"
	"github.com/wifiprovd/wifiprovd/internal/custom"
	"github.com/wifiprovd/wifiprovd/internal/daemon"
	"github.com/wifiprovd/wifiprovd/internal/iface"
	"github.com/wifiprovd/wifiprovd/internal/journal"
	"github.com/wifiprovd/wifiprovd/internal/netaddr"
	"github.com/wifiprovd/wifiprovd/internal/profile"
	"github.com/wifiprovd/wifiprovd/internal/systemd"
	"github.com/wifiprovd/wifiprovd/internal/wpa"
)

// serve runs the daemon's parts until ctx ends, or until one of them cannot go on.
func serve(ctx context.Context, c config.Config, log *slog.Logger) error {
	sealed := sealing(c.Store.Seal, log)
	store := credstore.Open(c.Store.Dir, sealed, log)
	codes := keeper(c.Store.Dir, sealed, log)
	lines := journal.Observer{Log: log, Name: c.Bluetooth.Name}
	notifier := systemd.New(log)
	networks, finder := backend(c, store, log)
	peripheral := bluez.New(bluez.Config{Adapter: c.Bluetooth.Adapter, Name: c.Bluetooth.Name, Log: log, Passkey: lines.Passkey})
	d := daemon.New(daemon.Config{
		Log:            log,
		Store:          store,
		Networks:       networks,
		Peripheral:     peripheral,
		Pairing:        c.Bluetooth.Security,
		ConnectTimeout: c.Wifi.ConnectTimeout,
		AddressTimeout: c.Wifi.AddressTimeout,
		Access:         c.Bluetooth.Access,
		Window:         c.Bluetooth.Window,
		Country:        c.Wifi.Country,
		Unblock:        unblock(c),
		Watchdog:       systemd.Watchdog(log),
		Alive:          notifier.Alive,
	})
	exchange := custom.NewExchange(log)
	phones, box := protocols(ctx, c, d, exchange, log)
	app, phones := application(phones, box, door(d))
	adverts := profile.NewAdvertiser(phones, peripheral.Advertise)
	box.news = func() {
		peripheral.Offer(box.offered.Load())
		adverts.Refresh()
		d.Code(box.state(), box.shut())
	}
	operators := control.NewServer(control.ServerConfig{
		Version: version, Security: c.Bluetooth.Security, Access: c.Bluetooth.Access, Log: log, Control: d, Custom: exchange,
	})
	signs, signTasks := boxSigns(c, log, d, finder.Name)
	observers := append(signs, lines, notifier, operators, phones, adverts)
	return runTasks(ctx, append(signTasks, []task{
		{"gateway", func(ctx context.Context) error { return d.Run(ctx, observers...) }},
		{"Wi-Fi", func(ctx context.Context) error { return networks.Run(ctx, d.WifiUsable) }},
		{"Bluetooth", func(ctx context.Context) error { return peripheral.Run(ctx, app, d) }},
		{"code", func(ctx context.Context) error { return followCode(ctx, codes, box) }},
		{"addresses", func(ctx context.Context) error {
			return netaddr.Follow(ctx, finder.Name, log, d.Addresses)
		}},
		{"D-Bus interface", operators.Run},
		{"systemd", notifier.Run},
		{"runtime report", func(ctx context.Context) error { return reportRuntime(ctx, log) }},
	}...))
}

// application returns what BlueZ serves, and the protocols of it with that of the code before
// them: what the apps look for is to be advertised first.
func application(phones profile.Set, box *codeDoor, door profile.Door) (bluez.Application, profile.Set) {
	app := bluez.Application{Services: profile.Guarded(phones.Services(), door)}
	if box.prover != nil {
		app.Coming = profile.Guarded(box.prover.Services(), door)
		phones = append(profile.Set{box.prover}, phones...)
	}
	app.Gone = phones.Gone
	return app, phones
}

// backend returns what joins networks, and what knows with which interface.
func backend(c config.Config, store *credstore.Store, log *slog.Logger) (*wpa.Client, *iface.Finder) {
	finder := iface.New(c.Wifi.Interface, log)
	networks := wpa.New(wpa.Config{
		Interface: finder.Find, Backend: wpa.BackendOf(c.Wifi.Backend), ScanIdle: c.Wifi.ScanIdle, Log: log,
		Stored: func() bool {
			known, _, err := store.Networks()
			return err != nil || len(known) > 0
		},
	})
	finder.Changed = networks.Look
	return networks, finder
}
