package wpa

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/wifiprovd/wifiprovd/internal/rfkill"
)

// radioTrouble says why the radio of an interface in this state cannot be used; empty:
// it can.
func (c *Client) radioTrouble(state string) string {
	if state != stateDisabled {
		return ""
	}
	if why := c.radioProblem(); why != "" {
		return why
	}
	return fmt.Sprintf("%s is down; set it up with: ip link set %[1]s up", c.view.Load().iface())
}

// radioProblem looks into sysfs for what is wrong with the radio: the interface is
// missing, is not one of a Wi-Fi radio, or is blocked by rfkill.
func (c *Client) radioProblem() string {
	name := c.view.Load().iface()
	dir := filepath.Join(c.sysfs, "class/net", name)
	if _, err := os.Stat(dir); err != nil {
		return fmt.Sprintf("there is no network interface %s; Wi-Fi interfaces here: %s", name, radios(c.sysfs))
	}
	if _, err := os.Stat(filepath.Join(dir, "phy80211")); err != nil {
		return fmt.Sprintf("%s is not a Wi-Fi interface; Wi-Fi interfaces here: %s", name, radios(c.sysfs))
	}
	switch soft, hard := rfkill.Blocked(filepath.Join(dir, "phy80211")); {
	case hard:
		return "Wi-Fi is blocked by a hardware switch (rfkill); switch it on"
	case soft:
		return "Wi-Fi is blocked by rfkill; have a phone name the country, or run: rfkill unblock wifi"
	}
	return ""
}

// radios lists the Wi-Fi interfaces there are.
func radios(sysfs string) string {
	dirs, _ := filepath.Glob(filepath.Join(sysfs, "class/net/*/phy80211"))
	if len(dirs) == 0 {
		return "none"
	}
	for i, dir := range dirs {
		dirs[i] = filepath.Base(filepath.Dir(dir))
	}
	return strings.Join(dirs, ", ")
}
