package bluez

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

const (
	serviceUUID = "8b840001-f6fa-4e33-9a0c-e14d9f35f201"
	inUUID      = "8b840002-f6fa-4e33-9a0c-e14d9f35f201" // written
	outUUID     = "8b840003-f6fa-4e33-9a0c-e14d9f35f201" // read and notified
	bothUUID    = "8b840004-f6fa-4e33-9a0c-e14d9f35f201" // written and notified
	phone       = "AA:BB:CC:00:00:01"

	patience = 30 * time.Second // for what must happen; far beyond what it takes
)

var testAdvert = gatt.Advert{ServiceUUIDs: []string{serviceUUID}, Name: "Test"}

// rig is a peripheral on a fake BlueZ. What the peripheral reports comes out of
// events, in order.
type rig struct {
	t      *testing.T
	bus    string
	bluez  *dbustest.BlueZ
	p      *Peripheral
	events chan string
	ended  chan struct{} // closed when Run has returned
	end    func() error  // ends the peripheral and returns what Run returned
	notify gatt.Notifier
	gone   gatt.Central // the last one, as the application was told

	mu    sync.Mutex // held while a handler runs
	write func(gatt.Request, []byte) error
	read  func(gatt.Request) ([]byte, error)

	logged []string // events, also under mu
}

// newRig starts a peripheral that advertises, on a BlueZ with one adapter.
func newRig(t *testing.T, pairing gatt.Pairing) *rig {
	r := newRigOn(t, dbustest.Start(t))
	r.bluez = dbustest.StartBlueZ(t, r.bus)
	r.start("", pairing)
	r.expect("up hci0")
	return r
}

func newRigOn(t *testing.T, bus string) *rig {
	t.Parallel()
	return &rig{
		t: t, bus: bus, events: make(chan string, 1000),
		write: func(gatt.Request, []byte) error { return nil },
		read:  func(gatt.Request) ([]byte, error) { return []byte("value"), nil },
	}
}

// start starts a peripheral on adapter with the rig's services and advertises them.
func (r *rig) start(adapter string, pairing gatt.Pairing) {
	r.startServices(adapter, r.services(pairing))
}

func (r *rig) startServices(adapter string, services []gatt.Service) {
	r.p = New(Config{
		Adapter: adapter, BusAddress: r.bus,
		Log:     slog.New(&recorder{Handler: slog.NewTextHandler(r.t.Output(), nil), rig: r}),
		Passkey: func(c gatt.Central, digits string) { r.say("passkey", string(c), digits) },
	})
	r.p.Advertise([]gatt.Advert{testAdvert})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	r.ended = ended
	var err error
	p := r.p
	go func() {
		err = p.Run(ctx, Application{Services: services, Gone: func(c gatt.Central) { r.gone = c }}, r)
		close(ended)
	}()
	r.end = func() error {
		stop()
		<-ended
		return err
	}
	r.t.Cleanup(func() { stop(); <-ended })
}

func (r *rig) services(pairing gatt.Pairing) []gatt.Service {
	write := func(q gatt.Request, v []byte) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.write(q, v)
	}
	read := func(q gatt.Request) ([]byte, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.read(q)
	}
	characteristics := []*gatt.Characteristic{
		{UUID: inUUID, Write: write},
		{UUID: outUUID, Read: read, Notify: &r.notify},
		{UUID: bothUUID, Write: write, Notify: &gatt.Notifier{}},
	}
	return []gatt.Service{{UUID: serviceUUID, Pairing: pairing, Characteristics: characteristics}}
}

// The rig is the handler of its peripheral.

func (r *rig) say(words ...string) { r.events <- strings.Join(words, " ") }

func (r *rig) Connected(c gatt.Central) { r.say("connected", string(c)) }
func (r *rig) Disconnected(c gatt.Central) {
	if r.gone != c {
		r.t.Errorf("the application was not told before that %s has gone", c)
	}
	r.say("disconnected", string(c))
}
func (r *rig) Bonded(b gatt.Bond) {
	r.say("bonded", b.Adapter, string(b.Central), b.Pairing.String())
}
func (r *rig) OnAir(adapter string)  { r.say("up", adapter) }
func (r *rig) OffAir(problem string) { r.say("down", problem) }

// recorder keeps the events that are logged.
type recorder struct {
	slog.Handler
	rig *rig
}

func (h *recorder) Enabled(context.Context, slog.Level) bool { return true }

func (h *recorder) Handle(ctx context.Context, record slog.Record) error {
	record.Attrs(func(a slog.Attr) bool {
		if a.Key == "event" {
			h.rig.locked(func() { h.rig.logged = append(h.rig.logged, a.Value.String()) })
		}
		return true
	})
	return h.Handler.Handle(ctx, record)
}

// logs returns how often an event was logged.
func (r *rig) logs(event string) (n int) {
	r.locked(func() { n = count(r.logged, event) })
	return n
}

// locked runs f while no handler runs.
func (r *rig) locked(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// expect fails the test unless what happens next is what is wanted, in order.
func (r *rig) expect(want ...string) {
	r.t.Helper()
	for _, w := range want {
		select {
		case got := <-r.events:
			if got != w {
				r.t.Fatalf("got %q, want %q", got, w)
			}
		case <-time.After(patience):
			r.t.Fatalf("nothing happened, want %q", w)
		}
	}
}

// quiet fails the test if something was reported that nobody expected, once the
// peripheral has taken in all that BlueZ has said so far.
func (r *rig) quiet() {
	r.t.Helper()
	r.bluez.Sync()
	select {
	case got := <-r.events:
		r.t.Fatalf("unexpected: %q", got)
	default:
	}
}

// eventually waits for a condition.
func (r *rig) eventually(what string, condition func() bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); !condition(); runtime.Gosched() {
		if time.Now().After(end) {
			r.t.Fatalf("%s: not in %v", what, patience)
		}
		time.Sleep(time.Millisecond)
	}
}

// requested waits until BlueZ was asked for method n times.
func (r *rig) requested(method string, n int) {
	r.t.Helper()
	r.eventually(fmt.Sprintf("%s, %d times", method, n), func() bool {
		return count(r.bluez.Requests(), method) == n
	})
}

// errorName returns the name of a finished call's D-Bus error, empty for none.
func (r *rig) errorName(call *dbus.Call) string {
	r.t.Helper()
	select {
	case <-call.Done:
	case <-time.After(patience):
		r.t.Fatal("no answer")
	}
	if call.Err == nil {
		return ""
	}
	e, ok := call.Err.(dbus.Error)
	if !ok {
		r.t.Fatalf("not answered: %v", call.Err)
	}
	return strings.TrimPrefix(e.Name, bluezError)
}

func count(list []string, what string) int {
	return len(slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s != what }))
}
