//go:build lab

package lab

import (
	"encoding/binary"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// reverseDiscovery is the time after which bluetoothd, at both ends, has begun to discover the services of a device that
// has bonded (BlueZ src/device.c, DISCOVERY_TIMER: a second, of which GLib makes up to 1.75). Without a connection by then
// it makes one. If the other end cannot be connected to at that moment, btvirt's controller is wedged (seen with Linux
// 6.1): so a phone that has bonded stays for this time.
const reverseDiscovery = 2 * time.Second

// disconnect cuts an adapter's connection to address at once, if there is one.
// Device1.Disconnect would wait 2 s before (BlueZ src/device.c, DISCONNECT_TIMER).
func disconnect(t testing.TB, adapter, address string) {
	t.Helper()
	index, err := strconv.ParseUint(strings.TrimPrefix(adapter, "hci"), 10, 16)
	if err != nil {
		t.Fatalf("adapter %q: %v", adapter, err)
	}
	fd, err := unix.Socket(unix.AF_BLUETOOTH, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.BTPROTO_HCI)
	if err != nil {
		t.Fatal(os.NewSyscallError("socket", err))
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrHCI{Dev: 0xFFFF, Channel: unix.HCI_CHANNEL_CONTROL}); err != nil {
		t.Fatal(os.NewSyscallError("bind", err))
	}
	// Disconnect (BlueZ doc/mgmt-api.txt): opcode, controller, length; address and its type, LE public.
	const opDisconnect, lePublic = 0x0014, 1
	peer := leSocketAddress(address).Addr
	command := binary.LittleEndian.AppendUint16(nil, opDisconnect)
	command = binary.LittleEndian.AppendUint16(command, uint16(index))
	command = binary.LittleEndian.AppendUint16(command, 7)
	for i := range peer {
		command = append(command, peer[5-i]) // on this socket the last byte comes first
	}
	if _, err := unix.Write(fd, append(command, lePublic)); err != nil {
		t.Fatal(os.NewSyscallError("write", err))
	}
}
