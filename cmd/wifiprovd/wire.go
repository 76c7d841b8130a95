package main

import (
	"context"
	"errors"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"github.com/wifiprovd/wifiprovd/internal/bluez"
	"github.com/wifiprovd/wifiprovd/internal/bluez/gatt"
	"github.com/wifiprovd/wifiprovd/internal/config"
	"github.com/wifiprovd/wifiprovd/internal/credstore"
	"github.com/wifiprovd/wifiprovd/internal/daemon"
	"github.com/wifiprovd/wifiprovd/internal/fsm"
	"github.com/wifiprovd/wifiprovd/internal/netaddr"
	"github.com/wifiprovd/wifiprovd/internal/profile/details"
	"github.com/wifiprovd/wifiprovd/internal/profile/native"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
	"github.com/wifiprovd/wifiprovd/internal/wpa"
)

var securityLevels = map[config.Security]bluez.Security{
	config.SecurityNone:          bluez.None,
	config.SecurityEncrypt:       bluez.Encrypt,
	config.SecurityAuthenticated: bluez.Authenticated,
}

// serve runs the daemon's parts until ctx ends, or until one of them cannot go on.
func serve(ctx context.Context, c config.Config, log *slog.Logger) error {
	store, err := credstore.Open(c.Store.Dir, log)
	if err != nil {
		return err
	}
	d := daemon.New(daemon.Config{
		Log:             log,
		Store:           store,
		ConnectTimeout:  c.Wifi.ConnectTimeout,
		AddressTimeout:  c.Wifi.AddressTimeout,
		KeepAdvertising: c.Bluetooth.KeepAfterConnect,
		Name:            c.Bluetooth.Name,
		Security:        string(c.Bluetooth.Security),
	})

	provisioning := native.New(d, log)
	more := details.New(details.Config{
		Device:    device("/sys", c),
		StartScan: d.LookAround,
		Refresh:   d.Refresh,
	})
	d.Publish = func(status fsm.Status, reason wifi.Failure) {
		more.Publish(reason) // first: a phone that sees FAILED can read why
		provisioning.Publish(byte(status))
	}
	d.PublishReason, d.Details = more.Publish, more
	d.CentralGone = func(address string) {
		provisioning.CentralGone(address)
		more.CentralGone(address)
	}

	supplicant := wpa.New(wpa.Options{
		Interface:   c.Wifi.Interface,
		Country:     c.Wifi.Country,
		Log:         log,
		OnLost:      d.LinkLost,
		OnAvailable: d.WifiAvailable,
	})
	peripheral := bluez.New(bluez.Config{
		Adapter:             c.Bluetooth.Adapter,
		Name:                c.Bluetooth.Name,
		Security:            securityLevels[c.Bluetooth.Security],
		Services:            []gatt.Service{provisioning.Service(), more.Service()},
		Log:                 log,
		CentralConnected:    d.CentralConnected,
		CentralDisconnected: d.CentralDisconnected,
		Passkey:             d.Passkey,
		Bonded:              d.Bonded,
		AdvertisingUp:       d.AdvertisingUp,
		AdvertisingDown:     d.AdvertisingDown,
	})
	d.Supplicant, d.Peripheral = supplicant, peripheral

	group, ctx := errgroup.WithContext(ctx)
	follow := func(ctx context.Context) error { return netaddr.Follow(ctx, c.Wifi.Interface, log, d.Addresses) }
	for _, run := range []func(context.Context) error{d.Run, supplicant.Run, peripheral.Run, follow} {
		group.Go(func() error { return run(ctx) })
	}
	return ignoreEnd(group.Wait())
}

// ignoreEnd drops the error of a part that was told to end.
func ignoreEnd(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
