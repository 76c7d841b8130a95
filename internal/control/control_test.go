package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/custom"
	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const patience = 20 * time.Second

var home = wifi.Network{SSID: "ho\x1b[2Jme\xff", BSSID: "02:00:00:00:00:01",
	FrequencyMHz: 2412, SignalDBm: -40, AKM: wifi.AKMSAE}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// rig is a server on a bus of its own, and a client.
type rig struct {
	*Server
	t       *testing.T
	address string
	client  *dbus.Conn
	signals chan *dbus.Signal
	log     *lockedBuffer
	now     *gateway.Snapshot // the latest one
}

func newRig(t *testing.T, cfg ServerConfig) *rig {
	t.Helper()
	r := &rig{t: t, address: dbustest.Start(t), log: &lockedBuffer{}, now: &gateway.Snapshot{}}
	cfg.Version, cfg.Security, cfg.Bus = "1.2.3", gatt.Encrypt, r.address
	cfg.Log = slog.New(slog.NewTextHandler(r.log, nil))
	cfg.Custom = custom.NewExchange(cfg.Log)
	r.Server = NewServer(cfg)
	r.client = dbustest.Connect(t, r.address)
	r.signals = make(chan *dbus.Signal, 1000)
	r.client.Signal(r.signals)
	if err := r.client.AddMatchSignal(dbus.WithMatchInterface(msgbus.Properties), dbus.WithMatchSender(Name)); err != nil {
		t.Fatal(err)
	}
	return r
}

// change publishes a Snapshot that differs from the one before by what f does.
func (r *rig) change(f func(*gateway.Snapshot)) {
	before := r.now
	r.now = changedBy(before, f)
	r.Changed(before, r.now)
}

func changedBy(s *gateway.Snapshot, f func(*gateway.Snapshot)) *gateway.Snapshot {
	now := *s
	f(&now)
	return &now
}

func (r *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Errorf("Run: %v", err)
		}
	})
}

func (r *rig) waitFor(what string, check func() bool) {
	r.t.Helper()
	for begin := time.Now(); !check(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begin) > patience {
			r.t.Fatalf("%s: not in time; log:\n%s", what, r.log)
		}
	}
}

func (r *rig) up() {
	r.t.Helper()
	r.waitFor("the name on the bus", func() bool {
		_, err := Read(context.Background(), r.address)
		return err == nil
	})
}

// next returns what the next signal says has changed.
func (r *rig) next() map[string]dbus.Variant {
	r.t.Helper()
	for {
		select {
		case s := <-r.signals:
			if s.Name == msgbus.PropertiesChanged {
				return s.Body[1].(map[string]dbus.Variant)
			}
		case <-time.After(patience):
			r.t.Fatal("no signal")
		}
	}
}

func (r *rig) call(method string, args ...any) *dbus.Call {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return r.client.Object(Name, Path).CallWithContext(ctx, method, 0, args...)
}

func (r *rig) wantError(c *dbus.Call, name string) {
	r.t.Helper()
	var e dbus.Error
	if !errors.As(c.Err, &e) || e.Name != name {
		r.t.Errorf("answers %v, want %s", c.Err, name)
	}
}

// wantChange checks that the next signal has these values, and no others if only is set.
func (r *rig) wantChange(only bool, want map[string]any) {
	r.t.Helper()
	c := r.next()
	for name, value := range want {
		if got := c[name].Value(); !reflect.DeepEqual(got, value) {
			r.t.Errorf("%s changes to %v, want %v", name, got, value)
		}
	}
	if only && len(c) != len(want) {
		r.t.Errorf("changed: %v, want only %v", c, want)
	}
}

func TestSignalsTellWhatChanged(t *testing.T) {
	r := newRig(t, ServerConfig{})
	r.run()
	r.up()
	begin := time.Now()
	r.change(func(s *gateway.Snapshot) {
		s.Status, s.Phase, s.Message, s.Next = gateway.Connecting, gateway.Joining, "asked", "joined"
		s.Turn, s.Since = 1, begin
		s.Advertising.Wanted = true
	})
	r.wantChange(false, map[string]any{
		"Status": "CONNECTING", "Since": uint64(begin.UnixMicro()), "Version": nil})
	r.change(func(s *gateway.Snapshot) { s.Trying = gateway.Trying{Begun: 1, SSID: home.SSID} })
	r.wantChange(true, map[string]any{"SSID": []byte(home.SSID), "SSIDText": `ho\x1b[2Jme\xff`})
	r.change(func(*gateway.Snapshot) {}) // no change, no signal
	for _, centrals := range [][]gatt.Central{{"A"}, {"A", "B"}, {"B"}} {
		var want []string
		for _, c := range centrals {
			want = append(want, string(c))
		}
		r.change(func(s *gateway.Snapshot) { s.Centrals = centrals })
		r.wantChange(true, map[string]any{"Centrals": want})
	}
	r.change(func(s *gateway.Snapshot) { s.Advertising.Adapter = "hci0" })
	r.wantChange(true, map[string]any{
		"Advertising": true, "Adapter": "hci0", "AdvertisingMessage": ""})
	r.change(func(s *gateway.Snapshot) {
		s.Status, s.Phase, s.Network = gateway.Connected, gateway.Online, &home
		s.Advertising.Wanted = false
	})
	r.wantChange(false, map[string]any{
		"Status": "CONNECTED", "BSSID": home.BSSID, "Frequency": uint32(2412), "Signal": int32(-40),
		"AKM": "SAE", "Advertising": false, "Adapter": "",
		"AdvertisingMessage": gateway.AccessOffline.Closed()})
}

// TestEachStatusIsSignalled: statuses that follow each other faster than the bus takes
// signals are not merged, and CONNECTING after CONNECTING is another one.
func TestEachStatusIsSignalled(t *testing.T) {
	r := newRig(t, ServerConfig{})
	r.run()
	r.up()
	statuses := []gateway.Status{gateway.Connecting, gateway.Connecting, gateway.Failed,
		gateway.Provisioned, gateway.Connecting, gateway.Connected}
	begin := time.Now()
	for i, status := range statuses {
		r.change(func(s *gateway.Snapshot) {
			s.Status, s.Turn, s.Since = status, uint64(i+1), begin.Add(time.Duration(i)*time.Millisecond)
		})
	}
	last := gateway.Idle
	for i, status := range statuses {
		c := r.next()
		if got := c["Status"].Value(); got != status.String() && (got != nil || status != last) {
			t.Errorf("signal %d has the status %v, want %s", i, got, status)
		}
		if c["Since"].Value() != uint64(begin.Add(time.Duration(i)*time.Millisecond).UnixMicro()) {
			t.Errorf("signal %d: %v", i, c)
		}
		last = status
	}
}

// TestRoaming: the interface shows the access point that the gateway is on now, as phones
// see it, in one signal that is no change of the status.
func TestRoaming(t *testing.T) {
	r := newRig(t, ServerConfig{})
	r.run()
	r.up()
	r.change(func(s *gateway.Snapshot) {
		s.Status, s.Phase, s.Turn, s.Since = gateway.Connected, gateway.Online, 1, time.Now()
		s.Network = &home
	})
	r.wantChange(false, map[string]any{"Status": "CONNECTED", "BSSID": home.BSSID})
	roamed := home
	roamed.BSSID, roamed.FrequencyMHz, roamed.SignalDBm = "02:00:00:00:00:02", 5180, -60
	r.change(func(s *gateway.Snapshot) { s.Network = &roamed })
	r.wantChange(true, map[string]any{
		"BSSID": roamed.BSSID, "Frequency": uint32(5180), "Signal": int32(-60)})
	got, err := Read(t.Context(), r.address)
	if err != nil || got.BSSID != roamed.BSSID || got.Frequency != 5180 || got.Signal != -60 ||
		wifi.SSID(got.SSID) != home.SSID {
		t.Errorf("after roaming: %+v, %v", got, err)
	}
}

// TestSSID: the network that is joined goes before the one that was tried.
func TestSSID(t *testing.T) {
	trying := gateway.Trying{SSID: "tried"}
	for want, s := range map[wifi.SSID]*gateway.Snapshot{
		"tried":   {Status: gateway.Failed, Trying: trying},
		home.SSID: {Status: gateway.Failed, Trying: trying, Network: &home},
		"":        {Status: gateway.Idle, Trying: trying},
	} {
		if got := (&known{Snapshot: s}).ssid(); got != want {
			t.Errorf("%+v has %s, want %s", s, got, want)
		}
	}
}

func TestReadBack(t *testing.T) {
	r := newRig(t, ServerConfig{})
	r.run()
	r.up()
	const age = 10 * time.Second // less than the machine is up
	since := time.Now().Add(-age)
	r.change(func(s *gateway.Snapshot) {
		*s = gateway.Snapshot{
			Status: gateway.Connected, Phase: gateway.Online, Turn: 1, Since: since,
			Message: "bad \xff\x00 bytes", Next: "n", Reason: wifi.FailureNoAddress,
			Network: &home, Centrals: []gatt.Central{"A"}, Country: "DE", Code: gateway.CodeSet, CodeRequired: true,
			Addresses:   wifi.Addresses{IPv4: netip.MustParseAddr("192.0.2.7")},
			Advertising: gateway.Advertising{Wanted: true, Problem: "no adapter"},
		}
	})
	got, err := Read(t.Context(), r.address)
	if err != nil {
		t.Fatal(err)
	}
	if d := got.For(); d < age || d > age+time.Minute || !got.Joined() {
		t.Errorf("lasts for %s, not %s; joined: %v", d, age, got.Joined())
	}
	want := Status{
		Status: "CONNECTED", Phase: "online", Message: "bad \uFFFD\uFFFD bytes", Next: "n",
		Since: uint64(since.UnixMicro()), SinceMonotonic: got.SinceMonotonic,
		Reason: "no-address", ReasonCode: 5,
		SSID: []byte(home.SSID), SSIDText: `ho\x1b[2Jme\xff`, BSSID: home.BSSID, Frequency: 2412,
		Signal: -40, AKM: "SAE", IPv4: "192.0.2.7",
		Centrals: []string{"A"}, AdvertisingMessage: "no adapter",
		Version: "1.2.3", Security: "encrypt", Country: "DE", Access: "always", Code: "set", CodeRequired: true,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	r.change(func(s *gateway.Snapshot) { *s = gateway.Snapshot{Turn: 2, Since: time.Now()} })
	got, err = Read(t.Context(), r.address)
	if err != nil || len(got.SSID) > 0 || got.Joined() || got.Frequency != 0 || got.IPv4 != "" {
		t.Errorf("erased, but %+v, %v", got, err)
	}
}

// TestSince: SinceMonotonic stays the same while the turn lasts.
func TestSince(t *testing.T) {
	s := NewServer(ServerConfig{})
	first := &gateway.Snapshot{Status: gateway.Connected, Turn: 1, Since: time.Now()}
	s.Changed(nil, first)
	began := s.known.began
	second := changedBy(first, func(s *gateway.Snapshot) { s.Message = "an address came" })
	s.Changed(first, second)
	if s.known.began != began {
		t.Error("a message began another turn")
	}
	// A turn that began when the clock was set back, at the same time.
	s.Changed(second, changedBy(second, func(s *gateway.Snapshot) { s.Turn++ }))
	if s.known.began == began {
		t.Error("another turn did not begin")
	}
}

// TestJSON: each property is in the JSON under its key, which no other has.
func TestJSON(t *testing.T) {
	keys := map[string]bool{}
	for _, p := range properties {
		if p.json == "" || keys[p.json] {
			t.Errorf("the JSON key of %s is %q", p.name, p.json)
		}
		keys[p.json] = true
	}
	full := Status{
		Status: "s", Phase: "p", Message: "m", Next: "n", Since: 1, SinceMonotonic: 1,
		Reason: "r", ReasonCode: 1, SSID: []byte{1}, SSIDText: "t", BSSID: "b", Frequency: 1, Signal: -1,
		AKM: "a", IPv4: "4", IPv6: "6", Gateway: "g", WifiInterface: "i", WifiBackend: "w", Country: "c", Centrals: []string{"c"}, Advertising: true,
		Adapter: "h", AdvertisingMessage: "d", Version: "v", Security: "y", Open: true, Access: "x", Code: "o", CodeRequired: true,
	}
	if v := reflect.ValueOf(full); v.NumField() != len(properties) {
		t.Errorf("%d fields for %d properties", v.NumField(), len(properties))
	}
	top := full.JSON()
	network := top["network"].(map[string]any)
	if n := len(top) - 1 + len(network) - 1; n != len(properties) || network["joined"] != true {
		t.Errorf("%d values for %d properties: %v", n, len(properties), top)
	}
	for key := range keys {
		name, within := strings.CutPrefix(key, "network.")
		if _, has := top[key]; !within && !has {
			t.Errorf("no %s in %v", key, top)
		}
		if _, has := network[name]; within && !has {
			t.Errorf("no %s in %v", name, network)
		}
	}
	none, err := json.Marshal((&Status{}).JSON())
	const want = `{"advertising":false,"centrals":[],"code_required":false,"for_seconds":0,"network":null,"open":false,"reason_code":0,"window_seconds":0}`
	if err != nil || string(none) != want {
		t.Errorf("nothing known is %s, %v", none, err)
	}
}

// eraser is a gateway that can only be asked to erase.
type eraser func(gateway.Requester) error

func (e eraser) Erase(r gateway.Requester) error { return e(r) }

func (eraser) Snapshot() *gateway.Snapshot                       { panic("not asked for") }
func (eraser) Busy(gateway.Requester) bool                       { panic("not asked for") }
func (eraser) Connect(gateway.Requester, wifi.Credentials) error { panic("not asked for") }
func (eraser) SetCountry(gateway.Requester, wifi.Country) error  { panic("not asked for") }
func (eraser) Open(gateway.Requester, time.Duration) error       { panic("not asked for") }
func (eraser) Close(gateway.Requester) error                     { panic("not asked for") }
func (eraser) Identify(gateway.Requester) error                  { panic("not asked for") }
func (eraser) Prepare(wifi.SSID)                                 { panic("not asked for") }
func (eraser) Refresh()                                          { panic("not asked for") }
func (eraser) Scan(context.Context) ([]wifi.Offer, error)        { panic("not asked for") }

func TestErase(t *testing.T) {
	var asked atomic.Int32
	var denied atomic.Bool
	r := newRig(t, ServerConfig{
		Control: eraser(func(who gateway.Requester) error {
			if who != gateway.Operator() {
				t.Errorf("asked for by %s", who)
			}
			switch asked.Add(1) {
			case 1:
				return nil
			case 2:
				return gateway.ErrBusy
			}
			return gateway.ErrNobody
		}),
		MayOperate: func(uid uint32) bool { return !denied.Load() && uid == uint32(os.Getuid()) },
	})
	r.run()
	r.up()
	if err := r.call(Interface + ".Erase").Err; err != nil || asked.Load() != 1 {
		t.Errorf("answers %v, asked %d times", err, asked.Load())
	}
	r.wantError(r.call(Interface+".Erase"), errorBusy)
	r.wantError(r.call(Interface+".Erase"), msgbus.ErrorPrefix+"Failed")
	denied.Store(true)
	r.wantError(r.call(Interface+".Erase"), msgbus.ErrorPrefix+"AccessDenied")
	if n := asked.Load(); n != 3 {
		t.Errorf("asked %d times; one who may not has erased", n)
	}
	if s := NewServer(ServerConfig{}); s.cfg.MayOperate(1000) || !s.cfg.MayOperate(0) {
		t.Error("not root alone may erase")
	}
}

// doorman is a gateway that can only be asked for what belongs to its door.
type doorman struct {
	gateway.Control
	asked chan string
}

func (d doorman) Open(r gateway.Requester, window time.Duration) error {
	d.asked <- "open " + r.String() + " " + window.String()
	return nil
}

func (d doorman) Close(r gateway.Requester) error { d.asked <- "close " + r.String(); return nil }

func (d doorman) Identify(r gateway.Requester) error { d.asked <- "identify " + r.String(); return nil }

// TestDoor: root opens, closes and has the gateway identified; nobody else does.
func TestDoor(t *testing.T) {
	var denied atomic.Bool
	d := doorman{asked: make(chan string, 8)}
	r := newRig(t, ServerConfig{Control: d, Access: gateway.AccessWindow, MayOperate: func(uint32) bool { return !denied.Load() }})
	r.run()
	r.up()
	for _, c := range []struct {
		method string
		args   []any
		want   string
	}{
		{"Open", []any{uint32(0)}, "open operator 0s"},
		{"Open", []any{uint32(120)}, "open operator 2m0s"},
		{"Close", nil, "close operator"},
		{"Identify", nil, "identify operator"},
	} {
		if err := r.call(Interface+"."+c.method, c.args...).Err; err != nil {
			t.Errorf("%s: %v", c.method, err)
		} else if got := <-d.asked; got != c.want {
			t.Errorf("%s asks for %q", c.method, got)
		}
	}
	for _, seconds := range []uint32{1, 9, 3601, 1<<32 - 1} {
		r.wantError(r.call(Interface+".Open", seconds), msgbus.ErrorPrefix+"InvalidArgs")
	}
	denied.Store(true)
	r.wantError(r.call(Interface+".Open", uint32(60)), msgbus.ErrorPrefix+"AccessDenied")
	r.wantError(r.call(Interface+".Close"), msgbus.ErrorPrefix+"AccessDenied")
	r.wantError(r.call(Interface+".Identify"), msgbus.ErrorPrefix+"AccessDenied")
	if len(d.asked) > 0 {
		t.Errorf("asked for %s", <-d.asked)
	}
	r.change(func(s *gateway.Snapshot) { s.Open, s.Window = true, time.Now().Add(time.Minute) })
	s, err := ask(t.Context(), r.client)
	if err != nil || !s.Open || s.Access != "window" || s.WindowLeft() < 50*time.Second || s.WindowLeft() > time.Minute {
		t.Errorf("%+v, %v", s, err)
	}
	r.change(func(s *gateway.Snapshot) { s.Open, s.Window = false, time.Time{} })
	if s, err := ask(t.Context(), r.client); err != nil || s.Open || s.WindowLeft() != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestErrors(t *testing.T) {
	r := newRig(t, ServerConfig{})
	r.run()
	r.up()
	r.wantError(r.call(msgbus.Properties+".Get", Interface, "Password"), msgbus.ErrorPrefix+"UnknownProperty")
	r.wantError(r.call(msgbus.Properties+".Get", "org.example", "Status"), msgbus.ErrorPrefix+"UnknownInterface")
	r.wantError(r.call(msgbus.Properties+".Set", Interface, "Status", dbus.MakeVariant("IDLE")), msgbus.ErrorPrefix+"PropertyReadOnly")
	r.wantError(r.call(Interface+".Reboot"), msgbus.ErrorPrefix+"UnknownMethod")
}

// A program that has the name is told of once, and does not keep the daemon from
// its work; when the program has gone, the name is taken.
func TestNameIsTaken(t *testing.T) {
	r := newRig(t, ServerConfig{})
	r.retry = 10 * time.Millisecond
	if _, err := r.client.RequestName(Name, 0); err != nil {
		t.Fatal(err)
	}
	r.run()
	r.waitFor("a warning", func() bool { return strings.Contains(r.log.String(), "another program has the name "+Name) })
	r.change(func(s *gateway.Snapshot) { s.Message = "still served" })
	if _, err := r.client.ReleaseName(Name); err != nil {
		t.Fatal(err)
	}
	r.up()
	r.waitFor("the end of the warning", func() bool { return strings.Contains(r.log.String(), "available again") })
	if n := strings.Count(r.log.String(), "another program has the name"); n != 1 {
		t.Errorf("%d warnings", n)
	}
	if s, err := Read(context.Background(), r.address); err != nil || s.Message != "still served" {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestNotRunning(t *testing.T) {
	if _, err := Read(context.Background(), dbustest.Start(t)); !errors.Is(err, ErrNotRunning) {
		t.Errorf("%v", err)
	}
}

// TestStuckBus: a bus that takes nothing costs bounded memory, and the last value still comes.
func TestStuckBus(t *testing.T) {
	s := NewServer(ServerConfig{})
	var want string
	for i := range 10 * maxPending {
		want = strconv.Itoa(i)
		s.Changed(nil, &gateway.Snapshot{Message: want})
	}
	last := s.pending[len(s.pending)-1]["Message"].Value()
	if len(s.pending) != maxPending || last != want {
		t.Errorf("%d are pending, the last is %v", len(s.pending), last)
	}
}

// TestAdvertising: what is told of it.
func TestAdvertising(t *testing.T) {
	off := gateway.AccessWindow.Closed()
	for _, c := range []struct {
		phase       gateway.Phase
		advertising gateway.Advertising
		message     string
	}{
		{gateway.Starting, gateway.Advertising{}, "not yet: starting"},
		{gateway.Resting, gateway.Advertising{Wanted: true}, "not yet: starting"},
		{gateway.Resting, gateway.Advertising{Wanted: true, Problem: "no adapter"}, "no adapter"},
		{gateway.Resting, gateway.Advertising{Wanted: true, Adapter: "hci0"}, ""},
		{gateway.Online, gateway.Advertising{}, off},
		// A registration was under way when advertising was switched off.
		{gateway.Online, gateway.Advertising{Adapter: "hci0"}, off},
	} {
		k := known{Snapshot: &gateway.Snapshot{Phase: c.phase, Advertising: c.advertising, Access: gateway.AccessWindow}}
		got := decode(k.values())
		if got.Advertising != (c.message == "") || got.AdvertisingMessage != c.message ||
			(got.Adapter != "") != got.Advertising {
			t.Errorf("%+v is told as %v, %q, %q", c.advertising, got.Advertising, got.Adapter,
				got.AdvertisingMessage)
		}
	}
}
