package radio

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// files writes files below a folder of the test's, and returns it.
func files(t *testing.T, texts map[string]string) (root string) {
	t.Helper()
	root = t.TempDir()
	for name, text := range texts {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestSystemCountry(t *testing.T) {
	const (
		cmdline   = "proc/cmdline"
		parameter = "sys/module/cfg80211/parameters/ieee80211_regdom"
		conf      = "etc/wpa_supplicant/wpa_supplicant.conf"
		ofWlan0   = "etc/wpa_supplicant/wpa_supplicant-wlan0.conf"
		plan      = "etc/netplan/50-cloud-init.yaml"
		regdomain = "etc/default/crda"
	)
	for name, test := range map[string]struct {
		files map[string]string
		want  wifi.Country
		from  string
	}{
		"nothing":         {nil, "", ""},
		"an untouched Pi": {map[string]string{cmdline: "console=tty1 root=PARTUUID=1-02 rootwait\n", parameter: "00\n"}, "", ""},
		"command line": {map[string]string{cmdline: "rootwait cfg80211.ieee80211_regdom=DE quiet\n", parameter: "FR\n"},
			"DE", "the kernel's command line"},
		"first on the command line": {map[string]string{cmdline: "cfg80211.ieee80211_regdom=gb\n"}, "GB", "the kernel's command line"},
		"another's parameter":       {map[string]string{cmdline: "my_cfg80211.ieee80211_regdom=DE xcfg80211.ieee80211_regdom=DE\n"}, "", ""},
		"no country on it":          {map[string]string{cmdline: "cfg80211.ieee80211_regdom=00\n", parameter: "FR\n"}, "FR", "the kernel's module cfg80211"},
		"UK":                        {map[string]string{cmdline: "cfg80211.ieee80211_regdom=UK\n"}, "", ""},
		"netplan": {map[string]string{plan: "network:\n  version: 2\n  wifis:\n    wlan0:\n      regulatory-domain: \"NL\"\n", conf: "country=DE\n"},
			"NL", "netplan"},
		"netplan, commented out": {map[string]string{plan: "#      regulatory-domain: \"NL\"\n"}, "", ""},
		"wpa_supplicant.conf": {map[string]string{conf: "ctrl_interface=DIR=/run/wpa_supplicant GROUP=netdev\nupdate_config=1\ncountry=SE\n\nnetwork={\n}\n"},
			"SE", "wpa_supplicant's configuration"},
		"wpa_supplicant.conf of an interface": {map[string]string{conf: "country=\n", ofWlan0: "country=US\n"}, "US", "wpa_supplicant's configuration"},
		"commented out":                       {map[string]string{conf: "#country=US\n"}, "", ""},
		"crda":                                {map[string]string{regdomain: "# Set REGDOMAIN to\nREGDOMAIN=JP\n"}, "JP", "crda's configuration"},
		"crda, as installed":                  {map[string]string{regdomain: "REGDOMAIN=\n"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got, from := SystemCountry(files(t, test.files)); got != test.want || from != test.from {
				t.Errorf("got %q from %q, want %q from %q", got, from, test.want, test.from)
			}
		})
	}
}
