package wpa

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/rfkill"
)

// device is the interface as one run of wpa_supplicant knows it. Its first part
// does not change; the second is guarded by the Client's mu.
type device struct {
	conn  *dbus.Conn
	owner string // wpa_supplicant's unique name on the bus
	path  dbus.ObjectPath
	since dbus.Sequence // signals before this one are older than the device
	sae   bool          // the radio and its driver can do WPA3
	pmf   bool          // they can protect management frames

	gone     bool
	state    string          // wpa_supplicant's State
	current  dbus.ObjectPath // its CurrentNetwork; empty: not told yet
	reason   int32           // the last DisconnectReason
	scanDone dbus.Sequence
	scanOK   bool

	mine  dbus.ObjectPath // the running Join's network; empty: it has none
	none  dbus.Sequence   // when it had none last: what is older may have been about one of before
	taken bool            // another program has selected its own network since the Join began
}

const stateDisabled = "interface_disabled" // wpa_supplicant: rfkill-blocked or set down

// attachOrRetry looks for wpa_supplicant and the interface, now and, if they are
// not there, again later.
func (c *Client) attachOrRetry(ctx context.Context, conn *dbus.Conn, retry *backoff) {
	retry.stop()
	if !c.missing() {
		return
	}
	dev, err := c.attach(ctx, conn)
	if err != nil {
		if ctx.Err() == nil {
			c.opts.Log.Debug("wpa_supplicant is not usable", "interface", c.opts.Interface, "error", err)
			c.setDown(c.explain(err))
			retry.start()
		}
		return
	}
	retry.reset()
	c.mu.Lock()
	c.dev = dev
	c.broadcast()
	c.mu.Unlock()
	c.sweepNetworks(ctx, dev)
	c.checkRadio(dev)
}

// sweepNetworks does what a Leave had to put off.
func (c *Client) sweepNetworks(ctx context.Context, dev *device) {
	c.mu.Lock()
	sweep := c.sweep && !c.managed
	c.sweep = c.sweep && c.managed
	c.mu.Unlock()
	if !sweep {
		return
	}
	if _, err := dev.call(ctx, "RemoveAllNetworks", nil); err != nil {
		c.opts.Log.Warn("networks could not be removed", "interface", c.opts.Interface, "error", err)
	}
}

// attach returns the interface, which wpa_supplicant is asked to take over if it
// has not yet. Asking may start wpa_supplicant (D-Bus activation).
func (c *Client) attach(ctx context.Context, conn *dbus.Conn) (*device, error) {
	dev := &device{conn: conn}
	name := c.opts.Interface
	_, err := call(ctx, conn, rootPath, rootIface+".GetInterface", []any{name}, []any{&dev.path})
	if errorName(err) == errIfaceUnknown {
		args := map[string]dbus.Variant{"Ifname": dbus.MakeVariant(name)}
		_, err = call(ctx, conn, rootPath, rootIface+".CreateInterface", []any{args}, []any{&dev.path})
	}
	if err != nil {
		return nil, err
	}
	if dev.owner, err = nameOwner(ctx, conn); err != nil {
		return nil, err
	}
	if c.opts.Country != "" {
		if err := dev.set(ctx, "Country", c.opts.Country); err != nil {
			c.opts.Log.Warn("the Wi-Fi country could not be set", "country", c.opts.Country, "error", err)
		}
	}
	// Both ways to derive WPA3's password element: 2.10 knows only the older one by
	// default, and access points may offer the newer one (H2E) alone.
	if err := dev.set(ctx, "SaePwe", "2"); err != nil {
		c.opts.Log.Debug("WPA3 by hash to element stays off", "error", err)
	}
	props, since, err := dev.properties(ctx)
	if err != nil {
		return nil, err
	}
	dev.since = since
	dev.state = property[string](props, "State")
	dev.sae = slices.Contains(list(props, "Capabilities", "KeyMgmt"), "sae")
	dev.pmf = slices.Contains(list(props, "Capabilities", "GroupMgmt"), "aes-128-cmac")
	return dev, nil
}

// call calls a method of the interface.
func (d *device) call(ctx context.Context, method string, args []any, ret ...any) (*dbus.Call, error) {
	return call(ctx, d.conn, d.path, ifaceIface+"."+method, args, ret)
}

// set sets a property of the interface.
func (d *device) set(ctx context.Context, name, value string) error {
	_, err := call(ctx, d.conn, d.path, propsIface+".Set", []any{ifaceIface, name, dbus.MakeVariant(value)}, nil)
	return err
}

// properties returns all properties of the interface, and the answer's place
// among the signals.
func (d *device) properties(ctx context.Context) (map[string]dbus.Variant, dbus.Sequence, error) {
	var props map[string]dbus.Variant
	answer, err := call(ctx, d.conn, d.path, propsIface+".GetAll", []any{ifaceIface}, []any{&props})
	if err != nil {
		return nil, 0, err
	}
	return props, answer.ResponseSequence, nil
}

// missing reports whether wpa_supplicant or the interface is not there.
func (c *Client) missing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dev == nil
}

// detach forgets the interface, which is gone, and says so.
func (c *Client) detach(why string) {
	c.drop("")
	c.setDown(why)
}

// drop forgets the interface.
func (c *Client) drop(why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dev != nil {
		c.dev.gone = true
		c.dev = nil
	}
	if why != "" {
		c.down = why
	}
	c.broadcast()
}

// checkRadio tells whether the radio can be used, after its state has changed.
func (c *Client) checkRadio(dev *device) {
	c.mu.Lock()
	state := dev.state
	c.mu.Unlock()
	switch {
	case state != stateDisabled:
		c.setDown("")
	default:
		why := c.radioProblem()
		if why == "" {
			why = fmt.Sprintf("%s is down; set it up with: ip link set %[1]s up", c.opts.Interface)
		}
		c.setDown(why)
	}
}

// setDown notes why networks cannot be joined, empty if they can, and says so
// when it is news.
func (c *Client) setDown(why string) {
	c.mu.Lock()
	if c.managed {
		why = c.managedText() // whatever else there is follows from it, or can wait
	}
	before := c.down
	c.down = why
	c.broadcast()
	c.mu.Unlock()
	if why == before {
		return
	}
	if why == "" {
		c.opts.Log.Info("Wi-Fi can be used", "interface", c.opts.Interface)
	} else {
		c.opts.Log.Warn("Wi-Fi cannot be used: "+why+"; waiting until it can", "interface", c.opts.Interface)
	}
	c.opts.OnAvailable(why == "", why)
}

// explain says in words why attach failed, and what to do.
func (c *Client) explain(err error) string {
	switch name := errorName(err); {
	case name == service+".UnknownError" || name == errIfaceExists:
		if why := c.radioProblem(); why != "" {
			return why
		}
		return fmt.Sprintf("wpa_supplicant cannot use %s; is another wpa_supplicant or iwd using it?", c.opts.Interface)
	case name == "org.freedesktop.DBus.Error.AccessDenied":
		return "the message bus does not let this program use wpa_supplicant; it must run as root"
	case unanswered(err):
		return silent
	default:
		return "wpa_supplicant is not running; start it with: systemctl start wpa_supplicant"
	}
}

// radioProblem looks into sysfs for what is wrong with the radio: the interface
// is missing, is none of a Wi-Fi radio, or is blocked by rfkill.
func (c *Client) radioProblem() string {
	name := c.opts.Interface
	dir := filepath.Join(c.sys, "class/net", name)
	if _, err := os.Stat(dir); err != nil {
		return fmt.Sprintf("there is no network interface %s; Wi-Fi interfaces here: %s", name, c.radios())
	}
	if _, err := os.Stat(filepath.Join(dir, "phy80211")); err != nil {
		return fmt.Sprintf("%s is not a Wi-Fi interface; Wi-Fi interfaces here: %s", name, c.radios())
	}
	switch soft, hard := rfkill.Blocked(filepath.Join(dir, "phy80211")); {
	case hard:
		return "Wi-Fi is blocked by a hardware switch (rfkill); switch it on"
	case soft:
		return "Wi-Fi is blocked by rfkill; set wifi.country, then unblock it with: rfkill unblock wifi"
	}
	return ""
}

// radios lists the Wi-Fi interfaces there are.
func (c *Client) radios() string {
	dirs, _ := filepath.Glob(filepath.Join(c.sys, "class/net/*/phy80211"))
	if len(dirs) == 0 {
		return "none"
	}
	for i, dir := range dirs {
		dirs[i] = filepath.Base(filepath.Dir(dir))
	}
	return strings.Join(dirs, ", ")
}
