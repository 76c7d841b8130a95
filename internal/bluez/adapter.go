package bluez

import (
	"cmp"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/rfkill"
)

const (
	// adoptTime is how long an adapter that is not hci0 waits for one that comes before
	// it by name: when bluetoothd starts, adapters appear one by one in any order.
	adoptTime = 500 * time.Millisecond

	// returnTime is how long our last adapter may take to come back before another one
	// takes its place: on a slow machine bluetoothd needs seconds from one adapter to
	// the next. Phones know the gateway, and have their bonds, by the adapter's address.
	returnTime = 10 * time.Second
)

// chooser decides which adapter is ours: the configured one, or the first that can
// advertise.
type chooser struct {
	configured string // hci0, or an address; empty: any
	world      *world
	current    dbus.ObjectPath // ours; empty: none
	last       dbus.ObjectPath // ours before; empty: none yet
	seen       radio           // of current, when the world last changed
	wait       alarm           // until another adapter than hci0 or last is taken
}

// reset forgets the adapter, but not which one it was: it is the first choice again.
func (c *chooser) reset() {
	c.current, c.seen = "", radio{}
	c.wait.stop()
}

// lost reports whether our adapter has just gone.
func (c *chooser) lost() bool {
	if c.current == "" || c.world.canAdvertise(c.current) {
		return false
	}
	c.reset()
	return true
}

// look returns the state of our adapter, as it was at the last look and as it is.
func (c *chooser) look() (before, now radio) {
	before, c.seen = c.seen, c.world.radio(c.current)
	return before, c.seen
}

// adopt takes the best adapter there is: at once if no better one can come, else after a
// wait for it.
func (c *chooser) adopt() {
	path := c.best()
	switch {
	case path == "":
	case c.configured != "", path == c.last, c.last == "" && adapterName(path) == "hci0":
		c.take(path)
	case !c.wait.set():
		wait := returnTime
		if c.last == "" {
			wait = adoptTime
		}
		c.wait.start(wait, func() { c.take(c.best()) })
	}
}

func (c *chooser) take(path dbus.ObjectPath) {
	c.wait.stop()
	c.current, c.last = path, cmp.Or(path, c.last)
}

// best returns the adapter to take if no other one comes, empty if there is none. One
// with room for an advertisement comes before one without.
func (c *chooser) best() dbus.ObjectPath {
	if c.configured == "" && c.last != "" && c.world.canAdvertise(c.last) {
		return c.last
	}
	var first dbus.ObjectPath
	for _, path := range c.world.adapters() {
		now := c.world.radio(path)
		switch {
		case !c.world.canAdvertise(path), c.configured != "" && !c.means(path):
		case c.configured != "", now.active+now.free > 0:
			return path
		case first == "":
			first = path
		}
	}
	return first
}

// means reports whether the adapter at path is the configured one. Names swap between
// boots where there are several adapters; addresses, which bonds belong to, do not.
func (c *chooser) means(path dbus.ObjectPath) bool {
	return adapterName(path) == c.configured || strings.EqualFold(c.world.adapterAddress(path), c.configured)
}

// problem says why no adapter is ours.
func (c *chooser) problem() string {
	adapters := c.world.adapters()
	if c.configured == "" {
		if len(adapters) > 0 {
			return "no Bluetooth adapter can advertise; waiting for one that can"
		}
		return "there is no Bluetooth adapter; waiting for one"
	}
	for _, path := range adapters {
		if c.means(path) {
			return "adapter " + c.configured +
				" cannot advertise; choose another one in the configuration (bluetooth.adapter)"
		}
	}
	return "there is no adapter " + c.configured + "; waiting for it"
}

// blocked reports whether rfkill blocks an adapter. BlueZ does not always say so: 5.82
// answers Failed.
func blocked(adapter string) bool {
	soft, hard := rfkill.Blocked("/sys/class/bluetooth/" + adapter)
	return soft || hard
}
