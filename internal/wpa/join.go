package wpa

import (
	"context"
	"errors"
	"fmt"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Request is what Join is to do.
type Request struct {
	Credentials wifi.Credentials // not kept, not wiped
	Hint        wifi.Hint        // where to look first

	// Adopt takes over a connection to this SSID that stands already, made by
	// an earlier run of the daemon. Only the Client's first Join does so.
	Adopt bool
}

// maxMeddling is how often one Join puts up with another program that removes its
// network or selects another one.
const maxMeddling = 3

// Join leaves whatever network the interface is on and joins another one.
//
// It returns the network, or an error that is a *wifi.Error and says which of the
// failures it was. Whatever fails, nothing of it stays in wpa_supplicant. While
// wpa_supplicant or the radio are missing, it waits for them. ctx must have a
// deadline; Join may take up to the time of one D-Bus call longer, to clean up.
func (c *Client) Join(ctx context.Context, r Request) (wifi.Network, error) {
	if err := r.Credentials.Validate(); err != nil {
		return wifi.Network{}, err
	}
	if err := c.begin(ctx); err != nil {
		return wifi.Network{}, c.failure(ctx, err, verdict{})
	}
	defer c.end()
	adopt := r.Adopt && !c.joined
	c.joined = true
	for meddling := 0; ; {
		dev, err := c.available(ctx)
		if err != nil {
			return wifi.Network{}, err
		}
		j := &join{Client: c, dev: dev, cred: r.Credentials}
		if adopt {
			if n, ok := j.adopt(ctx); ok {
				return n, nil
			}
			adopt = false
		}
		n, err := j.run(ctx, r.Hint)
		if err == nil {
			return n, nil
		}
		meddled := errors.Is(err, errRemoved) || errors.Is(err, errTaken)
		if meddled && meddling < maxMeddling && c.stays(ctx, dev) {
			meddling++
			c.opts.Log.Warn(err.Error()+"; ours is added again", "interface", c.opts.Interface)
			continue
		}
		// If wpa_supplicant or the radio went away, wait and begin again.
		// Its last answer may have come before the news that it went.
		var known *wifi.Error
		if ctx.Err() != nil || c.usable(dev) && (errors.As(err, &known) || unanswered(err) || c.stays(ctx, dev)) {
			return wifi.Network{}, c.failure(ctx, err, j.last)
		}
	}
}

// Leave disconnects and removes every network from the interface. While
// wpa_supplicant is not there, or NetworkManager has the interface, it returns at
// once, and the networks are removed when that is over.
func (c *Client) Leave(ctx context.Context) error {
	c.endLook()
	if err := c.begin(ctx); err != nil {
		return fmt.Errorf("leave the network: %w", err)
	}
	defer c.end()
	c.mu.Lock()
	dev, managed := c.dev, c.managed
	c.sweep = dev == nil || managed
	c.mu.Unlock()
	if dev == nil || managed {
		return nil
	}
	if _, err := dev.call(ctx, "RemoveAllNetworks", nil); err != nil && !c.isGone(dev) {
		return fmt.Errorf("leave the network: %w", err)
	}
	return nil
}

// begin ends the watch over the connection that stands, and waits for the right to
// add and remove networks. end gives it back.
func (c *Client) begin(ctx context.Context) error {
	c.unlink()
	select {
	case c.op <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	c.unlink() // what a Join before this one has made meanwhile
	c.current = nil
	return nil
}

func (c *Client) end() { <-c.op }

// forget removes the network of a connection that was lost, so that
// wpa_supplicant does not come back to it behind the daemon's back.
func (c *Client) forget(ctx context.Context, l *link) {
	select {
	case c.op <- struct{}{}:
		defer c.end()
	case <-ctx.Done():
		return
	}
	c.mu.Lock()
	keep := l.dev.gone || l.removed || c.managed // its number may be another program's network's by now
	c.mu.Unlock()
	if c.current != l || keep {
		return // it is gone, or a later Join or Leave has removed it
	}
	if _, err := l.dev.call(ctx, "RemoveNetwork", []any{l.network}); err != nil {
		c.opts.Log.Debug("the lost network could not be removed", "error", err)
	}
}

// usable reports whether networks can be joined with dev.
func (c *Client) usable(dev *device) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !dev.gone && c.down == ""
}

// stays reports whether dev is there, and still is a moment later: wpa_supplicant
// removes all networks before it ends.
func (c *Client) stays(ctx context.Context, dev *device) bool {
	ctx, cancel := context.WithTimeout(ctx, scanPause)
	defer cancel()
	return c.wait(ctx, func() bool { return dev.gone || c.down != "" }) != nil
}

// isGone reports whether wpa_supplicant or the interface went away since dev was
// there.
func (c *Client) isGone(dev *device) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return dev.gone
}

// available waits until networks can be joined.
func (c *Client) available(ctx context.Context) (*device, error) {
	var dev *device
	var down string
	err := c.wait(ctx, func() bool {
		dev, down = c.dev, c.down
		return dev != nil && down == ""
	})
	if err != nil {
		return nil, c.failure(ctx, &wifi.Error{Failure: wifi.FailureHardware, Detail: down}, verdict{})
	}
	return dev, nil
}

// failure makes err a *wifi.Error. last is what the last try ended with.
func (c *Client) failure(ctx context.Context, err error, last verdict) error {
	var known *wifi.Error
	c.mu.Lock()
	down := c.down
	c.mu.Unlock()
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return &wifi.Error{Failure: wifi.FailureInternal, Detail: "the attempt was called off", Err: ctx.Err()}
	case errors.As(err, &known):
		return err
	case down != "":
		return &wifi.Error{Failure: wifi.FailureHardware, Detail: down, Err: err}
	case ctx.Err() != nil && last.failure != wifi.FailureNone:
		return &wifi.Error{Failure: last.failure, Detail: last.detail}
	case ctx.Err() != nil:
		return &wifi.Error{Failure: wifi.FailureTimedOut, Detail: "the time was up before the access point was tried", Err: ctx.Err()}
	case unanswered(err):
		c.Check()
		return &wifi.Error{Failure: wifi.FailureHardware, Detail: silent, Err: err}
	case errors.Is(err, errRemoved), errors.Is(err, errTaken):
		return &wifi.Error{Failure: wifi.FailureInternal,
			Detail: err.Error() + ", again and again; " + c.opts.Interface + " must be left to wifiprovd", Err: err}
	}
	return &wifi.Error{Failure: wifi.FailureInternal, Detail: "wpa_supplicant did not do as it was asked", Err: err}
}
