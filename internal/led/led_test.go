package led

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

func TestOf(t *testing.T) {
	window := time.Now()
	for name, c := range map[string]struct {
		now  gateway.Snapshot
		want pattern
	}{
		"shut":                       {gateway.Snapshot{}, off},
		"open":                       {gateway.Snapshot{Open: true}, open},
		"connecting":                 {gateway.Snapshot{Status: gateway.Connecting, Open: true, Window: window}, connecting},
		"connected, open as always":  {gateway.Snapshot{Status: gateway.Connected, Open: true}, on},
		"connected, opened by a man": {gateway.Snapshot{Status: gateway.Connected, Open: true, Window: window}, open},
		"failed":                     {gateway.Snapshot{Status: gateway.Failed, Open: true}, failed},
		"identify":                   {gateway.Snapshot{Status: gateway.Connecting, Identify: true}, identify},
	} {
		if got := of(&c.now); !same(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// shows returns how often the LED changes within d, and what it is at the end.
func shows(t *testing.T, folder string, d time.Duration) (changes int, last string) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(filepath.Join(folder, "brightness"))
		if err != nil {
			t.Fatal(err)
		}
		if now := string(text); now != last {
			changes++
			last = now
		}
	}
	return changes, last
}

func TestLED(t *testing.T) {
	root := t.TempDir()
	folder := filepath.Join(root, "sys/class/leds/ACT")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"trigger": "none [mmc0] timer\n", "max_brightness": "255\n", "brightness": ""} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trigger := func() string {
		text, _ := os.ReadFile(filepath.Join(folder, "trigger"))
		return string(text)
	}
	synctest.Test(t, func(t *testing.T) {
		l := New("ACT", root, slog.New(slog.NewTextHandler(io.Discard, nil)))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- l.Run(ctx) }()
		now := gateway.Snapshot{}
		change := func(f func(*gateway.Snapshot)) {
			before := now
			f(&now)
			l.Changed(&before, &now)
		}
		show := func(status gateway.Status) func(*gateway.Snapshot) {
			return func(s *gateway.Snapshot) { s.Turn, s.Status = s.Turn+1, status }
		}
		steady := func(what, want string) {
			t.Helper()
			time.Sleep(10 * time.Millisecond)
			if n, last := shows(t, folder, 10*time.Second); n != 1 || !strings.HasPrefix(last, want) {
				t.Errorf("%s: %d changes, at last %q", what, n, last)
			}
		}
		blinks := func(what string, d time.Duration, least, most int) {
			t.Helper()
			if n, _ := shows(t, folder, d); n < least || n > most {
				t.Errorf("%s: %d changes in %s, want %d to %d", what, n, d, least, most)
			}
		}
		steady("at first", "0")
		if !strings.HasPrefix(trigger(), "none") {
			t.Errorf("it is driven by %q", trigger())
		}
		change(func(s *gateway.Snapshot) { s.Open = true })
		blinks("open", 10*time.Second, 9, 12)
		change(show(gateway.Connecting))
		blinks("connecting", 10*time.Second, 90, 102)
		change(show(gateway.Failed))
		time.Sleep(100 * time.Millisecond)
		change(show(gateway.Connecting))
		blinks("failed, and going on", 2800*time.Millisecond, 7, 10)
		blinks("connecting again", time.Second, 8, 12)
		change(show(gateway.Failed))
		change(func(s *gateway.Snapshot) {
			s.Turn, s.Status, s.Owner = s.Turn+1, gateway.Connecting, gateway.Phone(gatt.Central("A"))
		})
		blinks("the phone tries again", 2*time.Second, 18, 22)
		change(show(gateway.Connected))
		steady("connected", "255")
		change(func(s *gateway.Snapshot) { s.Identify = true })
		blinks("identify", time.Second, 15, 22)
		change(func(s *gateway.Snapshot) { s.Identify = false })
		steady("connected again", "255")
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if !strings.HasPrefix(trigger(), "mmc0") {
		t.Errorf("it is left to %q", trigger())
	}
}

// TestNoLED: an LED that is not there is told once, and nothing else happens.
func TestNoLED(t *testing.T) {
	var log strings.Builder
	synctest.Test(t, func(t *testing.T) {
		l := New("ACT", t.TempDir(), slog.New(slog.NewTextHandler(&log, nil)))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- l.Run(ctx) }()
		l.Changed(&gateway.Snapshot{}, &gateway.Snapshot{Open: true})
		time.Sleep(time.Minute)
		cancel()
		<-done
	})
	if n := strings.Count(log.String(), "the LED cannot be written"); n != 1 || !strings.Contains(log.String(), "ReadWritePaths=") {
		t.Errorf("told %d times: %s", n, log.String())
	}
}
