package bluez

import (
	"context"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/bluez/gatt"
	"github.com/wifiprovd/wifiprovd/internal/dbustest"
)

const (
	serviceUUID = "8b840001-f6fa-4e33-9a0c-e14d9f35f201"
	inUUID      = "8b840002-f6fa-4e33-9a0c-e14d9f35f201" // written
	outUUID     = "8b840003-f6fa-4e33-9a0c-e14d9f35f201" // read and notified
	bothUUID    = "8b840004-f6fa-4e33-9a0c-e14d9f35f201" // written and notified
	phone       = "AA:BB:CC:00:00:01"

	patience = 30 * time.Second // for what must happen; far beyond what it takes
)

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

	mu    sync.Mutex // held while a handler runs
	write func(gatt.Request, []byte) error
	read  func(gatt.Request) ([]byte, error)
}

// newRig starts a peripheral that advertises, on a BlueZ with one adapter.
func newRig(t *testing.T, security Security) *rig {
	r := newRigOn(t, dbustest.Start(t))
	r.bluez = dbustest.StartBlueZ(t, r.bus)
	r.start(Config{Security: security})
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

// start starts a peripheral of cfg with the rig's services and callbacks.
func (r *rig) start(cfg Config) {
	say := func(words ...string) { r.events <- strings.Join(words, " ") }
	cfg.Name, cfg.BusAddress = "Test", r.bus
	cfg.Log = slog.New(slog.NewTextHandler(r.t.Output(), nil))
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
	cfg.Services = []gatt.Service{{UUID: serviceUUID, Characteristics: []*gatt.Characteristic{
		{UUID: inUUID, Write: write},
		{UUID: outUUID, Read: read, Notify: &r.notify},
		{UUID: bothUUID, Write: write, Notify: &gatt.Notifier{}},
	}}}
	cfg.CentralConnected = func(address string) { say("connected", address) }
	cfg.CentralDisconnected = func(address string) { say("disconnected", address) }
	cfg.Passkey = func(address, passkey string) { say("passkey", address, passkey) }
	cfg.Bonded = func(b Bond) { say("bonded", b.Adapter, b.Address) }
	cfg.AdvertisingUp = func(adapter string) { say("up", adapter) }
	cfg.AdvertisingDown = func(why string) { say("down", why) }
	r.p = New(cfg)
	r.p.Advertise(true)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	r.ended = ended
	var err error
	go func() {
		err = r.p.Run(ctx)
		close(ended)
	}()
	r.end = func() error {
		stop()
		<-ended
		return err
	}
	r.t.Cleanup(func() { stop(); <-ended })
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
