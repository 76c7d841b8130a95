package wpa

import (
	"context"
	"errors"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const (
	freshAge   = 5 * time.Second  // scan results this old are good enough to try
	knownAge   = 3 * time.Minute  // results this old tell where to look first (wpa_supplicant's bss_expiration_age)
	maxKnown   = 3                // frequencies that are looked at for that
	lookPause  = 10 * time.Second // between two Looks: whoever connects can cause one
	maxRefused = 3                // times in a row that a scan on one frequency may be refused
	maxBusy    = 12               // times in a row that a radio may be busy; a full scan takes less
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

// Look scans ahead of a Join that is likely to come, so that it finds fresh results.
// It does nothing while a network is joined or something else is under way, or if
// the last Look was a moment ago. A Join waits for it; a Leave ends it.
func (c *Client) Look(ctx context.Context) {
	select {
	case c.op <- struct{}{}:
		defer c.end()
	default:
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.mu.Lock()
	dev, wanted := c.dev, c.dev != nil && c.down == "" && c.link == nil && time.Since(c.looked) >= lookPause
	if wanted {
		c.looked, c.stopLook = time.Now(), cancel
	}
	c.mu.Unlock()
	if !wanted {
		return
	}
	c.lookedWith(c.hear(ctx, dev))
}

func (c *Client) lookedWith(err error) {
	if err != nil {
		c.opts.Log.Debug("the look ahead ended early", "error", err)
		return
	}
	c.opts.Log.Debug("looked around", "interface", c.opts.Interface)
}

// LookFor scans ahead of a Join of ssid, which is likely to come, unless it was
// heard lately. It calls the network by its name, as one that hides has to be, also
// while another network is joined. It does nothing if the last LookFor was a moment
// ago. A Join waits for it; a Leave ends it.
func (c *Client) LookFor(ctx context.Context, ssid wifi.SSID) {
	c.mu.Lock()
	dev, wanted := c.dev, c.dev != nil && c.down == "" && time.Since(c.lookedFor) >= lookPause
	if wanted {
		c.lookedFor = time.Now()
	}
	c.mu.Unlock()
	if !wanted {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	select {
	case c.op <- struct{}{}:
		defer c.end()
	case <-ctx.Done():
		return
	}
	c.mu.Lock()
	c.stopLook = cancel
	c.mu.Unlock()
	if known, err := dev.results(ctx, ssid, knownAge); err != nil || len(known) > 0 {
		return
	}
	_, err := c.scan(ctx, dev, scanArgs(ssid, 0))
	c.lookedWith(err)
	if found, err := dev.results(ctx, ssid, freshAge); err == nil && len(found) > 0 {
		c.called = ssid
	}
}

// endLook ends a running Look or LookFor.
func (c *Client) endLook() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopLook != nil {
		c.stopLook()
	}
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
		begin, done := time.Now(), false
		for try := 1; !done; try++ {
			switch {
			case frequency != 0 && try > maxRefused:
				return nil, false, nil // a channel that this radio or country does not have is refused like this, too
			case try > maxBusy:
				return nil, false, c.reset(ctx, dev)
			}
			if done, err = c.scan(ctx, dev, args); err != nil {
				return nil, false, err
			}
			// Even if the radio was busy: it may have heard ssid for somebody
			// else. wpa_supplicant rounds the age down to seconds.
			found, err := dev.results(ctx, ssid, time.Since(begin))
			if err != nil || len(found) > 0 {
				return found, directed, err
			}
		}
	}
	return nil, false, nil
}

// scan asks for a scan and waits for its results. It returns false, after a
// pause, if the radio was busy.
func (c *Client) scan(ctx context.Context, dev *device, args map[string]dbus.Variant) (done bool, err error) {
	answer, err := dev.call(ctx, "Scan", []any{args})
	if err == nil {
		if done, err = c.scanned(ctx, dev, answer.ResponseSequence); done || err != nil {
			return done, err
		}
	} else if errorName(err) != errScan {
		return false, err
	}
	// Another scan is running, of wpa_supplicant's own, which is not needed, or
	// left over from a wpa_supplicant that was killed.
	c.opts.Log.Debug("the radio is busy; scanning again soon", "error", err)
	if err != nil {
		_, _ = dev.call(ctx, "AbortScan", nil)
	}
	c.mu.Lock()
	last := dev.scanDone
	c.mu.Unlock()
	pause, cancel := context.WithTimeout(ctx, scanPause)
	defer cancel()
	_, err = c.scanned(pause, dev, last)
	switch {
	case ctx.Err() != nil:
		return false, &wifi.Error{Failure: wifi.FailureHardware, Detail: "the radio refused to scan until the time was up"}
	case pause.Err() != nil:
		return false, nil
	}
	return false, err
}

// reset makes wpa_supplicant let go of the interface, so that Run has it taken
// over anew. That mends a radio that was pulled out and plugged in again behind
// its back.
func (c *Client) reset(ctx context.Context, dev *device) error {
	c.opts.Log.Warn("the radio refuses to scan; taking the interface over anew", "interface", c.opts.Interface)
	if _, err := call(ctx, dev.conn, rootPath, rootIface+".RemoveInterface", []any{dev.path}, nil); err != nil {
		return err
	}
	if err := c.wait(ctx, func() bool { return dev.gone }); err != nil {
		return err
	}
	return errGone
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
