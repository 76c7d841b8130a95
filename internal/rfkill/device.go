package rfkill

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Device is where the kernel lists the radios, and takes orders for them.
const Device = "/dev/rfkill"

// Kind is what a radio is for (enum rfkill_type, linux/rfkill.h).
type Kind byte

// The kinds that matter here.
const (
	WiFi      Kind = 1
	Bluetooth Kind = 2
)

// String returns the kind's name, for a person.
func (k Kind) String() string {
	switch k {
	case WiFi:
		return "Wi-Fi"
	case Bluetooth:
		return "Bluetooth"
	}
	return fmt.Sprintf("radio of kind %d", byte(k))
}

// Radio is a radio that can be blocked: by software, or by a hardware switch.
type Radio struct {
	Index      uint32 // of /sys/class/rfkill/rfkillN
	Kind       Kind
	Soft, Hard bool // how it is blocked
}

// The first version of struct rfkill_event (linux/rfkill.h): index u32, type, operation, soft
// and hard u8. Every kernel takes it, and gives it to whoever reads no more.
const (
	eventSize   = 8
	opAdd       = 0
	opChangeAll = 3
)

// List returns the radios that the kernel lists in device, Device by default. An error that is
// os.ErrNotExist: this kernel blocks none.
func List(device string) ([]Radio, error) {
	// Whoever opens it reads of each radio first that it was added.
	fd, err := unix.Open(device, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: device, Err: err}
	}
	defer func() { _ = unix.Close(fd) }() // read only: nothing is lost
	var radios []Radio
	for {
		var e [eventSize]byte
		n, err := unix.Read(fd, e[:])
		switch {
		case errors.Is(err, unix.EAGAIN), err == nil && n == 0:
			return radios, nil
		case errors.Is(err, unix.EINTR):
			continue
		case err == nil && n < eventSize:
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", device, err)
		}
		if e[5] == opAdd {
			radios = append(radios, Radio{Index: binary.NativeEndian.Uint32(e[:]), Kind: Kind(e[4]), Soft: e[6] != 0, Hard: e[7] != 0})
		}
	}
}

// Unblock ends what blocks all radios of a kind by software, and has the kernel let those send
// that it finds later. A hardware switch stays what it is.
func Unblock(device string, kind Kind) error {
	f, err := os.OpenFile(device, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	e := [eventSize]byte{4: byte(kind), 5: opChangeAll}
	_, err = f.Write(e[:])
	return errors.Join(err, f.Close())
}
