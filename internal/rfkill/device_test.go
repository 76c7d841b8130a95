package rfkill

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func event(index uint32, kind, op, soft, hard byte) []byte {
	return append(binary.NativeEndian.AppendUint32(nil, index), kind, op, soft, hard)
}

func TestList(t *testing.T) {
	device := filepath.Join(t.TempDir(), "rfkill")
	if _, err := List(device); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no device: %v", err)
	}
	write := func(data []byte) {
		if err := os.WriteFile(device, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(slices.Concat(event(0, 2, 0, 1, 0), event(7, 1, 0, 0, 1), event(7, 1, 2, 1, 1), event(300, 5, 0, 0, 0)))
	want := []Radio{{0, Bluetooth, true, false}, {7, WiFi, false, true}, {300, 5, false, false}}
	if got, err := List(device); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	write([]byte{1, 2, 3})
	if got, err := List(device); err == nil {
		t.Errorf("half an event: %+v", got)
	}
}

func TestUnblock(t *testing.T) {
	device := filepath.Join(t.TempDir(), "rfkill")
	if err := Unblock(device, WiFi); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no device: %v", err)
	}
	if err := os.WriteFile(device, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Unblock(device, Bluetooth); err != nil {
		t.Fatal(err)
	}
	// RFKILL_OP_CHANGE_ALL with type RFKILL_TYPE_BLUETOOTH and soft 0 (linux/rfkill.h).
	if got, err := os.ReadFile(device); err != nil || !slices.Equal(got, event(0, 2, 3, 0, 0)) {
		t.Errorf("wrote %v, %v", got, err)
	}
}
