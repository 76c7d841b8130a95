package central

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// rescanInterval is long enough for a virtual controller to report, and short
// enough to find a gateway in a second.
const rescanInterval = 500 * time.Millisecond

// LE Set Scan Enable with Filter_Duplicates off (Core Specification, volume 4,
// part E, 7.8.11), as an HCI command packet.
var (
	scanOff = []byte{0x01, 0x0C, 0x20, 0x02, 0x00, 0x00}
	scanOn  = []byte{0x01, 0x0C, 0x20, 0x02, 0x01, 0x00}
)

// rescanEvery switches scanning off and on until ctx ends.
func rescanEvery(ctx context.Context, adapter string) error {
	_, number, _ := strings.Cut(adapter, "/hci")
	index, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return fmt.Errorf("adapter %q has no number", adapter)
	}
	fd, err := unix.Socket(unix.AF_BLUETOOTH, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.BTPROTO_HCI)
	if err != nil {
		return fmt.Errorf("open a raw HCI socket: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrHCI{Dev: uint16(index), Channel: unix.HCI_CHANNEL_RAW}); err != nil {
		return fmt.Errorf("bind the raw HCI socket: %w", err)
	}
	for {
		select {
		case <-time.After(rescanInterval):
		case <-ctx.Done():
			return nil
		}
		for _, packet := range [][]byte{scanOff, scanOn} {
			if _, err := unix.Write(fd, packet); err != nil {
				return fmt.Errorf("write to the raw HCI socket: %w", err)
			}
		}
	}
}
