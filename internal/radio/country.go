package radio

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// maxFile is how much of a file is read, in bytes.
const maxFile = 64 << 10

// sources are where a system notes its country, in the order in which they count. NetworkManager
// has no place for one (as of 1.59: neither a setting nor a call to nl80211).
var sources = []struct {
	name string
	find func(root string) []string
}{
	{"the kernel's command line", commandLine},
	{"the kernel's module cfg80211", moduleParameter},
	{"netplan", netplan},
	{"wpa_supplicant's configuration", supplicantConf},
	{"crda's configuration", crda},
}

// SystemCountry returns the country that the system whose files are below root has without
// wifiprovd, and where from; empty: none that ISO 3166 knows.
func SystemCountry(root string) (country wifi.Country, source string) {
	for _, s := range sources {
		for _, code := range s.find(root) {
			if c, err := wifi.ParseCountry(strings.ToUpper(code)); err == nil {
				return c, s.name
			}
		}
	}
	return "", ""
}

// commandLine: raspi-config (do_wifi_country, since Debian 12) and Raspberry Pi Imager write
// cfg80211.ieee80211_regdom=DE into cmdline.txt.
func commandLine(root string) []string {
	return settings(root, "proc/cmdline", `(?:^|\s)cfg80211\.ieee80211_regdom=(\w+)`)
}

// moduleParameter: a file in /etc/modprobe.d may say options cfg80211 ieee80211_regdom=DE. Without
// one it is 00 (Linux, net/wireless/reg.c).
func moduleParameter(root string) []string {
	return settings(root, "sys/module/cfg80211/parameters/ieee80211_regdom", `^(\w+)`)
}

// netplan: on Debian 13, Raspberry Pi Imager has cloud-init write regulatory-domain: "DE" of each
// interface (netplan's YAML reference), which netplan sets at boot where iw is installed.
func netplan(root string) []string {
	return settings(root, "etc/netplan/*.yaml", `(?m)^\s*regulatory-domain:\s*["']?(\w+)`)
}

// supplicantConf: country=DE (wpa_supplicant.conf(5)), as raspi-config wrote it up to Debian 11. A
// wpa_supplicant that is on the message bus does not read the file.
func supplicantConf(root string) []string {
	return settings(root, "etc/wpa_supplicant/wpa_supplicant*.conf", `(?m)^\s*country=["']?(\w+)`)
}

// crda: REGDOMAIN=DE (regulatory.bin(5)), up to Debian 11.
func crda(root string) []string {
	return settings(root, "etc/default/crda", `(?m)^\s*REGDOMAIN=["']?(\w+)`)
}

// settings returns what the group of a pattern matches in the files below root that match a glob.
func settings(root, glob, pattern string) (values []string) {
	files, _ := filepath.Glob(filepath.Join(root, glob))
	for _, file := range files {
		for _, match := range regexp.MustCompile(pattern).FindAllSubmatch(text(file), -1) {
			values = append(values, string(match[1]))
		}
	}
	return values
}

// text returns the beginning of a file; nothing, if it cannot be read.
func text(path string) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }() // read only: nothing is lost
	data, _ := io.ReadAll(io.LimitReader(f, maxFile))
	return data
}
