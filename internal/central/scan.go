package central

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/protocomm"
)

// Gateway is a gateway whose advertisement was heard.
type Gateway struct {
	Address string // AA:BB:CC:DD:EE:FF
	Name    string // as advertised: any bytes, by anyone; empty if none was heard
	RSSI    int    // dBm; RSSIUnknown if the controller cannot tell
	Code    bool   // it speaks Espressif's protocol: Session.Prove
}

// RSSIUnknown is reported by a controller that cannot measure the signal (Core Specification,
// volume 4, part E, 7.7.65.2).
const RSSIUnknown = 127

// Scan looks for gateways by the service that they advertise. It calls each for every gateway
// that it hears, and again when the name or the signal changes, until each returns false or ctx
// ends; neither is an error.
func (c *Central) Scan(ctx context.Context, each func(Gateway) bool) error {
	stop, err := c.discover(ctx)
	if err != nil {
		return err
	}
	defer stop()
	told := map[string]Gateway{}
	for {
		var news []Gateway
		err := c.objects.wait(ctx, "scan", func() (bool, error) {
			news = slices.DeleteFunc(c.heard(), func(g Gateway) bool { return told[g.Address] == g })
			return len(news) > 0, nil
		})
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("scan: %w", err)
		}
		for _, gateway := range news {
			told[gateway.Address] = gateway
			if !each(gateway) {
				return nil
			}
		}
	}
}

// Find returns the first gateway that match accepts. If ctx ends before, the error wraps
// ErrUnknownDevice.
func (c *Central) Find(ctx context.Context, match func(Gateway) bool) (Gateway, error) {
	var found *Gateway
	err := c.Scan(ctx, func(g Gateway) bool {
		if match(g) {
			found = &g
		}
		return found == nil
	})
	switch {
	case err != nil:
		return Gateway{}, err
	case found == nil:
		return Gateway{}, fmt.Errorf("look for a gateway: %w", ErrUnknownDevice)
	}
	return *found, nil
}

// discover starts BlueZ's discovery; stop ends it.
func (c *Central) discover(ctx context.Context) (stop func(), err error) {
	// Without UUIDs: bluetoothd 5.87 crashes when it hears a service while its filter has them (fixed after it: BlueZ
	// 82af2beaf).
	filter := map[string]dbus.Variant{"Transport": dbus.MakeVariant("le")}
	bluez := c.bluez(localTimeout)
	if err := bluez.Call(ctx, c.adapter, adapterIface+".SetDiscoveryFilter", []any{filter}); err != nil {
		return nil, fmt.Errorf("set the discovery filter: %w", fromBlueZ(err))
	}
	if err := bluez.Call(ctx, c.adapter, adapterIface+".StartDiscovery", nil); err != nil {
		return nil, fmt.Errorf("start discovery: %w", fromBlueZ(err))
	}
	return func() {
		// ctx may have ended. If this fails, discovery ends with the connection to the bus.
		_ = bluez.Call(context.WithoutCancel(ctx), c.adapter, adapterIface+".StopDiscovery", nil)
	}, nil
}

// heard returns the gateways that this discovery has reported: BlueZ has the RSSI property only
// during a discovery. The lock must be held.
func (c *Central) heard() []Gateway {
	var gateways []Gateway
	for path, ifaces := range c.objects.ifaces {
		device := ifaces[deviceIface]
		if device == nil || !strings.HasPrefix(string(path), string(c.adapter)+"/") {
			continue
		}
		rssi, ok := device["RSSI"].Value().(int16)
		uuids := property[[]string](c.objects, path, deviceIface, "UUIDs")
		code := slices.Contains(uuids, protocomm.ServiceUUID)
		if !ok || !code && !slices.Contains(uuids, ServiceUUID) {
			continue
		}
		gateways = append(gateways, Gateway{
			Address: property[string](c.objects, path, deviceIface, "Address"),
			Name:    property[string](c.objects, path, deviceIface, "Name"),
			RSSI:    int(rssi),
			Code:    code,
		})
	}
	return gateways
}
