package wpa

import (
	"reflect"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/verdict"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// added returns a property of each network that was added.
func (r *rig) added(property string) []any {
	var values []any
	for _, request := range r.Calls("AddNetwork") {
		network, _ := request.Args[0].(map[string]any)
		values = append(values, network[property])
	}
	return values
}

// twoOfOneName are access points with one name; the first is stronger.
func twoOfOneName(first, second []dbustest.Step) []dbustest.AP {
	strong, weak := lab(first...), lab(second...)
	strong.Signal, weak.Signal = -30, -70
	weak.BSSID[5], weak.Frequency = 1, 2412
	return []dbustest.AP{strong, weak}
}

const strongBSSID, weakBSSID = "02:00:00:00:01:00", "02:00:00:00:01:01"

func TestTriesEachAccessPoint(t *testing.T) {
	right, wrong, full := dbustest.Joined("WPA2-PSK"), steps(wrongWPA2), steps(refused, refused)
	for _, test := range []struct {
		name          string
		first, second []dbustest.Step
		known         string // BSSID of the last join
		failure       wifi.Failure
		tried         []any
	}{
		{"the stronger one takes it", right, wrong, "", wifi.FailureNone, []any{strongBSSID}},
		{"only the weaker one takes it", wrong, right, "", wifi.FailureNone, []any{strongBSSID, weakBSSID}},
		{"the weaker one is known", wrong, right, weakBSSID, wifi.FailureNone, []any{weakBSSID}},
		{"wrong for both", wrong, wrong, "", wifi.FailureWrongPassword, []any{strongBSSID, weakBSSID}},
		{"wrong for one, the other is full", wrong, full, "", wifi.FailureRefused, []any{strongBSSID, weakBSSID}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			r.Air(twoOfOneName(test.first, test.second)...)
			target := wifi.Target{Credentials: credentials(testPassphrase, wifi.AutoDetect), Hint: wifi.Hint{BSSID: test.known}}
			_, err := r.try(t, target)
			if wifi.FailureOf(err) != test.failure {
				t.Errorf("got %v, want %v", err, test.failure)
			}
			if got := r.added("bssid"); !reflect.DeepEqual(got, test.tried) {
				t.Errorf("tried %v, want %v", got, test.tried)
			}
			if err == nil && len(r.Calls("Set")) != 3 { // Country, SaePwe, and that it may roam
				t.Errorf("the network stays with one access point: %v", r.Calls("Set"))
			}
		})
	}
}

// TestFallsBackToWPA2: where both are offered and WPA3 fails, WPA2 is tried in the same Join, unless
// WPA3 has worked before or was asked for by name.
func TestFallsBackToWPA2(t *testing.T) {
	transition := lab()
	transition.RSN, transition.Steps = []string{"wpa-psk", "sae"}, nil
	noGroup := []verdict.Change{{State: "authenticating"}, {State: "disconnected", Auth: code(77)}}
	for _, test := range []struct {
		name     string
		security wifi.Security
		before   wifi.SAERecord
		fails    []dbustest.Step // the first network that is selected
		failure  wifi.Failure
		after    wifi.SAERecord
		keyMgmt  []any
	}{
		{"no common group", wifi.AutoDetect, wifi.SAEUntried, steps(noGroup, noGroup), wifi.FailureNone, wifi.SAEFailed, []any{"SAE WPA-PSK", "WPA-PSK"}},
		{"wrong SAE password", wifi.WPAAutoPersonal, wifi.SAEUntried, steps(wrongWPA3), wifi.FailureNone, wifi.SAEFailed, []any{"SAE WPA-PSK WPA-PSK-SHA256", "WPA-PSK WPA-PSK-SHA256"}},
		{"silence", wifi.AutoDetect, wifi.SAEUntried, steps(outOfReach), wifi.FailureNone, wifi.SAEFailed, []any{"SAE WPA-PSK", "WPA-PSK"}},
		{"it failed before", wifi.AutoDetect, wifi.SAEFailed, nil, wifi.FailureNone, wifi.SAEFailed, []any{"WPA-PSK"}},
		{"it worked before", wifi.AutoDetect, wifi.SAEWorked, steps(wrongWPA3), wifi.FailureWrongPassword, 0, []any{"SAE WPA-PSK"}},
		{"asked for by name", wifi.WPA3SAE, wifi.SAEUntried, steps(wrongWPA3), wifi.FailureWrongPassword, 0, []any{"SAE"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			r.Air(transition)
			if test.fails != nil {
				r.Next(test.fails...)
			}
			l, err := r.try(t, wifi.Target{Credentials: credentials(testPassphrase, test.security), Hint: wifi.Hint{SAE: test.before}})
			if wifi.FailureOf(err) != test.failure {
				t.Fatalf("got %v, want %v\n%s", err, test.failure, r.log)
			}
			if got := r.added("key_mgmt"); !reflect.DeepEqual(got, test.keyMgmt) {
				t.Errorf("tried %v, want %v", got, test.keyMgmt)
			}
			if err != nil {
				if test.before == wifi.SAEWorked && !strings.Contains(err.Error(), "WPA2 is not tried") {
					t.Errorf("the error does not say why not: %v", err)
				}
				return
			}
			if n, err := l.Network(t.Context()); err != nil || n.SAE != test.after {
				t.Errorf("remembered: %v, %v; want %v", n.SAE, err, test.after)
			}
		})
	}
}

// TestRefusedAtOnce: what wpa_supplicant would try again after ten seconds is tried again at once.
func TestRefusedAtOnce(t *testing.T) {
	r := newRig(t)
	r.Air(lab(steps([]verdict.Change{{State: "disconnected", Auth: code(1)}})...))
	r.fails(t, credentials(testPassphrase, wifi.AutoDetect), wifi.FailureRefused, "status 1")
	if n := len(r.Calls("SelectNetwork")); n != 2 {
		t.Errorf("the network was selected %d times, want 2", n)
	}
}
