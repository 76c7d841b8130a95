package systemd

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// units is systemd's side of the targets.
type units struct {
	mu    sync.Mutex
	jobs  []string
	fails error // the answer to the next job
}

func (u *units) StartUnit(name, mode string) (dbus.ObjectPath, *dbus.Error) {
	return u.job("+" + name + mode)
}
func (u *units) StopUnit(name, mode string) (dbus.ObjectPath, *dbus.Error) {
	return u.job("-" + name + mode)
}

func (u *units) job(what string) (dbus.ObjectPath, *dbus.Error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.fails != nil {
		err := u.fails
		u.fails = nil
		return "", dbus.NewError("org.freedesktop.DBus.Error.Failed", []any{err.Error()})
	}
	u.jobs = append(u.jobs, strings.TrimSuffix(strings.Replace(what, "wifiprovd-", "", 1), ".targetreplace"))
	if strings.Contains(what, "erased") {
		return "", dbus.NewError(noSuchUnit, []any{"not loaded"})
	}
	return "/job/1", nil
}

// did waits for jobs, in this order.
func (u *units) did(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		u.mu.Lock()
		got = u.jobs
		if len(got) >= len(want) {
			u.jobs = nil
			u.mu.Unlock()
			break
		}
		u.mu.Unlock()
	}
	if !slices.Equal(got, want) {
		t.Errorf("jobs %q, want %q", got, want)
	}
}

func TestTargets(t *testing.T) {
	address := dbustest.Start(t)
	conn := dbustest.Connect(t, address)
	u := &units{}
	if err := conn.Export(u, managerPath, managerInterface); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.RequestName(managerName, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	retryJobs = 10 * time.Millisecond
	targets := NewTargets(slog.New(slog.DiscardHandler), address)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- targets.Run(ctx) }()
	now := gateway.Snapshot{}
	change := func(f func(*gateway.Snapshot)) {
		before := now
		f(&now)
		targets.Changed(&before, &now)
	}
	show := func(status gateway.Status, phase gateway.Phase) {
		change(func(s *gateway.Snapshot) { s.Turn, s.Status, s.Phase = s.Turn+1, status, phase })
	}
	show(gateway.Idle, gateway.Resting)
	u.did(t, "-connected", "-failed", "-open", "-erased", "-identify")
	change(func(s *gateway.Snapshot) { s.Open = true })
	u.did(t, "+open")
	// However short a failure is shown, its target starts; and it stays until somebody tries again.
	show(gateway.Failed, gateway.Holding)
	show(gateway.Connecting, gateway.Joining)
	show(gateway.Provisioned, gateway.Waiting)
	u.did(t, "+failed")
	change(func(s *gateway.Snapshot) {
		s.Turn, s.Status, s.Owner = s.Turn+1, gateway.Connecting, gateway.Phone(gatt.Central("A"))
	})
	u.did(t, "-failed")
	change(func(s *gateway.Snapshot) {
		s.Turn, s.Status, s.Owner = s.Turn+1, gateway.Connected, gateway.Requester{}
	})
	change(func(s *gateway.Snapshot) { s.Addresses = wifi.Addresses{IPv4: netip.MustParseAddr("192.0.2.7")} })
	u.did(t, "+connected")
	show(gateway.Connected, gateway.Erasing)
	show(gateway.Idle, gateway.Resting)
	u.did(t, "-connected", "+erased")
	change(func(s *gateway.Snapshot) { s.Open, s.Identify = false, true })
	u.did(t, "-open", "+identify")
	u.mu.Lock()
	u.fails = context.DeadlineExceeded
	u.mu.Unlock()
	change(func(s *gateway.Snapshot) { s.Identify = false })
	u.did(t, "-connected", "-failed", "-open", "+erased", "-identify") // all of it again
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	u.did(t, "-erased")
}

// TestTargetsWithoutSystemd: nothing grows while systemd does not answer.
func TestTargetsWithoutSystemd(t *testing.T) {
	targets := NewTargets(slog.New(slog.DiscardHandler), "unix:path=/nonexistent")
	now := &gateway.Snapshot{}
	for range 10 * maxJobs {
		before, next := now, *now
		next.Open = !next.Open
		now = &next
		targets.Changed(before, now)
	}
	if n := len(targets.pending); n > maxJobs {
		t.Errorf("%d jobs wait", n)
	}
}
