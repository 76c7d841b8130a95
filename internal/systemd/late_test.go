package systemd

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// warnings takes what is logged, a line each.
type warnings chan string

func (w warnings) Write(line []byte) (int, error) {
	w <- string(line)
	return len(line), nil
}

// TestLateReady: without an adapter systemd is kept waiting for 20 s, not for ever.
func TestLateReady(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	synctest.Test(t, func(t *testing.T) {
		warned := make(warnings, 8)
		n := New(slog.New(slog.NewTextHandler(warned, nil)))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- n.Run(ctx) }()
		time.Sleep(readyAtLatest - time.Second)
		synctest.Wait()
		if len(warned) > 0 {
			t.Errorf("too early: %s", <-warned)
		}
		time.Sleep(2 * time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if len(warned) != 1 {
			t.Fatalf("%d warnings", len(warned))
		}
		if line := <-warned; !strings.Contains(line, "still not advertising after 20s") {
			t.Errorf("got %q", line)
		}
	})
}
