//go:build lab

// Command rescan lets a virtual Bluetooth controller find advertisements. BlueZ's btvirt reports
// one only at the moment when scanning, or advertising, is switched on (emulator/btdev.c), and
// bluetoothd drops what is reported before its discovery is marked as running. So rescan switches
// the adapter's scan off and on for as long as bluetoothd says that it discovers, and afterwards while
// a connection waits for an advertisement: a switch that met the kernel's own can have cost it the report.
//
// Usage: rescan [-always] ADAPTER
//
// With -always it looks for connections that wait all the time: those of a phone that comes back without discovering first.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

// interval is long enough for the controller to report, and short enough to find a gateway in a
// second.
const interval = 500 * time.Millisecond

const (
	bluezName    = "org.bluez"
	adapterIface = "org.bluez.Adapter1"
)

// LE Set Scan Enable with Filter_Duplicates off (Core Specification, volume 4, part E, 7.8.11), as
// an HCI command packet. The kernel sees the answers, and so knows whether the controller scans
// (Linux, net/bluetooth/hci_event.c, le_set_scan_enable_complete): a discovery that ends meanwhile
// leaves nothing behind that a later scan or connection would trip over.
var (
	scanOff = []byte{0x01, 0x0C, 0x20, 0x02, 0x00, 0x00}
	scanOn  = []byte{0x01, 0x0C, 0x20, 0x02, 0x01, 0x00}
)

func main() {
	always := flag.Bool("always", false, "look for connections that wait all the time")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: rescan [-always] ADAPTER")
		os.Exit(64)
	}
	fmt.Fprintln(os.Stderr, run(flag.Arg(0), *always))
	os.Exit(1) // systemd starts it again
}

// run does it until the connection to the bus ends.
func run(adapter string, always bool) error {
	index, err := strconv.ParseUint(strings.TrimPrefix(adapter, "hci"), 10, 16)
	if err != nil {
		return fmt.Errorf("adapter %q has no number", adapter)
	}
	path := dbus.ObjectPath("/org/bluez/" + adapter)
	conn, err := msgbus.Dial(context.Background(), "")
	if err != nil {
		return err
	}
	signals := make(chan *dbus.Signal, 64)
	conn.Signal(signals)
	err = errors.Join(
		conn.AddMatchSignal(dbus.WithMatchSender(bluezName), dbus.WithMatchObjectPath(path),
			dbus.WithMatchInterface(msgbus.Properties), dbus.WithMatchArg(0, adapterIface)),
		conn.AddMatchSignal(dbus.WithMatchSender(msgbus.BusName),
			dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, bluezName)))
	if err != nil {
		return fmt.Errorf("listen to bluetoothd: %w", err)
	}
	bluez := msgbus.Program{Conn: conn, Name: bluezName, Timeout: 10 * time.Second, Flags: dbus.FlagNoAutoStart}
	values, _ := bluez.GetAll(context.Background(), path, adapterIface) // none: it does not run yet
	discovering, connecting := msgbus.Value[bool](values, "Discovering"), false
	for {
		var tick <-chan time.Time
		if discovering || connecting || always {
			tick = time.After(interval)
		}
		select {
		case s, ok := <-signals:
			if !ok {
				return msgbus.ErrLost
			}
			before := discovering
			discovering = now(before, s)
			connecting = connecting || before
		case <-tick:
			connecting, err = rescan(uint16(index), discovering)
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				discovering = false // the controller is gone, or off
			}
		}
	}
}

// now returns whether the adapter discovers after a signal.
func now(discovering bool, s *dbus.Signal) bool {
	if s.Name == msgbus.NameOwnerChanged {
		return false // bluetoothd has ended, or is new
	}
	if s.Name == msgbus.PropertiesChanged && len(s.Body) > 1 {
		changed, _ := s.Body[1].(map[string]dbus.Variant)
		if value, ok := changed["Discovering"].Value().(bool); ok {
			return value
		}
	}
	return discovering
}

// rescan switches the scan of a controller off and on, if it discovers or a connection waits. It
// returns whether one may.
func rescan(index uint16, discovers bool) (waits bool, err error) {
	fd, err := unix.Socket(unix.AF_BLUETOOTH, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.BTPROTO_HCI)
	if err != nil {
		return false, fmt.Errorf("open a raw HCI socket: %w", err)
	}
	defer unix.Close(fd)
	if !discovers {
		if waits, err := connects(fd, index); !waits || err != nil {
			return false, err
		}
	}
	if err := unix.Bind(fd, &unix.SockaddrHCI{Dev: index, Channel: unix.HCI_CHANNEL_RAW}); err != nil {
		return false, fmt.Errorf("bind the raw HCI socket: %w", err)
	}
	for _, packet := range [][]byte{scanOff, scanOn} {
		if _, err := unix.Write(fd, packet); err != nil {
			return false, fmt.Errorf("write to the raw HCI socket: %w", err)
		}
	}
	return true, nil
}

// Linux, include/net/bluetooth/hci_sock.h and bluetooth.h.
const (
	hciGetConnList = 0x800448d4
	btConnect      = 5 // waits for an advertisement, or for the other end
)

// connList is hci_conn_list_req with hci_conn_info.
type connList struct {
	adapter, number uint16
	conns           [8]struct {
		handle    uint16
		peer      [6]byte
		kind, out byte
		state     uint16
		mode      uint32
	}
}

// connects returns whether a connection of the controller is not there yet.
func connects(fd int, index uint16) (bool, error) {
	list := connList{adapter: index}
	list.number = uint16(len(list.conns))
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), hciGetConnList, uintptr(unsafe.Pointer(&list)))
	if errno != 0 {
		return false, fmt.Errorf("list the connections: %w", errno)
	}
	for _, c := range list.conns[:list.number] {
		if c.state == btConnect {
			return true, nil
		}
	}
	return false, nil
}
