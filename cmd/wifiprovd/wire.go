package main

import (
	"context"
	"errors"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"github.com/wifiprovd/wifiprovd/internal/bluez"
	"github.com/wifiprovd/wifiprovd/internal/bluez/gatt"
	"github.com/wifiprovd/wifiprovd/internal/config"
	"github.com/wifiprovd/wifiprovd/internal/control"
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

	services, operators := forPhones(d, c, log), forOperators(d, c, log)
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
		Services:            services,
		Log:                 log,
		CentralConnected:    both(operators.CentralConnected, d.CentralConnected),
		CentralDisconnected: both(operators.CentralDisconnected, d.CentralDisconnected),
		Passkey:             d.Passkey,
		Bonded:              d.Bonded,
		AdvertisingUp:       both(operators.AdvertisingUp, d.AdvertisingUp),
		AdvertisingDown:     both(operators.AdvertisingDown, d.AdvertisingDown),
	})
	d.Supplicant, d.Peripheral = supplicant, peripheral

	group, ctx := errgroup.WithContext(ctx)
	follow := func(ctx context.Context) error { return netaddr.Follow(ctx, c.Wifi.Interface, log, d.Addresses) }
	for _, run := range []func(context.Context) error{d.Run, supplicant.Run, peripheral.Run, follow, operators.Run} {
		group.Go(func() error { return run(ctx) })
	}
	return ignoreEnd(group.Wait())
}

// forPhones gives the daemon the services that phones use, and returns them.
func forPhones(d *daemon.Daemon, c config.Config, log *slog.Logger) []gatt.Service {
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
	return []gatt.Service{provisioning.Service(), more.Service()}
}

// forOperators gives the daemon its interface on the system bus, and returns it.
func forOperators(d *daemon.Daemon, c config.Config, log *slog.Logger) *control.Server {
	operators := control.NewServer(control.ServerConfig{
		Version:  version,
		Security: string(c.Bluetooth.Security),
		Log:      log,
		Erase:    func() error { return d.Erase("") },
	})
	d.Report = func(r daemon.Report) { operators.SetState(controlState(r)) }
	d.Trying = operators.SetSSID
	return operators
}

// controlState is a report as the D-Bus interface has it.
func controlState(r daemon.Report) control.State {
	return control.State{
		Name:      r.State.Status.String(),
		Phase:     r.State.Phase.String(),
		Why:       r.Why,
		Next:      r.Next,
		Since:     r.Since,
		Reason:    r.State.Reason,
		Advertise: r.State.Advertising,
		Network:   r.Network,
		IPv4:      r.Addresses.IPv4,
		IPv6:      r.Addresses.IPv6,
		Gateway:   r.Addresses.Gateway,
	}
}

// both calls two callbacks, one after the other.
func both(first, second func(string)) func(string) {
	return func(s string) {
		first(s)
		second(s)
	}
}

// ignoreEnd drops the error of a part that was told to end.
func ignoreEnd(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
