package code

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wifiprovd/wifiprovd/internal/srp"
)

// again is when a folder that cannot be watched, or has gone, is looked at anew.
const again = 30 * time.Second

// Follow calls changed with the verifier that is kept in the folder, nil for none, at once
// and whenever it has changed, until ctx ends. A file that cannot be used counts as none, and
// broken, which says why, is not nil then: a gateway that had a code must not open its other
// doors for that.
func (k Keeper) Follow(ctx context.Context, changed func(v *srp.Verifier, broken error)) error {
	told := ""
	for ctx.Err() == nil {
		err := watch(ctx, k.Dir, func() { changed(k.Load()) })
		if ctx.Err() == nil && err != nil && err.Error() != told {
			told = err.Error()
			k.Log.Warn("a new code is noticed late: the folder cannot be watched; looking every "+again.String(), "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
	return nil
}

// watch calls look at once and after each change of the file, until it cannot notice one, and
// returns why.
func watch(ctx context.Context, dir string, look func()) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		look()
		return fmt.Errorf("watch %s: %w", dir, err)
	}
	news := os.NewFile(uintptr(fd), "inotify")
	defer news.Close()
	stop := context.AfterFunc(ctx, func() { _ = news.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	const events = unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE | unix.IN_CLOSE_WRITE |
		unix.IN_ATTRIB | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR
	_, err = unix.InotifyAddWatch(fd, dir, events)
	look() // after the watch: nothing is missed
	if err != nil {
		return fmt.Errorf("watch %s: %w", dir, err)
	}
	buffer := make([]byte, 4096)
	for {
		n, err := news.Read(buffer)
		if err != nil {
			return fmt.Errorf("watch %s: %w", dir, err)
		}
		mine, gone := noticed(buffer[:n])
		if mine || gone {
			look()
		}
		if gone {
			return fmt.Errorf("watch %s: it has gone", dir)
		}
	}
}

// noticed reports whether events, as inotify(7) has them, are of the file, and whether the
// folder has gone.
func noticed(events []byte) (mine, gone bool) {
	for len(events) >= unix.SizeofInotifyEvent {
		mask := binary.NativeEndian.Uint32(events[4:])
		length := int(binary.NativeEndian.Uint32(events[12:]))
		end := unix.SizeofInotifyEvent + length
		if end > len(events) {
			break
		}
		name := unix.ByteSliceToString(events[unix.SizeofInotifyEvent:end])
		mine = mine || name == FileName || name == BatchFolder || mask&unix.IN_Q_OVERFLOW != 0
		gone = gone || mask&(unix.IN_IGNORED|unix.IN_DELETE_SELF|unix.IN_MOVE_SELF) != 0
		events = events[end:]
	}
	return mine, gone
}
