package wpa

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const (
	freshAge   = 5 * time.Second  // scan results this old are good enough to try
	knownAge   = 3 * time.Minute  // results this old tell where to look first (bss_expiration_age)
	aroundAge  = 15 * time.Second // results this old are told: a scan may miss an access point
	scanWithin = 12 * time.Second // what Scan does to the radio: a Join waits for it
	maxRefused = 3                // times in a row that a scan on one frequency may be refused
	maxBusy    = 12               // times in a row that it may be busy: 6 s, more than a full scan
)

// Scan returns the networks that can be heard, one per SSID, without those that hide
// theirs. It scans, unless that was done a moment ago, also while a network is joined.
// It waits for a Join that runs; a Leave ends it. ctx must have a deadline.
func (c *Client) Scan(ctx context.Context) ([]wifi.Offer, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	release := context.AfterFunc(c.view.Load().scans.ctx, cancel)
	defer release()
	t, err := c.take(ctx)
	if err != nil {
		return nil, fmt.Errorf("scan: an attempt to join is running: %w", err)
	}
	defer c.give(t)
	ctx, cancel = context.WithTimeout(ctx, scanWithin)
	defer cancel()
	v := c.view.Load()
	if v.problem != "" {
		return nil, &wifi.Error{Failure: wifi.FailureHardware, Detail: v.problem}
	}
	if time.Since(t.heard) >= freshAge {
		if err := (scanner{c, v.dev}).hear(ctx, t); err != nil {
			return nil, fmt.Errorf("scan: %w", err)
		}
	}
	found, err := v.dev.heard(ctx, func(b bss) bool { return b.age <= aroundAge })
	if err != nil {
		return nil, fmt.Errorf("scan: %w", err)
	}
	return offered(found, v.dev), nil
}

// scanner scans with an interface, for whoever has the turn.
type scanner struct {
	c   *Client
	dev *device
}

// hear scans for all networks on all frequencies.
func (s scanner) hear(ctx context.Context, t *turn) error {
	for range maxBusy {
		done, err := s.scan(ctx, scanArgs(""))
		if err != nil {
			s.abort(ctx)
			return err
		}
		if done {
			t.heard = time.Now()
			s.finished()
			return nil
		}
	}
	return errors.New("the radio refuses to scan")
}

// call makes fresh results of ssid: it scans where that was heard lately or, if it was not,
// everywhere and by its name.
func (s scanner) call(ctx context.Context, t *turn, ssid wifi.SSID) error {
	known, err := s.dev.results(ctx, ssid, knownAge)
	if err != nil {
		return err
	}
	if len(known) > 0 && t.hasHeard(ssid) {
		_, err := s.scan(ctx, scanArgs("", frequencies(known, nil)...))
		return err
	}
	done, err := s.scan(ctx, scanArgs(ssid))
	if err != nil {
		s.abort(ctx)
		return err
	}
	s.finished()
	if done {
		t.sought, t.asked = ssid, time.Now()
	}
	found, err := s.dev.results(ctx, ssid, freshAge)
	if err == nil && len(found) > 0 {
		t.called = ssid
	}
	return err
}

// abort ends a scan whose results nobody waits for any more: ctx has ended. A Join would
// find the radio busy.
func (s scanner) abort(ctx context.Context) {
	if ctx.Err() == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.c.times.busyRadio)
	defer cancel()
	last := s.lastScan(ctx)
	if _, err := s.dev.call(ctx, "AbortScan", nil); err == nil {
		_, _ = s.scanned(ctx, last)
	}
}

func (s scanner) finished() {
	s.c.cfg.Log.Debug("looked around", "event", "scanned", "interface", s.c.view.Load().iface())
}

func (s scanner) endedEarly(err error) {
	s.c.cfg.Log.Debug("scan ahead ended early", "interface", s.c.view.Load().iface(), "err", msgbus.Plain(err))
}

// find looks for ssid on some frequencies in MHz, or on all if there are none. It listens
// for all names first. Only if ssid is not among them does it call it, which tells
// everybody in range: where an access point hides its name, and, after a search
// everywhere, on the channels that most use, as one scan in many misses an access point.
// There it listens for beacons at last: an access point that filters addresses answers no
// probe (hostapd, src/ap/beacon.c, handle_probe_req). hidden tells that ssid had to be called.
func (s scanner) find(ctx context.Context, t *turn, ssid wifi.SSID, frequencies []int) (found []bss, hidden bool, err error) {
	begin, everywhere := time.Now(), len(frequencies) == 0
	found, err = s.seek(ctx, ssid, scanArgs("", frequencies...))
	if everywhere && err == nil {
		t.heard = time.Now()
	}
	if err != nil || len(found) > 0 {
		return found, false, err
	}
	// wpa_supplicant rounds the age down to seconds.
	hiding, err := s.dev.heard(ctx, func(b bss) bool { return hides(b.ssid) && b.age <= time.Since(begin) })
	if err != nil {
		return nil, false, err
	}
	var again []int
	if everywhere {
		again = slices.Clone(crowded)
	}
	for _, b := range hiding {
		if !slices.Contains(again, b.frequency) && (everywhere || slices.Contains(frequencies, b.frequency)) {
			again = append(again, b.frequency)
		}
	}
	if len(again) == 0 {
		return nil, false, nil
	}
	found, err = s.seek(ctx, ssid, scanArgs(ssid, again...))
	if err != nil || len(found) > 0 || !everywhere {
		return found, true, err
	}
	found, err = s.seek(ctx, ssid, passive(crowded...))
	return found, false, err
}

// crowded are the channels 1, 6 and 11, in MHz: of those that do not overlap, in the band
// that every country and radio has.
var crowded = []int{2412, 2437, 2462}

// seek scans and returns the access points called ssid. It insists while the radio is busy.
func (s scanner) seek(ctx context.Context, ssid wifi.SSID, args map[string]dbus.Variant) ([]bss, error) {
	_, some := args["Channels"]
	begin, done := time.Now(), false
	for try := 1; !done; try++ {
		switch {
		case some && try > maxRefused:
			return nil, nil // so is a channel that this radio or country does not have
		case try > maxBusy:
			return nil, s.reset(ctx)
		}
		var err error
		if done, err = s.scan(ctx, args); err != nil {
			return nil, err
		}
		// Even if the radio was busy: another's scan may have heard ssid.
		found, err := s.dev.results(ctx, ssid, time.Since(begin))
		if err != nil || len(found) > 0 {
			return found, err
		}
	}
	return nil, nil
}

// channel is an element of Scan's Channels: center frequency and width in MHz.
// wpa_supplicant ignores the width.
type channel struct{ Frequency, Width uint32 }

// scanArgs returns the argument of Scan: for ssid, or for every network if it is empty;
// on these frequencies in MHz, or on all if there are none. AllowRoam false keeps
// wpa_supplicant from joining anything because of the results.
func scanArgs(ssid wifi.SSID, frequencies ...int) map[string]dbus.Variant {
	args := map[string]dbus.Variant{
		"Type":      dbus.MakeVariant("active"),
		"AllowRoam": dbus.MakeVariant(false),
	}
	if ssid != "" {
		args["SSIDs"] = dbus.MakeVariant([][]byte{[]byte(ssid)})
	}
	if len(frequencies) > 0 {
		var channels []channel
		for _, f := range frequencies {
			channels = append(channels, channel{uint32(f), 20})
		}
		args["Channels"] = dbus.MakeVariant(channels)
	}
	return args
}

// passive returns the argument of a Scan that listens for a beacon's interval on each
// channel, and sends nothing.
func passive(frequencies ...int) map[string]dbus.Variant {
	args := scanArgs("", frequencies...)
	args["Type"] = dbus.MakeVariant("passive")
	return args
}

// scan asks for a scan and waits for its results. It returns false, after a pause, if
// the radio was busy.
func (s scanner) scan(ctx context.Context, args map[string]dbus.Variant) (done bool, err error) {
	at, err := s.dev.call(ctx, "Scan", []any{args})
	if err == nil {
		if done, err = s.scanned(ctx, at); done || err != nil {
			return done, err
		}
	} else if msgbus.ErrorName(err) != errScan {
		return false, err
	}
	// Another scan is running: wpa_supplicant's own, which nobody needs, or one
	// left over from a wpa_supplicant that was killed.
	s.c.cfg.Log.Debug("the radio is busy; scanning again soon", "refused", err != nil)
	last := s.lastScan(ctx)
	if err != nil {
		_, _ = s.dev.call(ctx, "AbortScan", nil)
	}
	pause, cancel := context.WithTimeout(ctx, s.c.times.busyRadio)
	defer cancel()
	_, err = s.scanned(pause, last)
	switch {
	case ctx.Err() != nil:
		return false, &wifi.Error{Failure: wifi.FailureHardware, Detail: "the radio refused to scan until the time was up"}
	case pause.Err() != nil:
		return false, nil
	}
	return false, err
}

// reset makes wpa_supplicant let go of the interface, so that the owner has it taken
// over anew. That mends a radio that was pulled out and plugged in again behind
// wpa_supplicant's back.
func (s scanner) reset(ctx context.Context) error {
	s.c.cfg.Log.Warn("the radio refuses to scan; taking the interface over anew", "interface", s.c.view.Load().iface())
	if err := s.dev.remove(ctx); err != nil {
		return err
	}
	if err := awaitUntil(ctx, s.c, func(*owner) bool { return s.c.isGone(s.dev) }); err != nil {
		return err
	}
	return errGone
}

// lastScan returns the place of the last ScanDone among the signals. To be asked before
// AbortScan, whose answer may come after the ScanDone that it causes.
func (s scanner) lastScan(ctx context.Context) dbus.Sequence {
	at, _ := await(ctx, s.c, func(o *owner) (dbus.Sequence, bool) {
		if o.station == nil {
			return 0, true
		}
		return o.station.scanDone, true
	})
	return at
}

// scanned waits for the first ScanDone after a place among the signals, and returns
// whether that scan went well.
func (s scanner) scanned(ctx context.Context, after dbus.Sequence) (ok bool, err error) {
	type outcome struct{ gone, ok bool }
	out, err := await(ctx, s.c, func(o *owner) (outcome, bool) {
		st := o.station
		if st == nil || st.dev != s.dev {
			return outcome{gone: true}, true
		}
		return outcome{ok: st.scanOK}, st.scanDone > after
	})
	if out.gone {
		err = errGone
	}
	return out.ok, err
}
