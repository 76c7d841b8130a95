package config

import (
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode"

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
)

// key is one setting of the file.
type key struct {
	section, name string
	allowed       string                             // for the error
	set           func(c *Config, value string) bool // false if value is not allowed
}

// keys are all settings there are, in the order of the reference.
var keys = []key{
	{"bluetooth", "adapter", "hci0, hci1 ..., an address such as 00:1A:7D:DA:71:13, or empty for the first that can advertise", setAdapter},
	{"bluetooth", "name", fmt.Sprintf("a name of 1 to %d bytes that is not blank and has no control or direction characters", maxNameLen), setName},
	{"bluetooth", "security", "none, encrypt, authenticated", setSecurity},
	{"bluetooth", "keep_after_connect", "true, false", setKeepAfterConnect},
	{"bluetooth", "protocols", "a list of native and improv, such as [native, improv]", setProtocols},
	{"improv", "url", fmt.Sprintf("an http or https URL of at most %d bytes, with {address} for the gateway's address, or empty for none", maxURLLen), setURL},
	{"improv", "authorize", "true, false", setAuthorize},
	{"wifi", "interface", fmt.Sprintf("an interface such as wlan0, of at most %d bytes", maxInterfaceLen), setInterface},
	{"wifi", "backend", "auto, wpa_supplicant, networkmanager", setBackend},
	{"wifi", "connect_timeout", "a duration from 5s to 5m, such as 30s", setConnectTimeout},
	{"wifi", "address_timeout", "a duration from 5s to 5m, such as 30s", setAddressTimeout},
	{"wifi", "country", "the two capital letters of a country such as DE (ISO 3166-1), or empty to leave it as it is", setCountry},
	{"wifi", "scan_idle", "true, false", setScanIdle},
	{"store", "dir", "an absolute path other than /", setDir},
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
	return adapterForm.MatchString(v)
}

// setName refuses what would deceive whoever reads a list of names: a name that cannot
// be seen, control characters, and those that change the direction of the text
// (Unicode Standard Annex #9, 2).
func setName(c *Config, v string) bool {
	c.Bluetooth.Name = v
	deceptive := func(r rune) bool {
		return unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
	}
	return len(v) <= maxNameLen && strings.TrimSpace(v) != "" && !strings.ContainsFunc(v, deceptive)
}

func setSecurity(c *Config, v string) bool {
	mode, err := gatt.ParsePairing(v)
	c.Bluetooth.Security = mode
	return err == nil
}

func setKeepAfterConnect(c *Config, v string) bool { return setBool(&c.Bluetooth.KeepAfterConnect, v) }
func setAuthorize(c *Config, v string) bool        { return setBool(&c.Improv.Authorize, v) }
func setScanIdle(c *Config, v string) bool         { return setBool(&c.Wifi.ScanIdle, v) }

func setBool(b *bool, v string) bool {
	*b = v == "true"
	return v == "true" || v == "false"
}

// setProtocols takes the names of a list, apart by commas.
func setProtocols(c *Config, v string) bool {
	all := map[string]*bool{"native": &c.Bluetooth.Protocols.Native, "improv": &c.Bluetooth.Protocols.Improv}
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

// setInterface takes what the kernel takes (dev_valid_name in net/core/dev.c),
// of the characters that can be seen.
func setInterface(c *Config, v string) bool {
	c.Wifi.Interface = v
	bad := func(r rune) bool { return r <= ' ' || r > '~' || r == '/' || r == ':' }
	return 0 < len(v) && len(v) <= maxInterfaceLen && v != "." && v != ".." && !strings.ContainsFunc(v, bad)
}

func setBackend(c *Config, v string) bool {
	c.Wifi.Backend = v
	return v == "auto" || v == "wpa_supplicant" || v == "networkmanager"
}

func setConnectTimeout(c *Config, v string) bool {
	d, err := time.ParseDuration(v)
	c.Wifi.ConnectTimeout = d
	return err == nil && minConnectTimeout <= d && d <= maxConnectTimeout
}

func setAddressTimeout(c *Config, v string) bool {
	d, err := time.ParseDuration(v)
	c.Wifi.AddressTimeout = d
	return err == nil && minAddressTimeout <= d && d <= maxAddressTimeout
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

func setLevel(c *Config, v string) bool {
	levels := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}
	level, ok := levels[v]
	c.Log.Level = level
	return ok
}
