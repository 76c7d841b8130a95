//go:build lab

package lab

import (
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Security levels of an L2CAP socket, and their socket option (Linux,
// include/net/bluetooth/bluetooth.h).
const (
	notEncrypted = 1 // BT_SECURITY_LOW
	encrypted    = 2 // BT_SECURITY_MEDIUM: with the keys of a bond
	btSecurity   = 4 // BT_SECURITY
)

const (
	attCID    = 4 // of the fixed L2CAP channel
	leAddress = 1 // BDADDR_LE_PUBLIC
)

// connectATT opens an ATT channel from a phone's adapter to the gateway's address. bluetoothd's own
// channel on the phone's adapter gives way to it (net/bluetooth/l2cap_core.c, l2cap_connect_cfm).
func connectATT(t testing.TB, adapter, gateway string, level byte) (*os.File, error) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_BLUETOOTH, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.BTPROTO_L2CAP)
	if err != nil {
		return nil, err
	}
	socket := os.NewFile(uintptr(fd), "ATT")
	if err := startATT(t, fd, adapter, gateway, level); err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	return socket, nil
}

func startATT(t testing.TB, fd int, adapter, gateway string, level byte) error {
	t.Helper()
	if err := unix.Bind(fd, leSocketAddress(adapterAddress(t, adapter))); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	if err := unix.SetsockoptString(fd, unix.SOL_BLUETOOTH, btSecurity, string([]byte{notEncrypted, 0})); err != nil {
		return fmt.Errorf("set the security level: %w", err)
	}
	deadline := time.Now().Add(patience)
	err := unix.Connect(fd, leSocketAddress(gateway))
	if err != nil && err != unix.EINPROGRESS {
		return fmt.Errorf("connect: %w", err)
	}
	if err := writable(fd, deadline); err != nil || level == notEncrypted {
		return err
	}
	return raiseSecurity(fd, level, deadline)
}

// raiseSecurity encrypts a connection, and pairs if there is no bond. It does so once the connection
// is up: now and then the kernel forgets a level that was set before ("security requested but not
// available").
func raiseSecurity(fd int, level byte, deadline time.Time) error {
	for {
		// The kernel refuses while it believes that there is nothing to do.
		asked := unix.SetsockoptString(fd, unix.SOL_BLUETOOTH, btSecurity, string([]byte{level, 0}))
		if err := writable(fd, deadline); err != nil {
			return fmt.Errorf("raise the security level: %w", err)
		}
		// struct bt_security: the level, and the size of the key, 0 if there is none.
		now, err := unix.GetsockoptString(fd, unix.SOL_BLUETOOTH, btSecurity)
		if err != nil {
			return fmt.Errorf("read the security level: %w", err)
		}
		if len(now) == 2 && now[1] > 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the connection stays unencrypted: % x, %w", now, asked)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// writable waits until the socket is connected.
func writable(fd int, deadline time.Time) error {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, 1000)
		switch {
		case n > 0:
			code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
			if err == nil && code != 0 {
				err = unix.Errno(code)
			}
			return err
		case err != nil && err != unix.EINTR:
			return err
		case time.Now().After(deadline):
			return errors.New("it takes too long")
		}
	}
}

func leSocketAddress(address string) *unix.SockaddrL2 {
	mac, err := net.ParseMAC(address)
	if err != nil {
		panic(err)
	}
	return &unix.SockaddrL2{CID: attCID, Addr: [6]byte(mac), AddrType: leAddress}
}
