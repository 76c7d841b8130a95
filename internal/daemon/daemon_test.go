package daemon

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/bluez"
	"github.com/wifiprovd/wifiprovd/internal/credstore"
	"github.com/wifiprovd/wifiprovd/internal/fsm"
	"github.com/wifiprovd/wifiprovd/internal/profile/native"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
	"github.com/wifiprovd/wifiprovd/internal/wpa"
)

const canary = "canary-Passw0rd"

// air is a supplicant: a join blocks until the test answers it.
type air struct {
	joins chan wpa.Request
	out   chan error
	left  chan struct{}
	looks chan struct{}
}

func (a *air) Join(ctx context.Context, r wpa.Request) (wifi.Network, error) {
	r.Credentials = r.Credentials.Clone()
	a.joins <- r
	select {
	case err := <-a.out:
		return wifi.Network{SSID: r.Credentials.SSID, BSSID: "02:00:00:00:00:01", FrequencyMHz: 2412}, err
	case <-ctx.Done():
		return wifi.Network{}, ctx.Err()
	}
}

func (*air) Watch() {}

func (a *air) Leave(context.Context) error {
	a.left <- struct{}{}
	return nil
}

func (a *air) Check()                             {}
func (a *air) Look(context.Context)               { a.looks <- struct{}{} }
func (a *air) LookFor(context.Context, wifi.SSID) { a.looks <- struct{}{} }

// radio is a peripheral.
type radio struct {
	on      chan bool
	removed chan string
}

func (r *radio) Advertise(on bool) { r.on <- on }
func (r *radio) Check()            {}
func (r *radio) RemoveBond(_ context.Context, b bluez.Bond) error {
	r.removed <- b.Address
	return nil
}

type bench struct {
	*Daemon
	t        *testing.T
	store    *memStore
	air      *air
	radio    *radio
	statuses chan fsm.Status
	screen   *screen
	log      *lockedBuffer
	report   atomic.Pointer[Report] // the latest
	trying   atomic.Pointer[wifi.SSID]
}

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

func start(t *testing.T, contents credstore.Contents) *bench {
	t.Helper()
	b := &bench{
		t:        t,
		store:    &memStore{contents: contents},
		air:      &air{joins: make(chan wpa.Request, 8), out: make(chan error), left: make(chan struct{}, 8), looks: make(chan struct{}, 8)},
		radio:    &radio{on: make(chan bool, 8), removed: make(chan string, 8)},
		statuses: make(chan fsm.Status, 16),
		screen:   newScreen(),
		log:      &lockedBuffer{},
	}
	b.Daemon = New(Config{
		Log:             slog.New(slog.NewTextHandler(io.MultiWriter(b.log, t.Output()), &slog.HandlerOptions{Level: slog.LevelDebug})),
		Store:           b.store,
		Supplicant:      b.air,
		Peripheral:      b.radio,
		Publish:         func(s fsm.Status, _ wifi.Failure) { b.statuses <- s },
		Report:          func(r Report) { b.report.Store(&r) },
		Trying:          func(ssid wifi.SSID) { b.trying.Store(&ssid) },
		PublishReason:   func(f wifi.Failure) { b.screen.reasons <- f },
		Details:         b.screen,
		CentralGone:     func(string) {},
		AddressTimeout:  20 * time.Millisecond,
		ConnectTimeout:  time.Minute,
		KeepAdvertising: true,
		Security:        "encrypt",
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if strings.Contains(b.log.String(), canary) {
			t.Error("the log holds the password")
		}
	})
	return b
}

func wait[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(10 * time.Second):
		t.Fatalf("no %s within 10 s", what)
		panic("unreachable")
	}
}

func (b *bench) expect(want ...fsm.Status) {
	b.t.Helper()
	for _, w := range want {
		if got := wait(b.t, b.statuses, "status "+w.String()); got != w {
			b.t.Fatalf("status %s, want %s", got, w)
		}
	}
}

func creds(ssid string) wifi.Credentials {
	return wifi.Credentials{SSID: wifi.SSID(ssid), Passphrase: wifi.NewPassphrase([]byte(canary)), Security: wifi.AutoDetect}
}

func TestProvisionStoresBeforeItJoins(t *testing.T) {
	b := start(t, credstore.Contents{})
	b.expect(fsm.Idle)
	given := creds("home")
	if err := b.Connect("A", given); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(given.Passphrase.Bytes(), []byte("canary")) {
		t.Error("the phone's copy of the password is not wiped")
	}
	b.expect(fsm.Connecting)
	r := wait(t, b.air.joins, "join")
	if string(r.Credentials.Passphrase.Bytes()) != canary || r.Adopt {
		t.Errorf("join of %v", r)
	}
	if c, _ := b.store.Load(); c.Candidate == nil || c.Active != nil {
		t.Errorf("while joining the store holds %+v", c)
	}
	if err := b.Connect("B", creds("other")); !errors.Is(err, native.ErrBusy) {
		t.Errorf("a second central is answered %v", err)
	}
	if !b.Busy("B") || b.Busy("A") {
		t.Error("busy for the wrong central")
	}
	b.air.out <- nil
	b.expect(fsm.Connected)
	c, _ := b.store.Load()
	if c.Candidate != nil || c.Active == nil || c.Active.Hint.FrequencyMHz != 2412 {
		t.Errorf("after the join the store holds %+v", c)
	}
}

func TestWrongPasswordGoesBackToTheActiveNetwork(t *testing.T) {
	b := start(t, credstore.Contents{Active: &credstore.Entry{Credentials: creds("home")}})
	b.expect(fsm.Connecting)
	if r := wait(t, b.air.joins, "join"); !r.Adopt {
		t.Error("a network that is still joined is not adopted at start")
	}
	b.air.out <- nil
	b.expect(fsm.Connected)
	if err := b.Connect("A", creds("other")); err != nil {
		t.Fatal(err)
	}
	b.expect(fsm.Connecting)
	wait(t, b.air.joins, "join")
	b.air.out <- &wifi.Error{Failure: wifi.FailureWrongPassword, Detail: "the access point refused the key"}
	b.expect(fsm.Failed, fsm.Connecting)
	if r := wait(t, b.air.joins, "join"); r.Credentials.SSID != "home" || r.Adopt {
		t.Errorf("went back to %s, adopt %v", r.Credentials.SSID, r.Adopt)
	}
	b.air.out <- nil
	b.expect(fsm.Connected)
	if c, _ := b.store.Load(); c.Candidate != nil || c.Active == nil || c.Active.Credentials.SSID != "home" {
		t.Errorf("the store holds %+v", c)
	}
}

func TestEraseDuringAnAttempt(t *testing.T) {
	b := start(t, credstore.Contents{})
	b.expect(fsm.Idle)
	b.Bonded(bluez.Bond{Address: "AA:AA:AA:AA:AA:01"})
	if err := b.Connect("A", creds("home")); err != nil {
		t.Fatal(err)
	}
	b.expect(fsm.Connecting)
	wait(t, b.air.joins, "join")
	if err := b.Erase("A"); err != nil {
		t.Fatal(err)
	}
	b.expect(fsm.Idle)
	wait(t, b.air.left, "leave")
	if got := wait(t, b.radio.removed, "bond removal"); got != "AA:AA:AA:AA:AA:01" {
		t.Errorf("removed the bond of %s", got)
	}
	waitFor(t, "an empty store", func() bool {
		c, _ := b.store.Load()
		return c.Active == nil && c.Candidate == nil && len(c.Bonds) == 0
	})
}

func TestDiskFull(t *testing.T) {
	b := start(t, credstore.Contents{})
	b.expect(fsm.Idle)
	b.store.mu.Lock()
	b.store.fail = errors.New("no space left on device")
	b.store.mu.Unlock()
	if err := b.Connect("A", creds("home")); err != nil {
		t.Fatal(err)
	}
	b.expect(fsm.Connecting, fsm.Failed)
	if !strings.Contains(b.log.String(), "no space left on device") {
		t.Error("the log does not say why")
	}
}

func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if cond() {
			return
		}
	}
	t.Fatalf("no %s within 10 s", what)
}
