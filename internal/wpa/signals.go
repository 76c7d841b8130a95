package wpa

import (
	"context"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"
)

// change is what one signal says about the interface.
type change struct {
	state    string          // empty: not changed
	current  dbus.ObjectPath // CurrentNetwork; empty: not changed
	auth     *int32          // AuthStatusCode, IEEE 802.11-2020, table 9-50
	assoc    *int32          // AssocStatusCode, the same table
	reason   *int32          // DisconnectReason, table 9-49; negative if it was this side that ended it
	mismatch bool            // wpa_supplicant itself says that the password is wrong (2.11 and later)
}

// handle acts on a signal. It returns true when it is time to look for the
// interface.
func (c *Client) handle(ctx context.Context, s *dbus.Signal) (look bool) {
	c.mu.Lock()
	dev := c.dev
	c.mu.Unlock()
	if s.Name == ownerChange {
		return c.handleOwner(dev, s)
	}
	if dev == nil {
		return s.Name == rootIface+".InterfaceAdded"
	}
	if s.Sender != dev.owner || s.Sequence < dev.since {
		return false
	}
	switch {
	case s.Name == rootIface+".InterfaceRemoved":
		if len(s.Body) > 0 && s.Body[0] == dev.path {
			c.detach("wpa_supplicant let go of " + c.opts.Interface + "; waiting for it")
		}
	case s.Path != dev.path:
	case s.Name == ifaceIface+".ScanDone":
		c.mu.Lock()
		dev.scanDone = s.Sequence
		dev.scanOK = len(s.Body) > 0 && s.Body[0] == true
		c.broadcast()
		c.mu.Unlock()
	case s.Name == ifaceIface+".NetworkSelected" && len(s.Body) > 0:
		if path, ok := s.Body[0].(dbus.ObjectPath); ok {
			c.mu.Lock()
			dev.taken = dev.taken || path != dev.mine && s.Sequence > dev.none
			c.mu.Unlock()
			c.apply(dev, change{current: path})
		}
	case s.Name == ifaceIface+".NetworkRemoved" && len(s.Body) > 0:
		c.removed(dev, s.Body[0])
	case s.Name == ifaceIface+".PskMismatch", s.Name == ifaceIface+".SaePasswordMismatch":
		c.apply(dev, change{mismatch: true})
	case s.Name == propChanged && len(s.Body) > 1:
		if props, ok := s.Body[1].(map[string]dbus.Variant); ok {
			c.apply(dev, c.complete(ctx, dev, decodeChange(props)))
		}
	}
	return false
}

// handleOwner acts on wpa_supplicant's coming and going.
func (c *Client) handleOwner(dev *device, s *dbus.Signal) (look bool) {
	var name, before, now string
	if s.Sender != "org.freedesktop.DBus" || dbus.Store(s.Body, &name, &before, &now) != nil || name != service {
		return false
	}
	if dev == nil {
		return now != ""
	}
	if now == dev.owner || s.Sequence < dev.since {
		return false
	}
	c.detach("wpa_supplicant has ended; waiting for it")
	return now != ""
}

// complete adds to a change what wpa_supplicant does not tell: which network a
// connection that came back belongs to (2.10, seen after SelectNetwork).
func (c *Client) complete(ctx context.Context, dev *device, ch change) change {
	c.mu.Lock()
	linked := c.link != nil && c.link.dev == dev
	c.mu.Unlock()
	if linked && ch.state == "completed" && ch.current == "" {
		if props, _, err := dev.properties(ctx); err == nil {
			ch.current = property[dbus.ObjectPath](props, "CurrentNetwork")
		}
	}
	return ch
}

func decodeChange(props map[string]dbus.Variant) change {
	code := func(name string) *int32 {
		if value, ok := props[name].Value().(int32); ok {
			return &value
		}
		return nil
	}
	return change{
		state:   property[string](props, "State"),
		current: property[dbus.ObjectPath](props, "CurrentNetwork"),
		auth:    code("AuthStatusCode"),
		assoc:   code("AssocStatusCode"),
		reason:  code("DisconnectReason"),
	}
}

// apply notes a change of the interface, for the attempt and the link to see.
func (c *Client) apply(dev *device, ch change) {
	c.mu.Lock()
	was := dev.state
	if ch.reason != nil {
		dev.reason = *ch.reason
	}
	if ch.state != "" {
		dev.state = ch.state
	}
	if ch.current != "" {
		dev.current = ch.current
	}
	if c.attempt != nil && c.attempt.dev == dev {
		c.attempt.observe(ch)
	}
	if c.link != nil {
		c.link.observe(dev, time.Now())
	}
	c.broadcast()
	c.mu.Unlock()
	if (was == stateDisabled) != (ch.state == stateDisabled) && ch.state != "" {
		c.checkRadio(dev)
	}
}

// removed notes that a network is no longer in wpa_supplicant. If it is the one in
// use, it was not this Client that removed it.
func (c *Client) removed(dev *device, path any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.attempt != nil && c.attempt.dev == dev && c.attempt.network == path {
		c.attempt.removed = true
	}
	if c.link != nil && c.link.dev == dev && c.link.network == path {
		c.link.removed = true
		c.link.observe(dev, time.Now())
	}
	c.broadcast()
}

// link is a connection that was made, and is watched until it is lost or left.
type link struct {
	dev     *device
	network dbus.ObjectPath
	lostAt  time.Time // zero: it is up
	removed bool      // by another program
	awaited bool      // whoever joined knows of it: its loss may be told
	detail  string
}

// observe notes whether the connection is up. Only states that a rekeying does
// not pass through say that it is not.
func (l *link) observe(dev *device, now time.Time) {
	taken := dev.current != "" && dev.current != noPath && dev.current != l.network
	switch {
	case l.removed:
		l.detail = "another program removed the network from wpa_supplicant"
	case taken:
		l.detail = "another program selected its own network"
	}
	if l.removed || taken {
		if l.lostAt.IsZero() {
			l.lostAt = now
		}
		return
	}
	switch dev.state {
	case "completed":
		l.lostAt = time.Time{}
	case "associated", "4way_handshake", "group_handshake":
	default:
		if l.lostAt.IsZero() {
			l.lostAt = now
		}
		l.detail = lossDetail(dev.state, dev.reason)
	}
}

func lossDetail(state string, reason int32) string {
	switch {
	case state == stateDisabled:
		return "the radio was switched off or blocked"
	case reason == -4 || reason == 0:
		return "the access point is out of reach"
	case reason > 0:
		return fmt.Sprintf("the access point ended the connection (%s)", reasonText(reason))
	default:
		return fmt.Sprintf("the connection was ended from this side (%s)", reasonText(reason))
	}
}

// lossTimer returns a channel that delivers when a connection that went down
// counts as lost.
func (c *Client) lossTimer() <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link == nil || !c.link.awaited || c.link.lostAt.IsZero() {
		return nil
	}
	return time.After(time.Until(c.link.lostAt.Add(lostAfter)))
}

// checkLink tells the owner if the connection is lost, and returns it then.
func (c *Client) checkLink() *link {
	c.notify.Lock()
	defer c.notify.Unlock()
	c.mu.Lock()
	l := c.link
	switch {
	case l == nil:
	case !l.awaited:
		l = nil
	case l.dev.gone:
		l.detail = c.down
	case l.lostAt.IsZero():
		l = nil
	case l.dev.state != stateDisabled && time.Since(l.lostAt) < lostAfter:
		l = nil
	}
	if l != nil {
		c.link = nil
	}
	c.mu.Unlock()
	if l != nil {
		c.opts.OnLost(l.detail)
	}
	return l
}

// Watch makes OnLost tell of the connection that the last Join returned. It is for
// whoever has made it known: a loss that is told before the join is taken for one of the
// connection before.
func (c *Client) Watch() {
	c.mu.Lock()
	if c.link != nil {
		c.link.awaited = true
	}
	c.mu.Unlock()
	select {
	case c.poke <- struct{}{}:
	default:
	}
}

// unlink stops watching the connection: OnLost is not called for it any more.
func (c *Client) unlink() {
	c.notify.Lock()
	defer c.notify.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link = nil
}

// watch starts watching a connection that was made. c.op is held.
func (c *Client) watch(dev *device, network dbus.ObjectPath) {
	c.current = &link{dev: dev, network: network}
	c.mu.Lock()
	dev.reason, dev.current = 0, network
	c.link = c.current
	c.link.observe(dev, time.Now())
	c.mu.Unlock()
	select {
	case c.poke <- struct{}{}:
	default:
	}
}
