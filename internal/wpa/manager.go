package wpa

import (
	"context"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"
)

// Names of NetworkManager's D-Bus interface (its D-Bus reference manual).
const (
	managerName   = "org.freedesktop.NetworkManager"
	managerPath   = dbus.ObjectPath("/org/freedesktop/NetworkManager")
	managerDevice = managerName + ".Device"
	managerAdded  = managerName + ".DeviceAdded"
)

// followManager acts on a signal that may change whether NetworkManager manages
// the interface.
func (c *Client) followManager(ctx context.Context, conn *dbus.Conn, s *dbus.Signal) {
	about := len(s.Body) > 0 && (s.Name == ownerChange && s.Body[0] == managerName || s.Name == propChanged && s.Body[0] == managerDevice)
	if about || s.Name == managerAdded {
		c.checkManager(ctx, conn)
	}
}

// checkManager asks NetworkManager, if it runs, whether it manages the interface:
// two masters of one radio undo each other's work. When NetworkManager lets go of
// it, it takes it out of wpa_supplicant a moment later; until then it counts as
// managed.
func (c *Client) checkManager(ctx context.Context, conn *dbus.Conn) {
	managed := c.isManaged(ctx, conn)
	c.mu.Lock()
	before := c.managed
	c.mu.Unlock()
	c.released.stop()
	switch {
	case managed:
		c.setManaged(ctx, true)
	case before:
		c.released.t = time.NewTimer(releaseTime)
	}
}

func (c *Client) setManaged(ctx context.Context, managed bool) {
	c.mu.Lock()
	c.managed = managed
	dev := c.dev
	c.mu.Unlock()
	switch {
	case managed:
		c.setDown(c.managedText())
	case dev != nil:
		c.sweepNetworks(ctx, dev)
		c.checkRadio(dev)
	}
}

func (c *Client) isManaged(ctx context.Context, conn *dbus.Conn) bool {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var path dbus.ObjectPath
	err := conn.Object(managerName, managerPath).
		CallWithContext(ctx, managerName+".GetDeviceByIpIface", dbus.FlagNoAutoStart, c.opts.Interface).Store(&path)
	if err != nil {
		return false // it does not run, or does not know the interface
	}
	var managed bool
	err = conn.Object(managerName, path).
		CallWithContext(ctx, propsIface+".Get", dbus.FlagNoAutoStart, managerDevice, "Managed").Store(&managed)
	return err == nil && managed
}

// managedText says that NetworkManager manages the interface, and what to do.
func (c *Client) managedText() string {
	return fmt.Sprintf("NetworkManager manages %s; hand it over with: nmcli device set %[1]s managed no", c.opts.Interface)
}
