package control

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
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

const patience = 20 * time.Second

var home = wifi.Network{SSID: "ho\x1b[2Jme\xff", BSSID: "02:00:00:00:00:01", FrequencyMHz: 2412, SignalDBm: -40, KeyMgmt: "SAE"}

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
}

func newRig(t *testing.T, cfg ServerConfig) *rig {
	t.Helper()
	r := &rig{t: t, address: dbustest.Start(t), log: &lockedBuffer{}}
	cfg.Version, cfg.Security, cfg.Bus = "1.2.3", "encrypt", r.address
	cfg.Log = slog.New(slog.NewTextHandler(r.log, nil))
	r.Server = NewServer(cfg)
	r.client = dbustest.Connect(t, r.address)
	r.signals = make(chan *dbus.Signal, 1000)
	r.client.Signal(r.signals)
	if err := r.client.AddMatchSignal(dbus.WithMatchInterface(properties), dbus.WithMatchSender(Name)); err != nil {
		t.Fatal(err)
	}
	return r
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
			if s.Name == properties+".PropertiesChanged" {
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

func TestSignalsTellWhatChanged(t *testing.T) {
	r := newRig(t, ServerConfig{})
	r.run()
	r.up()
	begin := time.Now()
	r.SetState(State{Name: "CONNECTING", Phase: "joining", Why: "asked", Next: "joined", Since: begin, Advertise: true})
	if c := r.next(); c["State"].Value() != "CONNECTING" || c["Since"].Value() != uint64(begin.UnixMicro()) || c["Version"].Value() != nil {
		t.Errorf("changed: %v", c)
	}
	r.SetSSID(home.SSID)
	if c := r.next(); len(c) != 2 || c["SSIDText"].Value() != `ho\x1b[2Jme\xff` || !bytes.Equal(c["SSID"].Value().([]byte), []byte(home.SSID)) {
		t.Errorf("changed: %v", c)
	}
	r.SetSSID(home.SSID) // no change, no signal
	r.CentralConnected("A")
	r.CentralConnected("B")
	r.CentralDisconnected("A")
	for _, want := range [][]string{{"A"}, {"A", "B"}, {"B"}} {
		if c := r.next(); len(c) != 1 || !slices.Equal(c["Centrals"].Value().([]string), want) {
			t.Errorf("changed: %v, want centrals %v", c, want)
		}
	}
	r.AdvertisingUp("hci0")
	if c := r.next(); c["Advertising"].Value() != true || c["Adapter"].Value() != "hci0" || c["NotAdvertisingWhy"].Value() != "" {
		t.Errorf("changed: %v", c)
	}
	r.SetState(State{Name: "CONNECTED", Phase: "online", Since: begin, Network: home})
	if c := r.next(); c["State"].Value() != "CONNECTED" || c["BSSID"].Value() != home.BSSID || c["Frequency"].Value() != uint32(2412) ||
		c["Signal"].Value() != int32(-40) || c["Advertising"].Value() != false || !strings.Contains(value[string](c, "NotAdvertisingWhy"), "keep_after_connect") {
		t.Errorf("changed: %v", c)
	}
}

func TestReadBack(t *testing.T) {
	r := newRig(t, ServerConfig{})
	r.run()
	r.up()
	since := time.Now().Add(-time.Hour)
	r.SetState(State{Name: "CONNECTED", Phase: "online", Why: "bad \xff\x00 bytes", Next: "n", Since: since, Network: home, IPv4: netip.MustParseAddr("192.0.2.7"), Reason: 3})
	r.AdvertisingDown("no adapter")
	r.CentralConnected("A")
	got, err := Read(context.Background(), r.address)
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != "CONNECTED" || got.Phase != "online" || got.Why != "bad \uFFFD\uFFFD bytes" || got.Next != "n" || got.Reason != 3 ||
		got.Network != home || got.SSID != home.SSID || got.IPv4.String() != "192.0.2.7" || got.IPv6.IsValid() || got.Since.UnixMicro() != since.UnixMicro() || got.Trouble != "no adapter" ||
		got.Advertising || !slices.Equal(got.Centrals, []string{"A"}) || got.Version != "1.2.3" || got.Security != "encrypt" {
		t.Errorf("got %+v", got)
	}
	if d := got.For(); d < time.Hour || d > time.Hour+time.Minute {
		t.Errorf("it lasts for %s, not an hour", d)
	}
	r.SetState(State{Name: "IDLE", Since: time.Now()})
	if got, err := Read(context.Background(), r.address); err != nil || got.SSID != "" || got.Network != (wifi.Network{}) {
		t.Errorf("erased, but %+v, %v", got, err)
	}
}

func TestErase(t *testing.T) {
	var asked atomic.Int32
	var denied atomic.Bool
	r := newRig(t, ServerConfig{
		Erase: func() error {
			if asked.Add(1) > 1 {
				return errors.New("starting")
			}
			return nil
		},
		MayErase: func(uid uint32) bool { return !denied.Load() && uid == uint32(os.Getuid()) },
	})
	r.run()
	r.up()
	if err := r.call(Interface + ".Erase").Err; err != nil || asked.Load() != 1 {
		t.Errorf("answers %v, asked %d times", err, asked.Load())
	}
	r.wantError(r.call(Interface+".Erase"), errorBusy)
	denied.Store(true)
	r.wantError(r.call(Interface+".Erase"), errorPrefix+"AccessDenied")
	if n := asked.Load(); n != 2 {
		t.Errorf("asked %d times; one who may not has erased", n)
	}
	if s := NewServer(ServerConfig{}); s.cfg.MayErase(1000) || !s.cfg.MayErase(0) {
		t.Error("not root alone may erase")
	}
}

func TestErrors(t *testing.T) {
	r := newRig(t, ServerConfig{})
	r.run()
	r.up()
	r.wantError(r.call(properties+".Get", Interface, "Password"), errorPrefix+"UnknownProperty")
	r.wantError(r.call(properties+".Get", "org.example", "State"), errorPrefix+"UnknownInterface")
	r.wantError(r.call(properties+".Set", Interface, "State", dbus.MakeVariant("IDLE")), errorPrefix+"PropertyReadOnly")
	r.wantError(r.call(Interface+".Reboot"), errorPrefix+"UnknownMethod")
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
	r.SetSSID("still served")
	if _, err := r.client.ReleaseName(Name); err != nil {
		t.Fatal(err)
	}
	r.up()
	r.waitFor("the end of the warning", func() bool { return strings.Contains(r.log.String(), "available again") })
	if n := strings.Count(r.log.String(), "another program has the name"); n != 1 {
		t.Errorf("%d warnings", n)
	}
	if s, err := Read(context.Background(), r.address); err != nil || s.SSID != "still served" {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestNotRunning(t *testing.T) {
	if _, err := Read(context.Background(), dbustest.Start(t)); !errors.Is(err, ErrNotRunning) {
		t.Errorf("%v", err)
	}
}

// A bus that takes nothing costs bounded memory, and the last value still comes.
func TestStuckBus(t *testing.T) {
	s := NewServer(ServerConfig{})
	for i := range 10 * maxPending {
		s.SetSSID(wifi.SSID([]byte{byte(i), byte(i >> 8)}))
	}
	last := s.pending[len(s.pending)-1]["SSID"].Value().([]byte)
	if n := 10*maxPending - 1; len(s.pending) != maxPending || !bytes.Equal(last, []byte{byte(n), byte(n >> 8)}) {
		t.Errorf("%d are pending, the last is %v", len(s.pending), last)
	}
}

// TestUpAfterSwitchedOff: a registration was under way when advertising was switched
// off. It is taken back without a word.
func TestUpAfterSwitchedOff(t *testing.T) {
	s := NewServer(ServerConfig{})
	s.SetState(State{Name: "CONNECTED", Advertise: true})
	s.SetState(State{Name: "CONNECTED"})
	s.AdvertisingUp("hci0")
	if s.status.Advertising || s.status.Adapter != "" || !strings.Contains(s.status.Trouble, "keep_after_connect") {
		t.Errorf("%+v", s.status)
	}
}
