package bluez

import (
	"context"
	"fmt"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

// bonds removes bonds from adapters, which may not be there yet.
type bonds struct {
	bus     *bus
	loop    *loop
	world   *world
	waiting []func() // for an adapter to be powered
}

// tryAgain tries to remove what waits: the world has changed.
func (b *bonds) tryAgain() {
	waiting := b.waiting
	b.waiting = nil
	for _, f := range waiting {
		f()
	}
}

// remove removes a bond once its adapter is there and powered, unless ctx has ended, and
// sends how that went to result.
func (b *bonds) remove(ctx context.Context, bond gatt.Bond, result chan<- error) {
	adapter := b.world.adapterAt(bond.Adapter)
	switch {
	case ctx.Err() != nil:
	case adapter == "" || !b.world.radio(adapter).powered:
		b.waiting = append(b.waiting, func() { b.remove(ctx, bond, result) })
	default:
		device := b.device(adapter, bond.Central)
		b.loop.workers.Go(func() { result <- b.bus.removeDevice(ctx, adapter, device) })
	}
}

// disconnect disconnects a bonded central, if it is connected.
func (b *bonds) disconnect(bond gatt.Bond) {
	device := b.device(b.world.adapterAt(bond.Adapter), bond.Central)
	if b.world.connected(device) {
		b.loop.workers.Go(func() { _ = b.bus.disconnect(b.bus.ctx, device) })
	}
}

// device returns the path of an adapter's device. bluetoothd tells of its devices after
// the adapter: one that is not known yet will have the path that its address makes.
func (b *bonds) device(adapter dbus.ObjectPath, central gatt.Central) dbus.ObjectPath {
	for _, known := range b.world.devices(adapter) {
		if b.world.central(known) == central {
			return known
		}
	}
	return adapter + dbus.ObjectPath("/dev_"+strings.ReplaceAll(string(central), ":", "_"))
}

// awaitRemoval waits for what remove sends, or until ctx ends.
func awaitRemoval(ctx context.Context, bond gatt.Bond, result <-chan error) error {
	var err error
	select {
	case err = <-result:
	case <-ctx.Done():
		err = fmt.Errorf("adapter %s is not available, or does not answer: %w", bond.Adapter, ctx.Err())
	}
	if err != nil {
		return fmt.Errorf("remove the bond with %s: %w", bond.Central, err)
	}
	return nil
}
