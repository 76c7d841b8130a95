package central

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/godbus/dbus/v5"
)

// Pair bonds with the gateway at address, which must have been heard (Scan), unless there is a
// bond already. A gateway that refuses, or a wrong passkey, gives a *PairingError.
//
// Pair disconnects a connected gateway first: on a connection BlueZ 5.82 pairs with the default
// agent's capability instead of this agent's (src/device.c, pair_device).
func (c *Central) Pair(ctx context.Context, address string) error {
	device, err := c.device(address)
	if err != nil {
		return fmt.Errorf("pair: %w", err)
	}
	if get[bool](c.objects, device, deviceIface, "Paired") {
		return nil
	}
	if err := c.disconnect(ctx, device); err != nil {
		return fmt.Errorf("pair: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, pairTimeout)
	defer cancel()
	end := c.agent.begin(ctx, device)
	defer end()
	err = c.bluez(pairTimeout).Call(ctx, device, deviceIface+".Pair", nil)
	if err == nil || bluezErrorName(err) == "AlreadyExists" {
		return nil
	}
	asked, problem := c.agent.outcome()
	switch name := bluezErrorName(err); {
	case ctx.Err() != nil:
		_ = c.bluez(localTimeout).Call(context.WithoutCancel(ctx), device, deviceIface+".CancelPairing", nil)
		return timedOut(ctx, "pair")
	case problem != nil:
		return fmt.Errorf("pair: %w", problem)
	case strings.HasPrefix(name, "Authentication"):
		return &PairingError{Reason: name, Asked: asked}
	}
	return fmt.Errorf("pair: %w", fromBlueZ(err))
}

// Paired reports whether there is a bond with the gateway at address.
func (c *Central) Paired(address string) bool {
	device, err := c.device(address)
	return err == nil && get[bool](c.objects, device, deviceIface, "Paired")
}

// RemoveBond makes BlueZ forget the gateway at address: its bond, its name, its attribute cache.
// It is no error if BlueZ does not know it.
func (c *Central) RemoveBond(ctx context.Context, address string) error {
	device, err := c.device(address)
	if errors.Is(err, ErrUnknownDevice) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, removeTimeout)
	defer cancel()
	// BlueZ 5.82 does not answer if the connection is lost at this moment.
	for err = context.DeadlineExceeded; errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil; {
		err = c.bluez(removeAgain).Call(ctx, c.adapter, adapterIface+".RemoveDevice", []any{device})
	}
	if err != nil && bluezErrorName(err) != "DoesNotExist" {
		return fmt.Errorf("remove the bond: %w", fromBlueZ(err))
	}
	return c.objects.wait(ctx, "remove the bond", func() (bool, error) {
		return c.objects.ifaces[device] == nil, nil
	})
}

// disconnect ends the connection to device, if there is one, and waits for its end.
func (c *Central) disconnect(ctx context.Context, device dbus.ObjectPath) error {
	ctx, cancel := context.WithTimeout(ctx, 2*localTimeout)
	defer cancel()
	err := fromBlueZ(c.bluez(localTimeout).Call(ctx, device, deviceIface+".Disconnect", nil))
	if err != nil && !errors.Is(err, ErrNotConnected) {
		return fmt.Errorf("disconnect: %w", err)
	}
	return c.objects.wait(ctx, "disconnect", func() (bool, error) {
		return !property[bool](c.objects, device, deviceIface, "Connected"), nil
	})
}
