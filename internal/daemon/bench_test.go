package daemon

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const canary = "canary-Passw0rd"

// air is a Wi-Fi back-end: a join blocks until the test answers it.
type air struct {
	joins    chan wifi.Target
	out      chan error
	left     chan struct{}
	prepared chan wifi.SSID
	link     *link // that the latest join has made
	checks   chan struct{}

	mu        sync.Mutex
	countries []wifi.Country
}

func (a *air) Join(ctx context.Context, t wifi.Target) (wifi.Link, error) {
	t.Credentials = t.Credentials.Clone()
	a.joins <- t
	select {
	case err := <-a.out:
		if err != nil {
			return nil, err
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	a.link = newLink(t.Credentials.SSID)
	return a.link, nil
}

func (a *air) Leave(context.Context) error {
	a.left <- struct{}{}
	return nil
}

func (a *air) Scan(context.Context) ([]wifi.Offer, error) { return []wifi.Offer{{SSID: "home"}}, nil }
func (a *air) Prepare(ssid wifi.SSID)                     { a.prepared <- ssid }
func (a *air) SetCountry(_ context.Context, c wifi.Country) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.countries = append(a.countries, c)
	return nil
}

func (a *air) Check() {
	select {
	case a.checks <- struct{}{}:
	default:
	}
}

// link is a connection that the test loses or roams.
type link struct {
	lost   chan string
	roamed chan struct{}

	mu      sync.Mutex
	network wifi.Network
	looks   int
}

func newLink(ssid wifi.SSID) *link {
	return &link{
		lost: make(chan string, 1), roamed: make(chan struct{}, 1),
		network: wifi.Network{SSID: ssid, BSSID: "02:00:00:00:00:01", FrequencyMHz: 2412},
	}
}

func (l *link) Network(context.Context) (wifi.Network, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.looks++
	return l.network, nil
}

func (l *link) Lost() <-chan string     { return l.lost }
func (l *link) Roamed() <-chan struct{} { return l.roamed }

func (l *link) change(f func(*wifi.Network)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(&l.network)
}

// radio is a peripheral.
type radio struct {
	removed chan gatt.Central
	slow    time.Duration // that a removal takes
	cut     atomic.Int32  // how often all were disconnected
}

func (r *radio) Check()               {}
func (r *radio) DisconnectAll()       { r.cut.Add(1) }
func (r *radio) Disconnect(gatt.Bond) {}
func (r *radio) RemoveBond(_ context.Context, b gatt.Bond) error {
	time.Sleep(r.slow)
	r.removed <- b.Central
	return nil
}

// bench is a daemon with fakes, in a bubble of synctest: its time stands still while
// anything happens.
type bench struct {
	*Daemon
	t        *testing.T
	store    *memStore
	air      *air
	radio    *radio
	statuses chan gateway.Status
	log      *lockedBuffer
	watch    func(before, now *gateway.Snapshot) // called for each Snapshot; may be nil
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

// Changed implements gateway.Observer.
func (b *bench) Changed(before, now *gateway.Snapshot) {
	if now.Turn != before.Turn {
		b.statuses <- now.Status
	}
	if b.watch != nil {
		b.watch(before, now)
	}
}

// run calls test with a daemon whose store holds these networks.
func run(t *testing.T, store *memStore, test func(b *bench)) {
	t.Helper()
	runWith(t, store, nil, test)
}

func runWith(t *testing.T, store *memStore, prepare func(b *bench, c *Config), test func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, store)
		config := Config{
			Log:            slog.New(slog.NewTextHandler(io.MultiWriter(b.log, t.Output()), &slog.HandlerOptions{Level: slog.LevelDebug})),
			Store:          store,
			Networks:       b.air,
			Peripheral:     b.radio,
			AddressTimeout: 30 * time.Second,
			ConnectTimeout: time.Minute,
			Window:         5 * time.Minute,
			Pairing:        gatt.Encrypt,
		}
		if prepare != nil {
			prepare(b, &config)
		}
		b.Daemon = New(config)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.Run(ctx, b) }()
		test(b)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if strings.Contains(b.log.String(), canary) {
			t.Error("the log holds the password")
		}
	})
}

func newBench(t *testing.T, store *memStore) *bench {
	return &bench{
		t:     t,
		store: store,
		air: &air{
			joins: make(chan wifi.Target, 8), out: make(chan error), left: make(chan struct{}, 8),
			prepared: make(chan wifi.SSID, 8), checks: make(chan struct{}, 1),
		},
		radio:    &radio{removed: make(chan gatt.Central, 64)},
		statuses: make(chan gateway.Status, 16),
		log:      &lockedBuffer{},
	}
}

// wait takes what comes next. Time passes in the bubble only while all wait.
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

func (b *bench) expect(want ...gateway.Status) {
	b.t.Helper()
	for _, w := range want {
		if got := wait(b.t, b.statuses, "status "+w.String()); got != w {
			b.t.Fatalf("status %s, want %s", got, w)
		}
	}
}

// settled returns the Snapshot when nothing more happens by itself now.
func (b *bench) settled() *gateway.Snapshot {
	synctest.Wait()
	return b.Snapshot()
}

// join waits for an attempt to join, and answers it.
func (b *bench) join(answer error) wifi.Target {
	b.t.Helper()
	target := wait(b.t, b.air.joins, "join")
	b.air.out <- answer
	return target
}

// connect is a phone's CONNECT.
func (b *bench) connect(central gatt.Central, ssid string) {
	b.t.Helper()
	if err := b.Connect(gateway.Phone(central), creds(ssid)); err != nil {
		b.t.Fatal(err)
	}
}

func creds(ssid string) wifi.Credentials {
	return wifi.Credentials{SSID: wifi.SSID(ssid), Passphrase: wifi.NewPassphrase([]byte(canary)), Security: wifi.AutoDetect}
}
