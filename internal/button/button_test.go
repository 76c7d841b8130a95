package button

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
)

const key = 529

// doorman notes what the button asks for.
type doorman struct {
	gateway.Control
	asked chan string
	err   error
}

func (d doorman) Open(r gateway.Requester, window time.Duration) error {
	d.asked <- "open " + r.String() + " " + window.String()
	return d.err
}

func (d doorman) Erase(r gateway.Requester) error {
	d.asked <- "erase " + r.String()
	return d.err
}

func event(kind, code uint16, value int32) []byte {
	e := binary.NativeEndian.AppendUint16(make([]byte, timeSize), kind)
	return binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint16(e, code), uint32(value))
}

// bitmap is what sysfs shows of a bitmap with this bit.
func bitmap(bit int) string {
	words := []string{}
	for range bit / strconv.IntSize {
		words = append(words, "0")
	}
	return strconv.FormatUint(1<<(bit%strconv.IntSize), 16) + " " + joined(words)
}

func joined(words []string) (s string) {
	for _, w := range words {
		s += w + " "
	}
	return s
}

func TestFind(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i, d := range []struct{ name, keys string }{{"keyboard", bitmap(30)}, {"gpio-keys", bitmap(key)}, {"remote", "ffffffff " + bitmap(key)}, {"broken", "xyz"}} {
		folder := "sys/class/input/event" + strconv.Itoa(i)
		write(folder+"/device/name", d.name+"\n")
		write(folder+"/device/capabilities/key", d.keys+"\n")
		write("dev/input/event"+strconv.Itoa(i), "")
	}
	if err := os.MkdirAll(filepath.Join(root, "dev/input/by-path"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../event1", filepath.Join(root, "dev/input/by-path/button")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		device string
		key    uint16
		want   []string
	}{
		{"", key, []string{"event1", "event2"}},
		{"", 30, []string{"event0"}},
		{"", 31, nil},
		{"", 767, nil},
		{"gpio-keys", key, []string{"event1"}},
		{"gpio-keys", 30, nil},
		{"/dev/input/event2", key, []string{"event2"}},
		{"/dev/input/by-path/button", key, []string{"event1"}},
		{"/dev/input/by-path/none", key, nil},
	} {
		if got := Find(root, c.device, c.key); !slices.Equal(got, c.want) {
			t.Errorf("key %d of %q: %v, want %v", c.key, c.device, got, c.want)
		}
	}
}

func TestPress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := doorman{asked: make(chan string, 1)}
		p := press{Config: Config{Key: key, Hold: time.Second, EraseAfter: 10 * time.Second, Log: slog.New(slog.DiscardHandler), Control: d}}
		expect := func(what, want string) {
			t.Helper()
			got := ""
			select {
			case got = <-d.asked:
			default:
			}
			if got != want {
				t.Errorf("%s: asked for %q, want %q", what, got, want)
			}
		}
		p.take(typeKey, key, released)
		expect("released without a press", "")
		p.take(typeKey, key, pressed)
		time.Sleep(900 * time.Millisecond)
		p.take(typeKey, key, released)
		expect("too short", "")
		p.take(typeKey, key, pressed)
		p.take(typeKey, key+1, pressed)
		p.take(typeKey, key+1, released)
		time.Sleep(time.Second)
		p.take(typeKey, key, 2) // the kernel repeats
		p.take(typeKey, key, released)
		expect("pressed", "open operator 0s")
		p.take(typeKey, key, pressed)
		if p.deadline() != time.Now().Add(10*time.Second) {
			t.Errorf("it becomes a long press at %s", p.deadline())
		}
		p.long()
		expect("long", "erase operator")
		if !p.deadline().IsZero() {
			t.Error("it erases again")
		}
		p.take(typeKey, key, released)
		expect("released after a long press", "")
		p.take(typeKey, key, pressed)
		time.Sleep(2 * time.Second)
		p.take(typeSync, codeDropped, 0)
		p.take(typeKey, key, released)
		expect("events were lost", "")
		p.EraseAfter = 0
		p.take(typeKey, key, pressed)
		if !p.deadline().IsZero() {
			t.Error("it erases, and never should")
		}
	})
}

// TestRun has a FIFO as the device, which comes after the start.
func TestRun(t *testing.T) {
	settle = time.Millisecond
	root := t.TempDir()
	sys, dev := filepath.Join(root, "sys/class/input/event0/device/capabilities"), filepath.Join(root, "dev/input")
	for _, folder := range []string{sys, dev} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	d := doorman{asked: make(chan string, 1), err: gateway.ErrBusy}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, Config{Key: key, EraseAfter: 300 * time.Millisecond, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Control: d, Root: root})
	}()
	time.Sleep(50 * time.Millisecond)
	if err := os.WriteFile(filepath.Join(sys, "key"), []byte(bitmap(key)), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dev, "event0")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	device, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	write := func(events ...[]byte) {
		t.Helper()
		if _, err := device.Write(slices.Concat(events...)); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want string) {
		t.Helper()
		select {
		case got := <-d.asked:
			if got != want {
				t.Errorf("asked for %q, want %q", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("not asked for %q", want)
		}
	}
	write(event(typeKey, key, pressed), event(0, 0, 0), event(typeKey, key, released), event(0, 0, 0))
	expect("open operator 0s")
	write(event(typeKey, key, pressed))
	expect("erase operator")
	write(event(typeKey, key, released), event(typeKey, key, pressed), event(typeKey, key, released))
	expect("open operator 0s")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
