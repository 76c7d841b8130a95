package wpa

import (
	"context"

	"github.com/godbus/dbus/v5"
)

const silent = "wpa_supplicant does not answer; restart it with: systemctl restart wpa_supplicant"

// Check finds out, without waiting for it, whether wpa_supplicant still answers.
// While it does not, networks cannot be joined, which OnAvailable tells.
func (c *Client) Check() {
	select {
	case c.checks <- struct{}{}:
	default:
	}
}

// ping asks wpa_supplicant until it answers or ends, and notes whether it does. It
// returns at once if it is being asked already.
func (c *Client) ping(ctx context.Context, conn *dbus.Conn) {
	if !c.pinging.TryLock() {
		return
	}
	defer c.pinging.Unlock()
	c.mu.Lock()
	dev := c.dev
	c.mu.Unlock()
	if dev == nil {
		return
	}
	for told := false; ctx.Err() == nil; told = true {
		var path dbus.ObjectPath
		_, err := call(ctx, conn, rootPath, rootIface+".GetInterface", []any{c.opts.Interface}, []any{&path})
		switch {
		case c.isGone(dev) || ctx.Err() != nil:
			return
		case !unanswered(err) && told:
			c.checkRadio(dev)
			return
		case !unanswered(err):
			return
		case !told:
			c.setDown(silent)
		}
	}
}
