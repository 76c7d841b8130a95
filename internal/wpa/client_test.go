package wpa

import (
	"context"
	"encoding/hex"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// testTimes are short enough not to wait for, long enough for a busy machine.
var testTimes = times{
	answer:     defaultTimes.answer,
	firstRetry: 20 * time.Millisecond,
	lastRetry:  50 * time.Millisecond,
	busyRadio:  20 * time.Millisecond,
	start:      500 * time.Millisecond,
	release:    20 * time.Millisecond,
	loss:       100 * time.Millisecond,
	idleFirst:  20 * time.Millisecond,
	idlePause:  50 * time.Millisecond,
}

// rig is a Client that runs against a fake wpa_supplicant.
type rig struct {
	*Client
	*dbustest.WPA
	links     []*Link     // that joins have returned
	available chan string // why it is not, empty when it is
	log       *logBuffer
	backend   Backend
	found     atomic.Pointer[string] // the interface; empty: there is none; nil: wlan0
	stop      func()                 // ends the Client's Run
}

func wlan0() (name, missing string) { return "wlan0", "" }

// find is the Interface of the Client's configuration.
func (r *rig) find() (name, missing string) {
	switch found := r.found.Load(); {
	case found == nil:
		return wlan0()
	case *found == "":
		return "", "there is no Wi-Fi interface"
	default:
		return *found, ""
	}
}

// finds makes the interface be found under this name, or not at all.
func (r *rig) finds(name string) { r.found.Store(&name) }

type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newRig returns a rig whose fake has the radio wlan0 and is running.
func newRig(t *testing.T) *rig {
	address := dbustest.Start(t)
	r := &rig{WPA: dbustest.StartWPA(t, address, "wlan0")}
	r.run(t, address)
	r.isAvailable(t, "")
	return r
}

// run runs a Client on the bus at address.
func (r *rig) run(t *testing.T, address string) {
	t.Helper()
	available, log := make(chan string, 100), &logBuffer{}
	r.links, r.available, r.log = nil, available, log
	r.Client = New(Config{
		Interface: r.find,
		Backend:   r.backend,
		Bus:       address,
		Log:       slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	r.times, r.sysfs = testTimes, t.TempDir()
	if err := r.SetCountry(t.Context(), "DE"); err != nil {
		t.Fatal(err)
	}
	radio := filepath.Join(r.sysfs, "class/net/wlan0/phy80211")
	if err := os.MkdirAll(radio, 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := r.Client.Run(ctx, func(_, _, problem string) { available <- problem }); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	stop := func() {
		cancel()
		<-done
	}
	r.stop = stop
	t.Cleanup(func() {
		stop()
		for _, secret := range []string{testPassphrase, rawPSK, "wrong password"} {
			psk, _ := derivePSK(credentials(secret, wifi.AutoDetect))
			for _, text := range []string{secret, hex.EncodeToString([]byte(secret)), hex.EncodeToString(psk)} {
				if strings.Contains(strings.ToLower(log.String()), strings.ToLower(text)) {
					t.Errorf("the log holds a secret: %s", log)
				}
			}
		}
	})
}

// next returns what comes from ch.
func next(t *testing.T, ch <-chan string) string {
	t.Helper()
	select {
	case s, ok := <-ch:
		if !ok {
			t.Fatal("closed without a text")
		}
		return s
	case <-time.After(10 * time.Second):
		t.Fatal("waited in vain")
		return ""
	}
}

// isAvailable waits for news of whether networks can be joined, which must say
// this.
func (r *rig) isAvailable(t *testing.T, part string) {
	t.Helper()
	if why := next(t, r.available); part == "" && why != "" || !strings.Contains(why, part) {
		t.Fatalf("available: %q, want %q", why, part)
	}
}

// loss waits for the loss of the last connection, and returns what is told of it. It is
// told once.
func (r *rig) loss(t *testing.T) string {
	t.Helper()
	lost := r.links[len(r.links)-1].Lost()
	why := next(t, lost)
	r.isOver(t, r.links[len(r.links)-1])
	return why
}

// isOver waits for the end of a connection, of which nothing is told any more.
func (r *rig) isOver(t *testing.T, l *Link) {
	t.Helper()
	select {
	case why, ok := <-l.Lost():
		if ok {
			t.Errorf("lost: %s", why)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("waited in vain")
	}
}

// isQuiet checks that no loss is told that the test has not seen, and nothing about the
// radio.
func (r *rig) isQuiet(t *testing.T) {
	t.Helper()
	if len(r.available) > 0 {
		t.Errorf("%d news of the radio\n%s", len(r.available), r.log)
	}
	for _, l := range r.links {
		select {
		case why, ok := <-l.Lost():
			if ok {
				t.Errorf("lost: %s\n%s", why, r.log)
			}
		default:
		}
	}
}

// sees waits until the owner sees that cond is true. It fails only with the test.
func (r *rig) sees(t *testing.T, cond func(*owner) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := awaitUntil(ctx, r.Client, cond); err != nil {
		t.Errorf("waited in vain: %v\n%s", err, r.log)
	}
}

// inHandshake reports whether an attempt is in WPA2's handshake.
func inHandshake(o *owner) bool {
	return o.station != nil && o.station.attempt != nil && o.station.attempt.State() == "4way_handshake"
}

// try joins a network.
func (r *rig) try(t *testing.T, target wifi.Target) (*Link, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	joined, err := r.Join(ctx, target)
	if err != nil {
		return nil, err
	}
	l := joined.(*Link)
	r.links = append(r.links, l)
	return l, nil
}

func (r *rig) join(t *testing.T, cred wifi.Credentials, hint int) (*Link, error) {
	t.Helper()
	return r.try(t, wifi.Target{Credentials: cred, Hint: wifi.Hint{FrequencyMHz: hint}})
}

// joined joins a network, which must succeed.
func (r *rig) joined(t *testing.T) {
	t.Helper()
	if _, err := r.join(t, credentials(testPassphrase, wifi.AutoDetect), 0); err != nil {
		t.Fatalf("%v\n%s", err, r.log)
	}
}

// fails joins a network, which must fail like this and leave nothing behind.
func (r *rig) fails(t *testing.T, cred wifi.Credentials, failure wifi.Failure, part string) {
	t.Helper()
	_, err := r.join(t, cred, 0)
	if wifi.FailureOf(err) != failure || !strings.Contains(err.Error(), part) {
		t.Errorf("got %v, want %v: %s\n%s", err, failure, part, r.log)
	}
	if n := r.Networks(); n != 0 {
		t.Errorf("%d networks are left", n)
	}
}

var bssid = [6]byte{2, 0, 0, 0, 1, 0}

// lab is an access point for testPassphrase.
func lab(steps ...dbustest.Step) dbustest.AP {
	return dbustest.AP{SSID: "lab", BSSID: bssid, Frequency: 2437, Privacy: true, RSN: []string{"wpa-psk"}, Steps: steps}
}

// methods are the calls that change something.
func methods(requests []dbustest.WPARequest) []string {
	var names []string
	for _, r := range requests {
		names = append(names, r.Method)
	}
	return names
}

func TestJoin(t *testing.T) {
	r := newRig(t)
	r.Air(lab())
	l, err := r.join(t, credentials(testPassphrase, wifi.WPA2PSK), 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := l.Network(t.Context())
	want := wifi.Network{SSID: "lab", BSSID: "02:00:00:00:01:00", FrequencyMHz: 2437, SignalDBm: -50, AKM: wifi.AKMPSK}
	if n != want || err != nil {
		t.Errorf("got %+v, %v", n, err)
	}
	psk, _ := derivePSK(credentials(testPassphrase, wifi.WPA2PSK))
	network := dbus.ObjectPath("/fi/w1/wpa_supplicant1/Interfaces/0/Networks/0")
	requests := []dbustest.WPARequest{
		{Method: "GetInterface", Args: []any{"wlan0"}},
		{Method: "CreateInterface", Args: []any{map[string]any{"Ifname": "wlan0"}}},
		{Method: "Set", Args: []any{ifaceIface, "Country", "DE"}},
		{Method: "Set", Args: []any{ifaceIface, "SaePwe", "2"}},
		{Method: "RemoveAllNetworks"},
		{Method: "Scan", Args: []any{map[string]any{"Type": "active", "AllowRoam": false}}},
		{Method: "AddNetwork", Args: []any{map[string]any{"ssid": []byte("lab"), "key_mgmt": "WPA-PSK", "proto": "RSN",
			"psk": psk, "ieee80211w": int32(1), "scan_freq": "2437"}}},
		{Method: "SelectNetwork", Args: []any{network}},
	}
	if got := r.Requests(); !reflect.DeepEqual(got, requests) {
		t.Errorf("got  %v\nwant %v", got, requests)
	}
	if err := r.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.Requests()[len(requests):]; !slices.Equal(methods(got), []string{"RemoveAllNetworks"}) {
		t.Errorf("left by %v", got)
	}
	r.isQuiet(t)
}

// scansAsked returns what was asked for by each call of Scan.
func (r *rig) scansAsked() []map[string]any {
	var scans []map[string]any
	for _, request := range r.Calls("Scan") {
		args, _ := request.Args[0].(map[string]any)
		scans = append(scans, args)
	}
	return scans
}

func TestWhereItLooks(t *testing.T) {
	wildcard := map[string]any{"Type": "active", "AllowRoam": false}
	called := map[string]any{"Type": "active", "AllowRoam": false, "SSIDs": [][]byte{[]byte("lab")}}
	on := func(args map[string]any, frequencies ...uint32) map[string]any {
		args = maps.Clone(args)
		var channels [][]any
		for _, f := range frequencies {
			channels = append(channels, []any{f, uint32(20)})
		}
		args["Channels"] = channels
		return args
	}
	hidden, mute := lab(), lab()
	hidden.Hidden, mute.Mute = true, true
	listening := map[string]any{"Type": "passive", "AllowRoam": false}
	for _, test := range []struct {
		name  string
		air   dbustest.AP
		age   time.Duration // of what was heard before; 0: nothing was
		hint  int
		scans []map[string]any
		ssid  any // scan_ssid
	}{
		{"everywhere", lab(), 0, 0, []map[string]any{wildcard}, nil},
		{"heard a moment ago", lab(), time.Second, 0, nil, nil},
		{"heard a while ago", lab(), 9 * time.Second, 0, []map[string]any{on(wildcard, 2437)}, nil},
		{"heard too long ago", lab(), 4 * time.Minute, 0, []map[string]any{wildcard}, nil},
		{"where it was", lab(), 0, 2437, []map[string]any{on(wildcard, 2437)}, nil},
		{"no longer where it was", lab(), 0, 2412, []map[string]any{on(wildcard, 2412), wildcard}, nil},
		{"where it was and where it was heard", lab(), 9 * time.Second, 2412, []map[string]any{on(wildcard, 2412, 2437)}, nil},
		{"hidden", hidden, 0, 0, []map[string]any{wildcard, on(called, 2412, 2437, 2462)}, int32(1)},
		{"answers no probe", mute, 0, 0, []map[string]any{wildcard, on(called, 2412, 2437, 2462), on(listening, 2412, 2437, 2462)}, nil},
		{"hidden, where it was", hidden, 0, 2437, []map[string]any{on(wildcard, 2437), on(called, 2437)}, int32(1)},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			r.Air(test.air)
			if test.age > 0 {
				r.Hear(test.age, test.air)
			}
			if _, err := r.join(t, credentials(testPassphrase, wifi.AutoDetect), test.hint); err != nil {
				t.Fatal(err)
			}
			if scans := r.scansAsked(); !reflect.DeepEqual(scans, test.scans) {
				t.Errorf("scans\n%v, want\n%v", scans, test.scans)
			}
			network, _ := r.Calls("AddNetwork")[0].Args[0].(map[string]any)
			if network["scan_ssid"] != test.ssid {
				t.Errorf("scan_ssid %v, want %v", network["scan_ssid"], test.ssid)
			}
		})
	}
}
