package journal

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// lines is a handler that keeps what is logged: level, event, message.
type lines struct{ got []string }

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *lines) WithGroup(string) slog.Handler            { return l }
func (l *lines) Handle(_ context.Context, r slog.Record) error {
	event := "-"
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == Event {
			event = a.Value.String()
		}
		return true
	})
	l.got = append(l.got, fmt.Sprintf("%s %s %s", r.Level, event, r.Message))
	return nil
}

// TestObserver: each fact is one line, in the order in which it makes sense.
func TestObserver(t *testing.T) {
	start := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	home := &wifi.Network{SSID: "home", BSSID: "02:00:00:00:00:01", FrequencyMHz: 2412, SignalDBm: -40, AKM: wifi.AKMPSK}
	roamed := *home
	roamed.BSSID = "02:00:00:00:00:02"
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.Local)
	weaker := roamed
	weaker.SignalDBm = -70
	now := gateway.Snapshot{WifiProblem: "not yet", Advertising: gateway.Advertising{Problem: "not yet"}}
	steps := []struct {
		change func(*gateway.Snapshot)
		want   []string
	}{
		{func(s *gateway.Snapshot) {
			s.Turn, s.Message, s.Next, s.Advertising.Wanted = 1, "no stored credentials", "waiting for a phone", true
		}, []string{"INFO status status -> IDLE (0): no stored credentials; next: waiting for a phone"}},
		{func(s *gateway.Snapshot) { s.Advertising = gateway.Advertising{Wanted: true, Adapter: "hci0"} },
			[]string{`INFO advertising advertising as "Gate" on hci0`}},
		{func(s *gateway.Snapshot) {
			s.WifiInterface, s.WifiBackend, s.WifiProblem = "wlan0", "wpa_supplicant", ""
		}, []string{"INFO wifi-usable Wi-Fi can be used, through wpa_supplicant on wlan0"}},
		{func(s *gateway.Snapshot) { s.WifiInterface = "wlan1" }, []string{"INFO wifi-usable Wi-Fi can be used, through wpa_supplicant on wlan1"}},
		{func(s *gateway.Snapshot) { s.Centrals = []gatt.Central{"A", "B"} },
			[]string{"INFO central-connected central connected: A", "INFO central-connected central connected: B"}},
		{func(s *gateway.Snapshot) { s.Centrals = []gatt.Central{"B"} }, []string{"INFO central-disconnected central disconnected: A"}},
		{func(s *gateway.Snapshot) {
			s.Turn, s.Status, s.Phase, s.Message, s.Next, s.Trying.SSID = 2, gateway.Connecting, gateway.Saving, "a phone asked to connect", "stored, then tried", "ho\nme"
		}, []string{"INFO status status -> CONNECTING (2): a phone asked to connect; next: stored, then tried"}},
		{func(s *gateway.Snapshot) { s.Trying.Begun, s.Phase = 7, gateway.Joining },
			[]string{`INFO connecting connecting to "ho\nme" with the candidate credentials, security open`}},
		{func(s *gateway.Snapshot) {
			s.Turn, s.Status, s.Reason, s.Message, s.Next = 3, gateway.Failed, wifi.FailureWrongPassword, "refused", "another attempt"
		}, []string{"ERROR failed status -> FAILED (4): wrong-password: refused; next: another attempt"}},
		{func(s *gateway.Snapshot) {
			s.Turn, s.Status, s.Reason, s.Message, s.Next, s.Network, s.Joined = 4, gateway.Connected, wifi.FailureNone, "joined", "nothing", home, start
		}, []string{`INFO connected connected to "home" by access point 02:00:00:00:00:01 at 2412 MHz, -40 dBm, WPA2-PSK`,
			"INFO status status -> CONNECTED (3): joined; next: nothing"}},
		{func(s *gateway.Snapshot) {
			s.Reason, s.Message, s.Next = wifi.FailureNoAddress, "no address", "the link stays"
		},
			[]string{"WARN reason status stays CONNECTED (3): no address; next: the link stays"}},
		{func(s *gateway.Snapshot) {
			s.Addresses = wifi.Addresses{IPv4: netip.MustParseAddr("192.0.2.7"), Gateway: netip.MustParseAddr("192.0.2.1")}
		}, []string{"INFO address address of the Wi-Fi interface: 192.0.2.7, gateway 192.0.2.1"}},
		{func(s *gateway.Snapshot) { s.Network = &roamed },
			[]string{`INFO roamed roamed within "home" to access point 02:00:00:00:00:02 at 2412 MHz, -40 dBm, WPA2-PSK`}},
		{func(s *gateway.Snapshot) { s.Network = &weaker }, nil},
		{func(s *gateway.Snapshot) { s.Addresses = wifi.Addresses{} }, []string{"INFO address the Wi-Fi interface has no address any more"}},
		{func(s *gateway.Snapshot) { s.Advertising = gateway.Advertising{Problem: "switched off"} },
			[]string{"INFO - advertising ends: closed while the gateway is online (bluetooth.access: offline)"}},
		{func(s *gateway.Snapshot) { s.Phase = gateway.Erasing }, nil},
		{func(s *gateway.Snapshot) {
			s.Turn, s.Phase, s.Status, s.Reason, s.Message, s.Network = 5, gateway.Resting, gateway.Idle, wifi.FailureNone, "everything was erased", nil
		}, []string{"INFO erased erased: the stored credentials are gone, the network is left, the bonds follow",
			"INFO status status -> IDLE (0): everything was erased; next: the link stays"}},
		{func(s *gateway.Snapshot) { s.Advertising = gateway.Advertising{Wanted: true, Problem: "not yet"} }, nil},
		{func(s *gateway.Snapshot) { s.Advertising.Problem = "no adapter" }, []string{"WARN not-advertising not advertising: no adapter"}},
		{func(s *gateway.Snapshot) { s.Window = noon }, []string{"INFO window-opened a window is open until 12:00:00: phones may find and provision the gateway"}},
		{func(s *gateway.Snapshot) { s.Window = noon.Add(time.Minute) }, []string{"INFO window-opened the window is open until 12:01:00"}},
		{func(s *gateway.Snapshot) {
			s.Window, s.Access, s.Advertising = noon.Add(2*time.Minute), gateway.AccessWindow, gateway.Advertising{Problem: "closed"}
		}, []string{"INFO window-ending the time of the window is over; the phones that are connected may go on until 12:02:00",
			"INFO - advertising ends: " + gateway.AccessWindow.Closed()}},
		{func(s *gateway.Snapshot) { s.Window, s.Leaving = time.Time{}, true }, []string{"INFO window-closed the window is closed; the phone whose attempt runs learns how it ends"}},
		{func(s *gateway.Snapshot) { s.Leaving = false }, nil},
		{func(s *gateway.Snapshot) { s.Window = noon }, []string{"INFO window-opened a window is open until 12:00:00: phones may find and provision the gateway"}},
		{func(s *gateway.Snapshot) { s.Window = time.Time{} }, []string{"INFO window-closed the window is closed"}},
		{func(s *gateway.Snapshot) { s.WifiProblem = "blocked" }, []string{"WARN wifi-unusable Wi-Fi cannot be used: blocked; waiting until it can"}},
	}
	out := &lines{}
	o := Observer{Log: slog.New(out), Name: "Gate"}
	for i, step := range steps {
		before := now
		step.change(&now)
		after := now
		out.got = nil
		o.Changed(&before, &after)
		if !slices.Equal(out.got, step.want) {
			t.Errorf("step %d: got\n%s\nwant\n%s", i, strings.Join(out.got, "\n"), strings.Join(step.want, "\n"))
		}
	}
}
