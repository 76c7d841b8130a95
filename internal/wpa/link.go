package wpa

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
	"github.com/wifiprovd/wifiprovd/internal/verdict"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

var errNotConnected = errors.New("the interface is not connected")

// Link is a connection to a network that a Join has made.
type Link struct {
	c       *Client
	dev     *device
	network dbus.ObjectPath
	sae     wifi.SAERecord // with the join
	lost    chan string
	roamed  chan struct{}
	arrived atomic.Pointer[connection] // as it was at the join, until Network has told it

	// What follows belongs to the owner.
	bss       dbus.ObjectPath // of the access point
	moved     bool            // to it from another one, which is not told yet
	downSince time.Time       // zero: the connection stands
	removed   bool            // the network, from wpa_supplicant, by another program
	detail    string          // why it does not stand
}

// Lost returns a channel that delivers one text for a person when the connection is
// lost, and is closed then. It is closed without a text when a later Join or Leave, or
// the end of Run, has ended the connection. Roaming and rekeying are not a loss.
func (l *Link) Lost() <-chan string { return l.lost }

// Roamed returns a channel that delivers when the connection has moved to another
// access point; once, if it did so several times.
func (l *Link) Roamed() <-chan struct{} { return l.roamed }

// Network returns the network as it is now: the access point may be another one than
// at the join, and the signal changes all the time. The first call, for which a phone
// waits, returns what the join has found out.
func (l *Link) Network(ctx context.Context) (wifi.Network, error) {
	if l.c.isGone(l.dev) {
		return wifi.Network{}, errGone
	}
	if now := l.arrived.Swap(nil); now != nil {
		return l.at(ctx, *now)
	}
	now, err := l.dev.connection(ctx)
	if err == nil && now.network != l.network {
		err = errNotConnected
	}
	if err != nil {
		return wifi.Network{}, fmt.Errorf("look at the joined network: %w", err)
	}
	n, err := l.at(ctx, now)
	if err != nil {
		return wifi.Network{}, err
	}
	if signal, ok := l.dev.signal(ctx); ok {
		n.SignalDBm = signal // else the last scan's
	}
	return n, nil
}

// at returns the network of a connection, with its signal in the last scan.
func (l *Link) at(ctx context.Context, now connection) (wifi.Network, error) {
	b, err := l.dev.bssByPath(ctx, now.bss)
	if err != nil {
		return wifi.Network{}, fmt.Errorf("look at the joined network: %w", err)
	}
	n := wifi.Network{SSID: b.ssid, BSSID: b.bssid, FrequencyMHz: b.frequency, SignalDBm: b.signal, AKM: joinedBy(now.akm, b), SAE: l.sae}
	if n.AKM.SAE() {
		n.SAE = wifi.SAEWorked
	}
	return n, nil
}

// joinedBy returns the AKM that wpa_supplicant means. Where the network allows WPA and WPA2, as
// NetworkManager's profiles do, it names both (wpa_common.c, wpa_key_mgmt_txt), and has
// chosen WPA2 if the access point offers it (wpa_supplicant.c, wpa_supplicant_set_suites).
func joinedBy(akm wifi.AKM, b bss) wifi.AKM {
	switch {
	case akm != "WPA2-PSK+WPA-PSK":
		return akm
	case b.rsn.offers():
		return wifi.AKMPSK
	}
	return wifi.AKMWPAPSK
}

// watch makes the owner watch over a connection that was made.
func (c *Client) watch(dev *device, now connection, sae wifi.SAERecord) *Link {
	l := &Link{
		c: c, dev: dev, network: now.network, sae: sae, bss: now.bss,
		lost: make(chan string, 1), roamed: make(chan struct{}, 1),
	}
	l.arrived.Store(&now)
	c.inbox.post(func(o *owner) {
		o.link = l
		if s := o.station; o.linked() {
			s.reason, s.current = 0, l.network
			l.observe(s, time.Now())
		}
	})
	return l
}

// movedTo notes which access point the connection is to. That it has moved is told once the
// handshake with the new one is over: before, wpa_supplicant does not name the network.
func (l *Link) movedTo(bss dbus.ObjectPath, state string) {
	if bss != "" && bss != noPath && bss != l.bss {
		l.bss, l.moved = bss, true
		l.arrived.Store(nil)
	}
	if !l.moved || state != "completed" {
		return
	}
	l.moved = false
	select {
	case l.roamed <- struct{}{}:
	default:
	}
}

// observe notes whether the connection stands. Only states that a rekeying does not
// pass through say that it does not.
func (l *Link) observe(s *station, now time.Time) {
	taken := s.current != "" && s.current != noPath && s.current != l.network
	up := false
	switch {
	case l.removed:
		l.detail = errRemoved.Error()
	case taken:
		l.detail = errTaken.Error()
	case s.state == "completed":
		up = true
	case s.state == "associated", s.state == "4way_handshake", s.state == "group_handshake":
		return
	default:
		l.detail = lossDetail(s.state, s.reason)
	}
	switch {
	case up:
		l.downSince = time.Time{}
	case l.downSince.IsZero():
		l.downSince = now
	}
}

func lossDetail(state string, reason int32) string {
	switch {
	case state == stateDisabled:
		return "the radio was switched off or blocked"
	case reason == -4 || reason == 0:
		return "the access point is out of reach"
	case reason > 0:
		return fmt.Sprintf("the access point ended the connection (%s)", verdict.ReasonText(reason))
	default:
		return fmt.Sprintf("the connection was ended from this side (%s)", verdict.ReasonText(reason))
	}
}

// linked reports whether there is a connection on the interface as it is now.
func (o *owner) linked() bool {
	return o.link != nil && o.station != nil && o.link.dev == o.station.dev
}

// watchLink tells that the connection is lost when it has been down for long enough.
func (o *owner) watchLink(now time.Time) {
	l := o.link
	switch {
	case l == nil:
		return
	case !o.linked():
		l.detail = o.view.Load().problem
	case l.downSince.IsZero():
		return
	case o.station.state != stateDisabled && now.Before(l.downSince.Add(o.times.loss)):
		return
	}
	l.lost <- l.detail
	o.unlink()
	o.others.Go(func() { o.forget(o.ctx, l) })
}

// unlink ends the watch over the connection.
func (o *owner) unlink() {
	if o.link != nil {
		close(o.link.lost)
		o.link = nil
	}
}

// forget removes the network of a connection that was lost, so that wpa_supplicant
// does not come back to it behind the daemon's back.
func (c *Client) forget(ctx context.Context, l *Link) {
	t, err := c.take(ctx)
	if err != nil {
		return
	}
	defer c.give(t)
	if t.link != l {
		return // a later Join or Leave has removed it
	}
	keep, err := await(ctx, c, func(o *owner) (bool, bool) {
		// By now, its number may be that of another program's network.
		return o.station == nil || o.station.dev != l.dev || l.removed || o.manager.managed, true
	})
	if keep || err != nil {
		return
	}
	if _, err := l.dev.call(ctx, "RemoveNetwork", []any{l.network}); err != nil {
		c.cfg.Log.Debug("cannot remove the network of the lost connection", "err", msgbus.Plain(err))
	}
}
