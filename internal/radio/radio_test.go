package radio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/rfkill"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// machine is a kernel and a NetworkManager. It notes what is asked of it, and what is logged.
type machine struct {
	radios  []rfkill.Radio
	country string
	refuses error // all orders
	off     bool  // NetworkManager's switch
	did     []string
}

func (m *machine) Radios() ([]rfkill.Radio, error) {
	if m.radios == nil {
		return nil, os.ErrNotExist
	}
	return m.radios, nil
}

func (m *machine) Unblock(kind rfkill.Kind) error {
	if m.radios == nil {
		return os.ErrNotExist
	}
	m.did = append(m.did, "unblock "+kind.String())
	for i := range m.radios {
		if m.radios[i].Kind == kind && m.refuses == nil {
			m.radios[i].Soft = false
		}
	}
	return m.refuses
}

func (m *machine) Country() (string, error) { return m.country, nil }

func (m *machine) SetCountry(c wifi.Country) error {
	m.did = append(m.did, "country "+string(c))
	return m.refuses
}

func (m *machine) EnableWireless(context.Context) (bool, error) {
	was := m.off
	if was {
		m.did = append(m.did, "NetworkManager")
	}
	m.off = false
	return was, m.refuses
}

func (m *machine) Enabled(context.Context, slog.Level) bool { return true }
func (m *machine) WithAttrs([]slog.Attr) slog.Handler       { return m }
func (m *machine) WithGroup(string) slog.Handler            { return m }
func (m *machine) Handle(_ context.Context, r slog.Record) error {
	event := ""
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "event" {
			event = a.Value.String()
		}
		return true
	})
	m.did = append(m.did, fmt.Sprintf("%s %s: %s", r.Level, event, r.Message))
	return nil
}

func TestCure(t *testing.T) {
	soft := func() []rfkill.Radio {
		return []rfkill.Radio{{Index: 0, Kind: rfkill.Bluetooth, Soft: true}, {Index: 1, Kind: rfkill.WiFi, Soft: true}, {Index: 2, Kind: 5, Soft: true}}
	}
	const bluetooth = "INFO radio-unblocked: Bluetooth (hci0) is unblocked"
	for name, test := range map[string]struct {
		machine machine
		country wifi.Country
		cmdline string
		no      bool
		want    []string
		report  string
		fails   bool
	}{
		"an untouched Pi": {machine: machine{radios: soft(), country: "00", off: true},
			want: []string{"unblock Bluetooth", bluetooth,
				"WARN radio-blocked: Wi-Fi (phy0) stays blocked: no country is known; have a phone name it, or set wifi.country"},
			report: "Bluetooth (hci0) is unblocked\n"},
		"a phone has named the country": {machine: machine{radios: soft(), country: "00", off: true}, country: "DE", cmdline: "cfg80211.ieee80211_regdom=FR",
			want: []string{"unblock Bluetooth", bluetooth, "country DE", "INFO country: Wi-Fi country: DE, says a phone",
				"NetworkManager", "INFO radio-unblocked: Wi-Fi is switched on in NetworkManager: the country is DE, says a phone",
				"unblock Wi-Fi", "INFO radio-unblocked: Wi-Fi (phy0) is unblocked: the country is DE, says a phone"},
			report: "Bluetooth (hci0) is unblocked\nWi-Fi is switched on in NetworkManager: the country is DE, says a phone\nWi-Fi (phy0) is unblocked: the country is DE, says a phone\n"},
		"the command line has": {machine: machine{radios: soft(), country: "FR"}, cmdline: "cfg80211.ieee80211_regdom=FR",
			want: []string{"unblock Bluetooth", bluetooth, "unblock Wi-Fi",
				"INFO radio-unblocked: Wi-Fi (phy0) is unblocked: the country is FR, says the kernel's command line"},
			report: "Bluetooth (hci0) is unblocked\nWi-Fi (phy0) is unblocked: the country is FR, says the kernel's command line\n"},
		"somebody has put it in force": {machine: machine{radios: soft(), country: "NL"},
			want: []string{"unblock Bluetooth", bluetooth, "unblock Wi-Fi",
				"INFO radio-unblocked: Wi-Fi (phy0) is unblocked: the country is NL, says the kernel, where it is in force"},
			report: "Bluetooth (hci0) is unblocked\nWi-Fi (phy0) is unblocked: the country is NL, says the kernel, where it is in force\n"},
		"a radio without a name": {machine: machine{radios: []rfkill.Radio{{Index: 9, Kind: rfkill.Bluetooth, Soft: true}}, country: "00"},
			want: []string{"unblock Bluetooth", "INFO radio-unblocked: Bluetooth (rfkill9) is unblocked"}, report: "Bluetooth (rfkill9) is unblocked\n"},
		"nothing is blocked": {machine: machine{radios: []rfkill.Radio{{Kind: rfkill.Bluetooth}, {Index: 1, Kind: rfkill.WiFi}}, country: "DE"}, country: "DE",
			want: []string{"unblock Bluetooth", "unblock Wi-Fi"}}, // for radios that come later
		"hard keys": {machine: machine{radios: []rfkill.Radio{{Kind: rfkill.Bluetooth, Hard: true}, {Index: 1, Kind: rfkill.WiFi, Soft: true, Hard: true}}, country: "DE"}, country: "DE",
			want: []string{"unblock Bluetooth", "WARN radio-blocked: Bluetooth (hci0) is blocked by a hardware switch, which only a hand can flip",
				"unblock Wi-Fi", "INFO radio-unblocked: Wi-Fi (phy0) is unblocked: the country is DE, says a phone",
				"WARN radio-blocked: Wi-Fi (phy0) is blocked by a hardware switch, which only a hand can flip"},
			report: "Wi-Fi (phy0) is unblocked: the country is DE, says a phone\n"},
		"not wanted": {machine: machine{radios: soft(), country: "00", off: true}, country: "DE", no: true,
			want: []string{"INFO radio-blocked: Bluetooth (hci0) stays blocked: radio.unblock is false", "INFO radio-blocked: Wi-Fi (phy0) stays blocked: radio.unblock is false"}},
		"no rfkill": {machine: machine{country: "DE"}, country: "DE"},
		"refused": {machine: machine{radios: soft(), country: "00", refuses: errors.New("no")}, country: "DE", fails: true,
			want: []string{"unblock Bluetooth", "WARN radio-blocked: Bluetooth (hci0) stays blocked: the kernel has refused", "country DE",
				"WARN country: the Wi-Fi country is not in force", "unblock Wi-Fi", "WARN radio-blocked: Wi-Fi (phy0) stays blocked: the kernel has refused"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := test.machine
			root := files(t, map[string]string{"proc/cmdline": test.cmdline, Report: "", "sys/class/rfkill/rfkill0/name": "hci0\n", "sys/class/rfkill/rfkill1/name": "phy0\n"})
			err := Cure(t.Context(), Config{Root: root, Country: test.country, Source: "a phone", Unblock: !test.no, Kernel: &m, Manager: &m, Log: slog.New(&m)})
			if (err != nil) != test.fails {
				t.Errorf("error %v", err)
			}
			if got, want := strings.Join(m.did, "\n"), strings.Join(test.want, "\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if report, _ := os.ReadFile(filepath.Join(root, Report)); string(report) != test.report {
				t.Errorf("the report is %q", report)
			}
		})
	}
}
