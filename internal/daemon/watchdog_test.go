package daemon

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
)

// TestWatchdog: a loop that hangs feeds systemd's watchdog no more.
func TestWatchdog(t *testing.T) {
	const interval = 30 * time.Second
	var fed atomic.Int32
	hang := make(chan struct{})
	prepare := func(b *bench, c *Config) {
		c.Watchdog, c.Alive = interval, func() { fed.Add(1) }
		b.watch = func(_, now *gateway.Snapshot) {
			if now.WifiProblem == "hang" {
				<-hang
			}
		}
	}
	runWith(t, &memStore{}, prepare, func(b *bench) {
		hang = make(chan struct{}) // of the bubble
		b.expect(gateway.Idle)
		time.Sleep(10 * interval)
		if n := fed.Load(); n < 19 || n > 21 {
			t.Errorf("fed %d times in 10 intervals, want twice in each", n)
		}
		if len(b.air.checks) == 0 {
			t.Error("the neighbours are not checked")
		}
		b.WifiUsable("wlan0", "wpa_supplicant", "hang")
		time.Sleep(interval)
		before := fed.Load()
		time.Sleep(10 * interval)
		if n := fed.Load(); n != before {
			t.Errorf("fed %d times while the loop hangs", n-before)
		}
		close(hang)
		time.Sleep(interval)
		if fed.Load() == before {
			t.Error("not fed again")
		}
	})
}
