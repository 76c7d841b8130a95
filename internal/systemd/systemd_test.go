package systemd

import (
	"context"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
)

// manager is systemd's side of sd_notify(3).
type manager struct {
	t      *testing.T
	socket *net.UnixConn
	heard  []string
}

func newManager(t *testing.T) *manager {
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return &manager{t: t, socket: socket}
}

// hears waits for a message that begins with want.
func (m *manager) hears(want string) {
	m.t.Helper()
	buffer := make([]byte, 4096)
	if err := m.socket.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		m.t.Fatal(err)
	}
	for !slices.ContainsFunc(m.heard, func(s string) bool { return strings.HasPrefix(s, want) }) {
		n, err := m.socket.Read(buffer)
		if err != nil {
			m.t.Fatalf("no %s: %v", want, err)
		}
		m.heard = append(m.heard, string(buffer[:n]))
	}
}

// TestReadyWhileShut: a gateway that is not meant to be found is ready all the same.
func TestReadyWhileShut(t *testing.T) {
	m := newManager(t)
	n := New(slog.New(slog.NewTextHandler(io.Discard, nil)))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	n.Changed(&gateway.Snapshot{}, &gateway.Snapshot{Phase: gateway.Resting, Access: gateway.AccessWindow})
	m.hears("READY=1")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestNotifier(t *testing.T) {
	m := newManager(t)
	n := New(slog.New(slog.NewTextHandler(io.Discard, nil)))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	first := &gateway.Snapshot{}
	idle := &gateway.Snapshot{Turn: 1, Message: "no stored credentials", Next: "waiting for a phone", Phase: gateway.Resting, Advertising: gateway.Advertising{Wanted: true}}
	n.Changed(first, idle)
	m.hears("STATUS=IDLE: no stored credentials; next: waiting for a phone")
	n.Alive()
	m.hears("WATCHDOG=1")
	if slices.Contains(m.heard, "READY=1") {
		t.Error("READY although nothing is advertised")
	}
	onAir := *idle
	onAir.Advertising.Adapter = "hci0"
	n.Changed(idle, &onAir)
	m.hears("READY=1")
	n.Changed(&onAir, idle)
	n.Changed(idle, &onAir) // again, and no second READY
	cancel()
	m.hears("STOPPING=1")
	if err := <-done; err != nil {
		t.Error(err)
	}
	if count := strings.Count(strings.Join(m.heard, " "), "READY=1"); count != 1 {
		t.Errorf("READY %d times", count)
	}
}
