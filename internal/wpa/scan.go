package wpa

import (
	"context"
	"errors"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const (
	freshAge  = 5 * time.Second        // scan results this old are good enough to try
	scanPause = 300 * time.Millisecond // before a radio that was busy is asked again
)

// errGone says that wpa_supplicant or the interface went away.
var errGone = errors.New("wpa_supplicant or the interface went away")

// channel is an element of Scan's Channels: center frequency and width in MHz.
// wpa_supplicant ignores the width.
type channel struct{ Frequency, Width uint32 }

// scanArgs returns the argument of Scan: for ssid, or for every network if it is
// empty; on one frequency in MHz, or on all if it is 0. AllowRoam false keeps
// wpa_supplicant from joining anything because of the results.
func scanArgs(ssid wifi.SSID, frequency int) map[string]dbus.Variant {
	args := map[string]dbus.Variant{
		"Type":      dbus.MakeVariant("active"),
		"AllowRoam": dbus.MakeVariant(false),
	}
	if ssid != "" {
		args["SSIDs"] = dbus.MakeVariant([][]byte{[]byte(ssid)})
	}
	if frequency > 0 {
		args["Channels"] = dbus.MakeVariant([]channel{{uint32(frequency), 20}})
	}
	return args
}

// find looks for ssid on one frequency in MHz, or on all if it is 0: among those
// who say their name, and only if it is not there by calling it. directed tells
// that it had to be called, so it is a hidden network.
func (c *Client) find(ctx context.Context, dev *device, ssid wifi.SSID, frequency int) (found []bss, directed bool, err error) {
	for _, directed := range []bool{false, true} {
		args := scanArgs("", frequency)
		if directed {
			args = scanArgs(ssid, frequency)
		}
		begin := time.Now()
		if err := c.scan(ctx, dev, args); err != nil {
			return nil, false, err
		}
		// wpa_supplicant rounds the age down to seconds.
		found, err := dev.results(ctx, ssid, time.Since(begin))
		if err != nil || len(found) > 0 {
			return found, directed, err
		}
	}
	return nil, false, nil
}

// scan asks for a scan and returns when its results are there. While another
// scan runs or the driver is busy, it asks again.
func (c *Client) scan(ctx context.Context, dev *device, args map[string]dbus.Variant) error {
	for {
		answer, err := dev.call(ctx, "Scan", []any{args})
		if err == nil {
			var ok bool
			if ok, err = c.scanned(ctx, dev, answer.ResponseSequence); ok {
				return nil
			}
		}
		if err != nil && errorName(err) != errScan {
			return err
		}
		c.opts.Log.Debug("the radio is busy; scanning again soon", "error", err)
		select {
		case <-time.After(scanPause):
		case <-ctx.Done():
			return &wifi.Error{Failure: wifi.FailureHardware, Detail: "the radio refused to scan until the time was up", Err: err}
		}
	}
}

// scanned waits for the first ScanDone after a place among the signals, and
// returns whether that scan went well.
func (c *Client) scanned(ctx context.Context, dev *device, after dbus.Sequence) (ok bool, err error) {
	var gone bool
	err = c.wait(ctx, func() bool {
		gone, ok = dev.gone, dev.scanOK
		return gone || dev.scanDone > after
	})
	if err == nil && gone {
		err = errGone
	}
	return ok && err == nil, err
}
