package bluez

import (
	"context"
	"fmt"

	"github.com/godbus/dbus/v5"
)

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
			p.removeDevice(adapter, b.Address, result)
		}
	}
	p.inbox.post(try)
	var err error
	select {
	case err = <-result:
	case <-ctx.Done():
		err = fmt.Errorf("adapter %s is not available: %w", b.Adapter, ctx.Err())
	}
	if err != nil {
		return fmt.Errorf("remove the bond with %s: %w", b.Address, err)
	}
	return nil
}

func (p *Peripheral) removeDevice(adapter dbus.ObjectPath, address string, result chan<- error) {
	for _, device := range p.world.devices(adapter) {
		if p.world.address(device) != address {
			continue
		}
		p.steps.running.Go(func() {
			err := p.bus.call(adapter, adapterInterface, "RemoveDevice", []any{device})
			if isError(err, bluezError+"DoesNotExist") {
				err = nil
			}
			result <- plain(err)
		})
		return
	}
	result <- nil
}
