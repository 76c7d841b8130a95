//go:build lab

package lab

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A virtual input device (linux/uinput.h): the gateway's button, and an LED of the kernel's own
// making, which an input device with a lamp for Caps Lock has.
const (
	uiDevCreate  = 0x5501
	uiDevDestroy = 0x5502
	uiDevSetup   = 0x405c5503
	uiSetEvent   = 0x40045564
	uiSetKey     = 0x40045565
	uiSetLED     = 0x40045569
	uiSysname    = 0x8040552c // 64 bytes

	eventKey, eventLED = 0x01, 0x11
	capsLock           = 0x01
	wpsButton          = 529
)

// box is the input device.
type box struct {
	t   testing.TB
	fd  int
	led string // the name of its LED

	mu      sync.Mutex
	changes []change // of the LED, as the kernel told the device
}

type change struct {
	at time.Time
	on bool
}

// newBox plugs in a device that is called name.
func newBox(t testing.TB, name string) *box {
	t.Helper()
	run(t, "modprobe", "-a", "uinput", "evdev")
	if out, err := try("modprobe", "input_leds"); err != nil {
		t.Log("input_leds is built in: ", out)
	}
	fd, err := unix.Open("/dev/uinput", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := &box{t: t, fd: fd}
	for _, set := range [][2]int{{uiSetEvent, eventKey}, {uiSetKey, wpsButton}, {uiSetEvent, eventLED}, {uiSetLED, capsLock}} {
		if err := unix.IoctlSetInt(fd, uint(set[0]), set[1]); err != nil {
			t.Fatal(err)
		}
	}
	setup := make([]byte, 92) // struct uinput_setup
	binary.NativeEndian.PutUint16(setup, 0x06)
	copy(setup[8:88], name)
	b.ioctl(uiDevSetup, setup)
	if err := unix.IoctlSetInt(fd, uiDevCreate, 0); err != nil {
		t.Fatal(err)
	}
	sysname := make([]byte, 64)
	b.ioctl(uiSysname, sysname)
	input := string(sysname[:bytes.IndexByte(sysname, 0)])
	b.led = input + "::capslock"
	t.Cleanup(b.unplug)
	waitFor(t, "the device", patience, func() error {
		_, err := os.Stat("/sys/class/leds/" + b.led)
		if err != nil {
			return err
		}
		events, _ := filepath.Glob("/sys/devices/virtual/input/" + input + "/event*")
		if len(events) == 0 {
			return os.ErrNotExist
		}
		_, err = os.Stat("/dev/input/" + filepath.Base(events[0]))
		return err
	})
	go b.follow()
	return b
}

func (b *box) ioctl(request uintptr, data []byte) {
	b.t.Helper()
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(b.fd), request, uintptr(unsafe.Pointer(&data[0])))
	if errno != 0 {
		b.t.Fatalf("ioctl %#x: %v", request, errno)
	}
}

func (b *box) unplug() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fd >= 0 {
		_ = unix.Close(b.fd)
		b.fd = -1
	}
}

// key presses the button, or releases it.
func (b *box) key(down bool) {
	b.t.Helper()
	value := int32(0)
	if down {
		value = 1
	}
	for _, e := range []struct {
		kind, code uint16
		value      int32
	}{{eventKey, wpsButton, value}, {0, 0, 0}} {
		data := make([]byte, 24) // struct input_event
		binary.NativeEndian.PutUint16(data[16:], e.kind)
		binary.NativeEndian.PutUint16(data[18:], e.code)
		binary.NativeEndian.PutUint32(data[20:], uint32(e.value))
		if _, err := unix.Write(b.fd, data); err != nil {
			b.t.Fatal(err)
		}
	}
}

// press presses the button for so long.
func (b *box) press(d time.Duration) {
	b.t.Helper()
	b.key(true)
	time.Sleep(d)
	b.key(false)
}

// follow notes what the LED does, until the device is unplugged.
func (b *box) follow() {
	data := make([]byte, 64*24)
	for {
		b.mu.Lock()
		n, err := unix.Read(b.fd, data)
		b.mu.Unlock()
		switch {
		case err == unix.EAGAIN || err == unix.EINTR:
			time.Sleep(10 * time.Millisecond)
			continue
		case err != nil || n <= 0:
			return
		}
		for e := data[:n]; len(e) >= 24; e = e[24:] {
			if binary.NativeEndian.Uint16(e[16:]) == eventLED {
				at := time.Unix(int64(binary.NativeEndian.Uint64(e)), int64(binary.NativeEndian.Uint64(e[8:]))*1000)
				b.mu.Lock()
				b.changes = append(b.changes, change{at, binary.NativeEndian.Uint32(e[20:]) != 0})
				b.mu.Unlock()
			}
		}
	}
}

// brightness returns whether the LED is on.
func (b *box) brightness() string {
	b.t.Helper()
	text, err := os.ReadFile("/sys/class/leds/" + b.led + "/brightness")
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// blinks waits for so many changes of the LED in a row that follow each other as the pattern says,
// again and again, from any place of it on.
func (b *box) blinks(what string, pattern ...time.Duration) {
	b.t.Helper()
	b.mu.Lock()
	from := len(b.changes)
	b.mu.Unlock()
	waitFor(b.t, "an LED that shows "+what, patience, func() error {
		b.mu.Lock()
		defer b.mu.Unlock()
		changes := b.changes[min(from, len(b.changes)):]
		if n := len(pattern) + 4; len(changes) > n {
			changes = changes[len(changes)-n:]
		}
		if len(changes) < len(pattern)+2 || !follows(changes, pattern) {
			return errorString("it does not")
		}
		return nil
	})
}

// follows reports whether changes could be a part of a pattern that begins with on.
func follows(changes []change, pattern []time.Duration) bool {
	for start := range pattern {
		fits := true
		for i := 1; i < len(changes); i++ {
			step := (start + i - 1) % len(pattern)
			took, want := changes[i].at.Sub(changes[i-1].at), pattern[step]
			fits = fits && changes[i-1].on == (step%2 == 0) && took > want*3/4 && took < want*3/2+50*time.Millisecond
		}
		if fits {
			return true
		}
	}
	return false
}

// stays checks that the LED is on, or off, and stays so.
func (b *box) stays(what, want string) {
	b.t.Helper()
	waitFor(b.t, "an LED that shows "+what, patience, func() error {
		b.mu.Lock()
		before := len(b.changes)
		b.mu.Unlock()
		time.Sleep(3 * time.Second)
		b.mu.Lock()
		after := len(b.changes)
		b.mu.Unlock()
		if got := b.brightness(); before != after || got != want {
			return errorString("it is " + got)
		}
		return nil
	})
}
