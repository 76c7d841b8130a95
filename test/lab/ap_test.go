//go:build lab

package lab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// AP is an access point.
type AP struct {
	SSID       string        // any bytes
	Passphrase string        // or 64 hex digits of a raw PSK; empty for an open network
	Security   wifi.Security // what it offers, and nothing else; not AutoDetect
	Hidden     bool          // its beacons do not tell the SSID
	Channel    int           // of the 2.4 GHz band; 0 means 1
	Conf       []string      // more lines of hostapd.conf, which override those before
}

// radio is one of the radios for access points, 1 to 3. Its network interface
// wlan1, wlan2 or wlan3 is in the network namespace ap.
type radio int

const radios = 3

func (r radio) iface() string { return fmt.Sprintf("wlan%d", r) }
func (r radio) unit() string  { return fmt.Sprintf("lab-ap@%d.service", r) }
func (r radio) conf() string  { return fmt.Sprintf("/var/lib/lab/ap%d.conf", r) }

// play makes the radio the access point ap, now and at the next boot.
func (r radio) play(t testing.TB, ap AP) {
	t.Helper()
	secret(t, ap.SSID, ap.Passphrase)
	conf := []byte(ap.hostapdConf(r.iface()))
	if old, err := os.ReadFile(r.conf()); err == nil && bytes.Equal(old, conf) && r.enabled() == nil {
		return
	}
	if err := os.WriteFile(r.conf(), conf, 0o600); err != nil {
		t.Fatal(err)
	}
	r.off(t)
	r.on(t)
}

// on switches the access point on and waits until it can be joined.
func (r radio) on(t testing.TB) {
	t.Helper()
	systemctl(t, "start", r.unit())
	waitFor(t, "access point on "+r.iface(), patience, r.enabled)
}

// enabled returns nil if the access point can be joined.
func (r radio) enabled() error {
	out, err := r.hostapd("status")
	if err == nil && !strings.Contains(out, "state=ENABLED") {
		err = errors.New(out)
	}
	return err
}

// off switches the access point off. It deauthenticates its stations.
func (r radio) off(t testing.TB) {
	t.Helper()
	systemctl(t, "stop", r.unit())
}

func (r radio) hostapd(command ...string) (string, error) {
	return try("hostapd_cli", append([]string{"-p", "/run/hostapd", "-i", r.iface()}, command...)...)
}

// lists returns nil if the station at address is authorized at the access point.
func (r radio) lists(address string) error {
	out, err := r.hostapd("sta", address)
	if err != nil {
		return err
	}
	if !strings.Contains(out, "[AUTHORIZED]") {
		return fmt.Errorf("%s is not an authorized station: %s", address, strings.TrimSpace(out))
	}
	return nil
}

// startAPs makes these the only access points: aps[0] on radio 1 and so on.
func startAPs(t testing.TB, aps ...AP) {
	t.Helper()
	if len(aps) > radios {
		t.Fatalf("%d access points for %d radios", len(aps), radios)
	}
	for i := range radios {
		r := radio(i + 1)
		if i < len(aps) {
			r.play(t, aps[i])
		} else if err := os.Remove(r.conf()); err == nil {
			r.off(t)
		}
	}
}

// hostapdConf returns the access point's hostapd.conf (hostap hostapd/hostapd.conf).
func (ap AP) hostapdConf(iface string) string {
	channel := ap.Channel
	if channel == 0 {
		channel = 1
	}
	hidden := 0
	if ap.Hidden {
		hidden = 1
	}
	lines := []string{
		"interface=" + iface, "driver=nl80211", "bridge=br0", "ctrl_interface=/run/hostapd", "logger_syslog=0",
		"hw_mode=g", fmt.Sprintf("channel=%d", channel),
		fmt.Sprintf("ssid2=%x", ap.SSID), fmt.Sprintf("ignore_broadcast_ssid=%d", hidden),
	}
	if ap.Security != wifi.Open {
		key := "wpa_passphrase=" + ap.Passphrase
		if _, raw := wifi.NewPassphrase([]byte(ap.Passphrase)).RawPSK(); raw {
			key = "wpa_psk=" + ap.Passphrase
		}
		lines = append(lines, "wpa=2", "rsn_pairwise=CCMP", key)
	}
	switch ap.Security {
	case wifi.WPA2PSK:
		lines = append(lines, "wpa_key_mgmt=WPA-PSK")
	case wifi.WPA2PSKSHA256:
		lines = append(lines, "wpa_key_mgmt=WPA-PSK-SHA256", "ieee80211w=2")
	case wifi.WPA3SAE:
		lines = append(lines, "wpa_key_mgmt=SAE", "ieee80211w=2")
	case wifi.WPAAutoPersonal:
		lines = append(lines, "wpa_key_mgmt=WPA-PSK WPA-PSK-SHA256 SAE", "ieee80211w=1", "sae_require_mfp=1")
	}
	return strings.Join(append(lines, ap.Conf...), "\n") + "\n"
}
