package fsm

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

var update = flag.Bool("update", false, "write the golden files anew")

const canary = "canary-Passw0rd"

func creds(ssid, password string) wifi.Credentials {
	return wifi.Credentials{SSID: wifi.SSID(ssid), Passphrase: wifi.NewPassphrase([]byte(password)), Security: wifi.AutoDetect}
}

// scenario is a transcript: what happens, in order. The outcome of a slow action
// and the firing of a timer name the latest one.
type scenario struct {
	name      string
	turnOff   bool // keep_after_connect: false
	happening []any
}

type (
	saved      struct{ f wifi.Failure }
	joined     struct{}
	failed     struct{ f wifi.Failure }
	promoted   struct{ f wifi.Failure }
	erased     struct{ f wifi.Failure }
	retry      struct{}
	advertTime struct{}
	noAddress  struct{}
)

var (
	home    = wifi.Network{SSID: "home", BSSID: "02:00:00:00:00:01", FrequencyMHz: 2412, SignalDBm: -40, KeyMgmt: "WPA2-PSK"}
	connect = ConnectRequested{Central: "A", Credentials: creds("home", canary)}
	other   = ConnectRequested{Central: "B", Credentials: creds("other", canary)}
	invalid = ConnectRequested{Central: "A", Credentials: creds("", canary)}
	erase   = EraseRequested{Central: "A"}
	none    = Started{}
	active  = Started{Stored{Active: true}}
)

var scenarios = []scenario{
	{"first boot, provisioned, erased", false, []any{none, connect, saved{}, joined{}, promoted{}, erase, erased{}}},
	{"wrong password, then the right one", false, []any{none, connect, saved{}, failed{1}, connect, saved{}, joined{}, promoted{}}},
	{"wrong password beside an active network", false, []any{active, joined{}, connect, saved{}, failed{1}, retry{}, joined{}}},
	{"not found, nothing active: tries until it appears", false, []any{none, connect, saved{}, failed{2}, retry{}, retry{}, failed{2}, retry{}, retry{}, joined{}, promoted{}}},
	{"not found beside an active network", false, []any{active, joined{}, connect, saved{}, failed{2}, retry{}, joined{}}},
	{"boot fails and is retried with growing pauses", false, []any{active, failed{6}, retry{}, retry{}, failed{6}, retry{}, retry{}, failed{6}, retry{}, retry{}, joined{}}},
	{"power cut during an attempt: the active network stands", false, []any{Started{Stored{Active: true, Candidate: true}}, joined{}}},
	{"link lost and back", false, []any{active, joined{}, LinkLost{"beacon loss"}, retry{}, joined{}}},
	{"link lost while the join is being stored", false, []any{none, connect, saved{}, joined{}, LinkLost{"beacon loss"}, promoted{}, retry{}, joined{}}},
	{"radio back while waiting", false, []any{active, failed{7}, retry{}, WifiAvailable{}, joined{}}},
	{"radio back while FAILED is shown", false, []any{active, failed{7}, WifiAvailable{}, retry{}, joined{}}},
	{"second central during an attempt", false, []any{none, connect, other, EraseRequested{"B"}, saved{}, other, joined{}, promoted{}, other}},
	{"the same central starts over", false, []any{none, connect, saved{}, connect, saved{}, joined{}, promoted{}}},
	{"credentials not valid, nothing stored", false, []any{none, invalid}},
	{"credentials not valid beside a joined network", false, []any{active, joined{}, invalid, retry{}}},
	{"credentials not valid during an attempt", false, []any{active, invalid, retry{}, joined{}}},
	{"disk full at CONNECT", false, []any{active, joined{}, connect, saved{9}, retry{}}},
	{"disk full after the join", false, []any{none, connect, saved{}, joined{}, promoted{9}}},
	{"disk full at ERASE", false, []any{active, joined{}, erase, erased{9}, retry{}}},
	{"erase during an attempt", false, []any{none, connect, saved{}, erase, joined{}, erased{}}},
	{"erase while saving", false, []any{none, connect, erase, saved{}, erased{}}},
	{"erase while the join is being stored", false, []any{none, connect, saved{}, joined{}, erase, promoted{}, erased{}}},
	{"erase by the operator during a central's attempt", false, []any{none, connect, saved{}, EraseRequested{}, joined{}, erased{}}},
	{"erase while failed and while waiting", false, []any{active, failed{2}, erase, erased{}, connect, saved{}, failed{2}, retry{}, erase, erased{}}},
	{"advertising ends after CONNECTED and comes back after ERASE", true, []any{none, connect, saved{}, joined{}, promoted{}, advertTime{}, erase, erased{}}},
	{"advertising comes back when the link stays lost", true, []any{active, joined{}, advertTime{}, LinkLost{"gone"}, retry{}, failed{2}, advertTime{}, retry{}, retry{}, joined{}}},
	{"no address, then one", false, []any{active, joined{}, noAddress{}, AddressBound{}}},
	{"the address comes in time and goes", false, []any{active, joined{}, AddressBound{}, AddressLost{}, noAddress{}}},
	{"no address and the link is lost", false, []any{active, joined{}, noAddress{}, LinkLost{"gone"}, retry{}, AddressBound{}, joined{}}},
	{"no address and another CONNECT", false, []any{active, joined{}, noAddress{}, invalid, retry{}, AddressBound{}}},
	{"advertising stays off over a short loss", true, []any{active, joined{}, advertTime{}, LinkLost{"gone"}, retry{}, joined{}}},
}

// concrete turns the short forms into events of the latest attempt or timer.
func concrete(s State, h any) Event {
	switch e := h.(type) {
	case saved:
		return Saved{Attempt: s.Attempt, Failure: e.f, Detail: "detail"}
	case joined:
		return Joined{Attempt: s.Attempt, Network: home}
	case failed:
		return JoinFailed{Attempt: s.Attempt, Failure: e.f, Detail: "detail"}
	case promoted:
		return Promoted{Attempt: s.Attempt, Failure: e.f, Detail: "detail"}
	case erased:
		return Erased{Attempt: s.Attempt, Failure: e.f, Detail: "detail"}
	case retry:
		return TimerFired{RetryTimer, s.Timer[RetryTimer]}
	case advertTime:
		return TimerFired{AdvertisingTimer, s.Timer[AdvertisingTimer]}
	case noAddress:
		return TimerFired{AddressTimer, s.Timer[AddressTimer]}
	}
	return h.(Event)
}

func kind(v any) string { return strings.TrimPrefix(fmt.Sprintf("%T", v), "fsm.") }

func TestTranscripts(t *testing.T) {
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			var out strings.Builder
			s := State{KeepAdvertising: !sc.turnOff, AddressTimeout: 30 * time.Second}
			for _, h := range sc.happening {
				event := concrete(s, h)
				var actions []Action
				s, actions = Step(s, event)
				fmt.Fprintf(&out, "%s %v\n", kind(event), event)
				for _, a := range actions {
					fmt.Fprintf(&out, "    %s %v\n", kind(a), a)
				}
				fmt.Fprintf(&out, "  = %s, %s\n", s.Phase, s.Status)
			}
			compare(t, filepath.Join("testdata", strings.NewReplacer(" ", "-", ",", "", ":", "", "'", "").Replace(sc.name)+".txt"), out.String())
		})
	}
}

func compare(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; if the change is meant, run go test -update and read the difference\ngot:\n%s", path, got)
	}
	if strings.Contains(got, canary) {
		t.Error("a secret is printed")
	}
}

func TestPause(t *testing.T) {
	for tries, want := range map[int]string{1: "10s", 2: "20s", 3: "40s", 6: "5m0s", 1 << 30: "5m0s"} {
		if got := Pause(tries).String(); got != want {
			t.Errorf("Pause(%d) = %s, want %s", tries, got, want)
		}
	}
}
