// Package rfkill reads whether the kernel lets a radio send, and asks it to.
package rfkill

import (
	"os"
	"path/filepath"
	"strings"
)

// Blocked reports whether the radio with this folder in sysfs
// (/sys/class/bluetooth/hci0, /sys/class/net/wlan0/phy80211) is blocked by
// software, which "rfkill unblock" ends, and by a hardware switch. A radio
// without rfkill is not (Linux, Documentation/ABI/stable/sysfs-class-rfkill).
func Blocked(radio string) (soft, hard bool) {
	switches, _ := filepath.Glob(filepath.Join(radio, "rfkill*"))
	on := func(file string) bool {
		value, err := os.ReadFile(file)
		return err == nil && strings.TrimSpace(string(value)) == "1"
	}
	for _, s := range switches {
		soft = soft || on(filepath.Join(s, "soft"))
		hard = hard || on(filepath.Join(s, "hard"))
	}
	return soft, hard
}
