package config

import (
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Limits of values.
const (
	maxNameLen        = 29 // 31 bytes of a scan response less length and type (Core 5.4, Vol 3 Part C, 11)
	maxURLLen         = 95 // with an IPv6 address it is what Improv can tell: 127 bytes
	maxInterfaceLen   = 15 // IFNAMSIZ less the terminating zero (linux/if.h)
	minConnectTimeout = 5 * time.Second
	maxConnectTimeout = 5 * time.Minute
	minAddressTimeout = 5 * time.Second
	maxAddressTimeout = 5 * time.Minute
	maxKey            = 0x2ff // KEY_MAX (linux/input-event-codes.h)
	maxHold           = 4 * time.Second
	minEraseAfter     = 5 * time.Second // longer than maxHold: who opens the door does not erase
	maxEraseAfter     = time.Minute
	maxDeviceLen      = 255
)

// formerKeys are settings of earlier versions: they are taken, so that an update takes no
// gateway off the air, and are not in the reference.
var formerKeys = []key{
	{"bluetooth", "keep_after_connect", "true, false", setKeepAfterConnect},
}

// key is one setting of the file.
type key struct {
	section, name string
	allowed       string                             // for the error
	set           func(c *Config, value string) bool // false if value is not allowed
}

// keys are all settings there are, in the order of the reference.
var keys = []key{
	{"bluetooth", "adapter", "auto for the first that can advertise, hci0, hci1 ..., or an address such as 00:1A:7D:DA:71:13", setAdapter},
	{"bluetooth", "name", fmt.Sprintf("a name of 1 to %d bytes that is not blank and has no control or direction characters", maxNameLen), setName},
	{"bluetooth", "security", "none, encrypt, authenticated", setSecurity},
	{"bluetooth", "access", "always, offline, window", setAccess},
	{"bluetooth", "access_ignores", "names of interfaces with spaces between, such as eth1 wwan0, * for all, or empty", setAccessIgnores},
	{"bluetooth", "window", "a duration from 10s to 1h, such as 5m", setWindow},
	{"bluetooth", "protocols", "a list of native, improv and espressif, such as [native, improv]", setProtocols},
	{"bluetooth", "require_code", "auto, true, false", setRequireCode},
	{"button", "key", fmt.Sprintf("the code of a key, 1 to %d, or empty for no button", maxKey), setKey},
	{"button", "device", "the name of an input device, its path in /dev/input, or empty for each that has the key", setDevice},
	{"button", "hold", "a duration from 0s to 4s, such as 1s", setHold},
	{"button", "erase_after", "a duration from 5s to 1m, such as 10s, or 0s for never", setEraseAfter},
	{"led", "name", "the name of a folder in /sys/class/leds, or empty for no LED", setLED},
	{"improv", "url", fmt.Sprintf("an http or https URL of at most %d bytes, with {address} for the gateway's address, or empty for none", maxURLLen), setURL},
	{"improv", "authorize", "true, false", setAuthorize},
	{"wifi", "interface", fmt.Sprintf("auto for the first that is a station, or an interface such as wlan0, of at most %d bytes", maxInterfaceLen), setInterface},
	{"wifi", "backend", "auto, wpa_supplicant, networkmanager", setBackend},
	{"wifi", "connect_timeout", "a duration from 5s to 5m, such as 30s", setConnectTimeout},
	{"wifi", "address_timeout", "a duration from 5s to 5m, such as 30s", setAddressTimeout},
	{"wifi", "country", "the two capital letters of a country such as DE (ISO 3166-1), or empty to leave it as it is", setCountry},
	{"wifi", "scan_idle", "true, false", setScanIdle},
	{"radio", "unblock", "true, false", setUnblock},
	{"store", "dir", "an absolute path other than /", setDir},
	{"store", "seal", "none, auto, host, tpm2", setSeal},
	{"log", "level", "debug, info, warn, error", setLevel},
}

// allowedKeys returns the names of the settings in section, or of the sections
// if section is empty.
func allowedKeys(section string) string {
	var names []string
	for _, k := range keys {
		switch {
		case section == "" && (len(names) == 0 || names[len(names)-1] != k.section):
			names = append(names, k.section)
		case section == k.section:
			names = append(names, k.name)
		}
	}
	return strings.Join(names, ", ")
}

var (
	adapterForm = regexp.MustCompile(`^(hci[0-9]{1,5}|([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2})?$`)
)

func setAdapter(c *Config, v string) bool {
	c.Bluetooth.Adapter = v
	if v == "auto" {
		c.Bluetooth.Adapter = ""
		return true
	}
	return adapterForm.MatchString(v)
}

func setName(c *Config, v string) bool {
	c.Bluetooth.Name = v
	return ValidName(v)
}

// ValidName reports whether bluetooth.name may be name. It refuses what has no room in an
// advertisement, and what would deceive whoever reads a list of names: a name that cannot
// be seen, control characters, and those that change the direction of the text
// (Unicode Standard Annex #9, 2).
func ValidName(name string) bool {
	deceptive := func(r rune) bool {
		return unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
	}
	return len(name) <= maxNameLen && strings.TrimSpace(name) != "" && !strings.ContainsFunc(name, deceptive)
}

func setSecurity(c *Config, v string) bool {
	mode, err := gatt.ParsePairing(v)
	c.Bluetooth.Security = mode
	return err == nil
}

// setKeepAfterConnect does what it did: other interfaces than the Wi-Fi's did not count.
func setKeepAfterConnect(c *Config, v string) bool {
	var keep bool
	if !setBool(&keep, v) {
		return false
	}
	c.Former = "bluetooth.keep_after_connect: true has become bluetooth.access: always"
	if !keep {
		c.Bluetooth.Access, c.Bluetooth.AccessIgnores = gateway.AccessOffline, "*"
		c.Former = "bluetooth.keep_after_connect: false has become bluetooth.access: offline, with " +
			`access_ignores: "*" to not count other interfaces`
	}
	return true
}

func setAccess(c *Config, v string) bool {
	access, err := gateway.ParseAccess(v)
	c.Bluetooth.Access = access
	return err == nil
}

func setAccessIgnores(c *Config, v string) bool {
	names := strings.Fields(v)
	c.Bluetooth.AccessIgnores = strings.Join(names, " ")
	for _, name := range names {
		if !validInterface(name) {
			return false
		}
	}
	return true
}

func setWindow(c *Config, v string) bool {
	return setDuration(&c.Bluetooth.Window, v, gateway.ShortestWindow, gateway.LongestWindow)
}

func setKey(c *Config, v string) bool {
	if v == "" {
		c.Button.Key = 0
		return true
	}
	code, err := strconv.ParseUint(v, 10, 16)
	c.Button.Key = uint16(code)
	return err == nil && 1 <= code && code <= maxKey
}

func setDevice(c *Config, v string) bool {
	c.Button.Device = v
	path := strings.HasPrefix(v, "/")
	return len(v) <= maxDeviceLen && !strings.ContainsFunc(v, unicode.IsControl) &&
		(!path || strings.HasPrefix(v, "/dev/input/") && filepath.Clean(v) == v)
}

func setHold(c *Config, v string) bool { return setDuration(&c.Button.Hold, v, 0, maxHold) }

func setEraseAfter(c *Config, v string) bool {
	return setDuration(&c.Button.EraseAfter, v, 0, maxEraseAfter) &&
		(c.Button.EraseAfter == 0 || c.Button.EraseAfter >= minEraseAfter)
}

// setLED takes what can be a name in sysfs, of the characters that can be seen.
func setLED(c *Config, v string) bool {
	c.LED.Name = v
	bad := func(r rune) bool { return r <= ' ' || r > '~' || r == '/' }
	return len(v) <= maxDeviceLen && v != "." && v != ".." && !strings.ContainsFunc(v, bad)
}

func setDuration(d *time.Duration, v string, least, most time.Duration) bool {
	parsed, err := time.ParseDuration(v)
	*d = parsed
	return err == nil && least <= parsed && parsed <= most
}

func setScanIdle(c *Config, v string) bool  { return setBool(&c.Wifi.ScanIdle, v) }
func setUnblock(c *Config, v string) bool   { return setBool(&c.Radio.Unblock, v) }
func setAuthorize(c *Config, v string) bool { return setBool(&c.Improv.Authorize, v) }

func setBool(b *bool, v string) bool {
	*b = v == "true"
	return v == "true" || v == "false"
}

// setProtocols takes the names of a list, apart by commas.
func setProtocols(c *Config, v string) bool {
	all := map[string]*bool{"native": &c.Bluetooth.Protocols.Native, "improv": &c.Bluetooth.Protocols.Improv, "espressif": &c.Bluetooth.Protocols.Espressif}
	c.Bluetooth.Protocols = Protocols{}
	for name := range strings.SplitSeq(v, ",") {
		wanted := all[name]
		if wanted == nil || *wanted {
			return false
		}
		*wanted = true
	}
	return true
}

func setRequireCode(c *Config, v string) bool {
	c.Bluetooth.RequireCode = v
	return v == "auto" || v == "true" || v == "false"
}

// setURL takes what a phone can open: an address in place of {address} must make a URL.
func setURL(c *Config, v string) bool {
	c.Improv.URL = v
	if v == "" {
		return true
	}
	u, err := url.Parse(strings.ReplaceAll(v, "{address}", "192.0.2.1"))
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && len(v) <= maxURLLen &&
		!strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"<>\^`+"`", r) })
}

func setInterface(c *Config, v string) bool {
	c.Wifi.Interface = v
	return validInterface(v)
}

// validInterface takes what the kernel takes (dev_valid_name in net/core/dev.c), of the
// characters that can be seen.
func validInterface(v string) bool {
	bad := func(r rune) bool { return r <= ' ' || r > '~' || r == '/' || r == ':' }
	return 0 < len(v) && len(v) <= maxInterfaceLen && v != "." && v != ".." && !strings.ContainsFunc(v, bad)
}

func setBackend(c *Config, v string) bool {
	c.Wifi.Backend = v
	return v == "auto" || v == "wpa_supplicant" || v == "networkmanager"
}

func setConnectTimeout(c *Config, v string) bool {
	return setDuration(&c.Wifi.ConnectTimeout, v, minConnectTimeout, maxConnectTimeout)
}

func setAddressTimeout(c *Config, v string) bool {
	return setDuration(&c.Wifi.AddressTimeout, v, minAddressTimeout, maxAddressTimeout)
}

func setCountry(c *Config, v string) bool {
	country, err := wifi.ParseCountry(v)
	c.Wifi.Country = country
	return err == nil || v == ""
}

func setDir(c *Config, v string) bool {
	c.Store.Dir = filepath.Clean(v)
	return filepath.IsAbs(v) && c.Store.Dir != "/" && !strings.ContainsFunc(v, unicode.IsControl)
}

func setSeal(c *Config, v string) bool {
	c.Store.Seal = v
	return v == "none" || v == "auto" || v == "host" || v == "tpm2"
}

func setLevel(c *Config, v string) bool {
	levels := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}
	level, ok := levels[v]
	c.Log.Level = level
	return ok
}
