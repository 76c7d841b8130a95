package bluez

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// removeAgain is how long RemoveDevice may take before it is called again: BlueZ 5.82
// does not answer if the connection to the device ends in that moment.
const removeAgain = 3 * time.Second

// RemoveBond makes an adapter forget a central, which is disconnected. A bond
// that does not exist is a success. RemoveBond waits until the adapter is there
// and powered, or ctx ends.
func (p *Peripheral) RemoveBond(ctx context.Context, b Bond) error {
	result := make(chan error, 1)
	var try func()
	try = func() {
		adapter := p.world.adapterAt(b.Adapter)
		switch {
		case ctx.Err() != nil:
		case adapter == "" || !p.world.flag(adapter, adapterInterface, "Powered"):
			p.deferred = append(p.deferred, try)
		default:
			p.removeAddress(ctx, adapter, b.Address, result)
		}
	}
	p.inbox.post(try)
	var err error
	select {
	case err = <-result:
	case <-ctx.Done():
		err = fmt.Errorf("adapter %s is not available, or does not answer: %w", b.Adapter, ctx.Err())
	}
	if err != nil {
		return fmt.Errorf("remove the bond with %s: %w", b.Address, err)
	}
	return nil
}

func (p *Peripheral) removeAddress(ctx context.Context, adapter dbus.ObjectPath, address string, result chan<- error) {
	// bluetoothd tells of its devices after the adapter: one that is not known yet is asked for by the path that it will have.
	device := adapter + dbus.ObjectPath("/dev_"+strings.ReplaceAll(address, ":", "_"))
	for _, known := range p.world.devices(adapter) {
		if p.world.address(known) == address {
			device = known
		}
	}
	p.steps.running.Go(func() { result <- p.bus.removeDevice(ctx, adapter, device) })
}

// removeDevice makes an adapter forget a device, which is disconnected; until ctx ends.
// One that it does not know is a success.
func (b *bus) removeDevice(ctx context.Context, adapter, device dbus.ObjectPath) error {
	for {
		within, cancel := context.WithTimeout(b.ctx, removeAgain)
		err := b.conn.Object(bluezName, adapter).CallWithContext(within, adapterInterface+".RemoveDevice", dbus.FlagNoAutoStart, device).Err
		cancel()
		switch {
		case isError(err, bluezError+"DoesNotExist"):
			return nil
		case !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil || b.ctx.Err() != nil:
			return plain(err)
		}
	}
}
