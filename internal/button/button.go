// Package button has a key of an input device open the door, and erase everything if it is
// pressed for long. It reads evdev (linux/input.h; Documentation/input/input.rst): a struct
// of time, type, code and value for each press and release.
package button

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
)

// Config is which key it is, and what it does.
type Config struct {
	Key        uint16        // its code (linux/input-event-codes.h)
	Device     string        // the device's name, or its path in /dev/input; empty: each that has the key
	Hold       time.Duration // how long it is pressed at least to open the door
	EraseAfter time.Duration // how long it is pressed until everything is erased; 0: never
	Log        *slog.Logger
	Control    gateway.Control
	Root       string // of /sys and /dev; empty: /
}

// How long to wait. Variables only so that a test can shorten them.
var (
	settle = time.Second // after a device has come: udev makes the links to it
	again  = time.Minute // after a failure
)

// What an event says (linux/input-event-codes.h, linux/input.h).
const (
	typeSync, typeKey = 0, 1
	codeDropped       = 3 // SYN_DROPPED: events were lost
	released, pressed = 0, 1

	timeSize  = 2 * strconv.IntSize / 8 // struct timeval, two longs of this process
	eventSize = timeSize + 8
)

// watcher follows the devices that have the key.
type watcher struct {
	Config
	mu   sync.Mutex
	open map[string]bool // by name, such as event0
}

// Run follows the key until ctx ends. Devices may come and go. A failure is logged, and Run
// begins anew after a while.
func Run(ctx context.Context, c Config) error {
	w := &watcher{Config: c, open: map[string]bool{}}
	var readers sync.WaitGroup
	defer readers.Wait()
	for told := ""; ctx.Err() == nil; sleep(ctx, again) {
		if err := w.watch(ctx, &readers); ctx.Err() == nil && err.Error() != told {
			told = err.Error()
			c.Log.Warn("the button cannot be followed; trying again every "+again.String(), "err", err)
		}
	}
	return nil
}

// watch reads every device that has the key, and looks again when one comes, until it cannot,
// and returns why.
func (w *watcher) watch(ctx context.Context, readers *sync.WaitGroup) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("watch for input devices: %w", err)
	}
	news := os.NewFile(uintptr(fd), "inotify")
	defer news.Close()
	stop := context.AfterFunc(ctx, func() { _ = news.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	folder := filepath.Join(w.Root, "/dev/input")
	if _, err := unix.InotifyAddWatch(fd, folder, unix.IN_CREATE); err != nil {
		return fmt.Errorf("watch %s: %w", folder, err)
	}
	for first := true; ; first = false {
		found := Find(w.Root, w.Device, w.Key)
		if first && len(found) == 0 {
			w.Log.Warn(fmt.Sprintf("no input device has the button's key %d (button.key, button.device);"+
				" waiting for one", w.Key))
		}
		for _, name := range found {
			w.follow(ctx, name, readers)
		}
		if _, err := news.Read(make([]byte, 4096)); err != nil {
			return fmt.Errorf("watch for input devices: %w", err)
		}
		sleep(ctx, settle)
	}
}

// follow reads a device until it goes, unless it is read already.
func (w *watcher) follow(ctx context.Context, name string, readers *sync.WaitGroup) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open[name] {
		return
	}
	device, err := os.Open(filepath.Join(w.Root, "/dev/input", name))
	if err != nil {
		w.Log.Warn("the button cannot be read", "device", name, "err", err)
		return
	}
	w.open[name] = true
	w.Log.Info(fmt.Sprintf("the button is key %d of %s", w.Key, name), "event", "button-found", "device", name)
	readers.Go(func() {
		defer device.Close()
		stop := context.AfterFunc(ctx, func() { _ = device.Close() })
		defer stop()
		if err := w.read(device); ctx.Err() == nil {
			w.Log.Warn("the button is gone", "device", name, "err", err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.open, name)
	})
}

// read follows the key of a device until that ends, and returns why. What was lost, or went with the device, was no press.
func (w *watcher) read(device *os.File) error {
	press := press{Config: w.Config}
	buffer := make([]byte, 64*eventSize)
	for {
		if err := device.SetReadDeadline(press.deadline()); err != nil {
			return err
		}
		n, err := device.Read(buffer)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			press.long()
			continue
		case err != nil:
			return err
		}
		for events := buffer[:n]; len(events) >= eventSize; events = events[eventSize:] {
			fields := events[timeSize:]
			order := binary.NativeEndian
			press.take(order.Uint16(fields), order.Uint16(fields[2:]), int32(order.Uint32(fields[4:])))
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
