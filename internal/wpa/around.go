package wpa

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// scanWithin bounds what Around does to the radio: a Join waits for it.
const scanWithin = 12 * time.Second

// aroundAge is how old a result may be to count as around: one scan in many misses
// an access point.
const aroundAge = 15 * time.Second

// Around returns the networks that can be heard, one per SSID, without those that
// hide theirs. It scans, unless the last Look did so a moment ago, also while a
// network is joined. It waits for a Join that runs; a Leave ends it. ctx must have
// a deadline.
func (c *Client) Around(ctx context.Context) ([]wifi.Offer, error) {
	select {
	case c.op <- struct{}{}:
		defer c.end()
	case <-ctx.Done():
		return nil, fmt.Errorf("look around: an attempt to join runs: %w", ctx.Err())
	}
	ctx, cancel := context.WithTimeout(ctx, scanWithin)
	defer cancel()
	c.mu.Lock()
	dev, down, fresh := c.dev, c.down, time.Since(c.heard) < freshAge
	c.stopLook = cancel
	c.mu.Unlock()
	if dev == nil || down != "" {
		return nil, &wifi.Error{Failure: wifi.FailureHardware, Detail: down}
	}
	if !fresh {
		if err := c.hear(ctx, dev); err != nil {
			return nil, fmt.Errorf("look around: %w", err)
		}
	}
	found, err := dev.heard(ctx, func(b bss) bool { return b.age <= aroundAge })
	if err != nil {
		return nil, fmt.Errorf("look around: %w", err)
	}
	return offered(found), nil
}

// hear scans for all networks on all frequencies, and notes when it did.
func (c *Client) hear(ctx context.Context, dev *device) error {
	for range maxBusy {
		done, err := c.scan(ctx, dev, scanArgs("", 0))
		if err != nil {
			return err
		}
		if done {
			c.mu.Lock()
			c.heard = time.Now()
			c.mu.Unlock()
			return nil
		}
	}
	return errors.New("the radio refuses to scan")
}

// offered makes one offer of all access points with the same name: the strongest's.
func offered(found []bss) []wifi.Offer {
	var offers []wifi.Offer
	for _, b := range found {
		if hides(b.ssid) {
			continue
		}
		o := b.offer()
		i := slices.IndexFunc(offers, func(o wifi.Offer) bool { return o.SSID == b.ssid })
		if i < 0 {
			offers = append(offers, o)
			continue
		}
		if o.SignalDBm < offers[i].SignalDBm {
			o = offers[i]
		}
		o.Several = true
		offers[i] = o
	}
	return offers
}

// hides reports whether an access point hides its name: it is empty, or zeros.
func hides(ssid wifi.SSID) bool {
	for i := range len(ssid) {
		if ssid[i] != 0 {
			return false
		}
	}
	return true
}

// offer says how the access point can be joined.
func (b bss) offer() wifi.Offer {
	o := wifi.Offer{SSID: b.ssid, SignalDBm: b.signal, Joinable: true}
	psk := slices.Contains(b.rsn, "wpa-psk")
	sha256, sae := slices.Contains(b.rsn, "wpa-psk-sha256"), slices.Contains(b.rsn, "sae")
	switch {
	case b.open():
		o.Security = wifi.Open
	case sae && (psk || sha256):
		o.Security = wifi.WPAAutoPersonal
	case sae:
		o.Security = wifi.WPA3SAE
	case psk:
		o.Security = wifi.WPA2PSK
	case sha256:
		o.Security = wifi.WPA2PSKSHA256
	default:
		o.Security, o.Joinable = wifi.AutoDetect, slices.Contains(b.wpa, "wpa-psk")
	}
	return o
}

// Current returns the network that is joined, as it is now: the access point may be
// another one than at the join, and the signal changes all the time.
func (c *Client) Current(ctx context.Context) (wifi.Network, error) {
	c.mu.Lock()
	dev := c.dev
	c.mu.Unlock()
	if dev == nil {
		return wifi.Network{}, errGone
	}
	n, _, err := (&join{Client: c, dev: dev}).network(ctx)
	if err != nil {
		return wifi.Network{}, fmt.Errorf("look at the joined network: %w", err)
	}
	// wpa_supplicant wraps the dictionary into a variant (dbus_new_handlers.c,
	// wpas_dbus_handler_signal_poll). Without it there is the last scan's signal.
	var answer dbus.Variant
	if _, err := dev.call(ctx, "SignalPoll", nil, &answer); err == nil {
		values, _ := answer.Value().(map[string]dbus.Variant)
		if signal := property[int32](values, "rssi"); -128 <= signal && signal < 0 {
			n.SignalDBm = int(signal)
		}
	}
	return n, nil
}
