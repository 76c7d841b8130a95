package daemon

import (
	"bytes"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/credstore"
	"github.com/wifiprovd/wifiprovd/internal/fsm"
)

// TestWatchdog: a loop that hangs feeds systemd's watchdog no more.
func TestWatchdog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	const interval = 200 * time.Millisecond
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "200000")
	fed := func(within time.Duration) bool {
		buffer := make([]byte, 4096)
		if err := socket.SetReadDeadline(time.Now().Add(within)); err != nil {
			t.Fatal(err)
		}
		for {
			n, err := socket.Read(buffer)
			if err != nil {
				return false
			}
			if bytes.Contains(buffer[:n], []byte("WATCHDOG=1")) {
				return true
			}
		}
	}
	b := start(t, credstore.Contents{})
	for range 3 {
		if !fed(10 * time.Second) {
			t.Fatal("the watchdog is not fed")
		}
	}
	b.expect(fsm.Idle)
	for range cap(b.statuses) {
		b.statuses <- fsm.Idle
	}
	b.tell(fsm.EraseRequested{}) // its status finds no room: the loop hangs
	wait(t, b.air.left, "leave")
	for n := 0; fed(5 * interval); n++ {
		if n == 100 {
			t.Fatal("the watchdog is fed for ever")
		}
	}
	for range cap(b.statuses) {
		b.expect(fsm.Idle)
	}
	if !fed(10 * time.Second) {
		t.Error("the watchdog is not fed again")
	}
}
