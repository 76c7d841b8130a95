package netaddr

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// message makes a message of a header and attributes.
func message(t testing.TB, kind uint16, header []byte, attributes ...netlink.Attribute) netlink.Message {
	t.Helper()
	data, err := netlink.MarshalAttributes(attributes)
	if err != nil {
		t.Fatal(err)
	}
	return netlink.Message{Header: netlink.Header{Type: netlink.HeaderType(kind)}, Data: append(header, data...)}
}

func u32(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }

func addressMessage(t testing.TB, index uint32, scope, flags byte, attributes ...netlink.Attribute) netlink.Message {
	return message(t, unix.RTM_NEWADDR, append([]byte{0, 24, flags, scope}, u32(index)...), attributes...)
}

func routeMessage(t testing.TB, toBits, table byte, attributes ...netlink.Attribute) netlink.Message {
	return message(t, unix.RTM_NEWROUTE, []byte{0, toBits, 0, 0, table, 0, 0, unix.RTN_UNICAST, 0, 0, 0, 0}, attributes...)
}

func ip(kind uint16, text string) netlink.Attribute {
	return netlink.Attribute{Type: kind, Data: netip.MustParseAddr(text).AsSlice()}
}

func TestStateOf(t *testing.T) {
	flags := func(f uint32) netlink.Attribute { return netlink.Attribute{Type: unix.IFA_FLAGS, Data: u32(f)} }
	given := netlink.Attribute{Type: unix.IFA_CACHEINFO, Data: append(make([]byte, 12), u32(1234)...)}
	addresses := []netlink.Message{
		addressMessage(t, 1, 0, 0, ip(unix.IFA_LOCAL, "192.0.2.1")),                                                   // of another interface
		addressMessage(t, 3, unix.RT_SCOPE_LINK, 0, ip(unix.IFA_LOCAL, "169.254.1.1")),                                // link-local
		addressMessage(t, 3, 0, 0, ip(unix.IFA_ADDRESS, "192.0.2.9"), ip(unix.IFA_LOCAL, "192.0.2.7"), given),         // .9 is the far end
		addressMessage(t, 3, 0, 0, ip(unix.IFA_LOCAL, "192.0.2.8")),                                                   // the second one
		addressMessage(t, 3, 0, 0, ip(unix.IFA_ADDRESS, "2001:db8::1"), flags(unix.IFA_F_TENTATIVE)),                  // may be somebody else's
		addressMessage(t, 3, 0, unix.IFA_F_DEPRECATED, ip(unix.IFA_ADDRESS, "2001:db8::2")),                           // running out
		addressMessage(t, 3, 0, 0, ip(unix.IFA_ADDRESS, "2001:db8::3"), flags(unix.IFA_F_TEMPORARY)),                  // for privacy
		addressMessage(t, 3, unix.RT_SCOPE_LINK, 0, ip(unix.IFA_ADDRESS, "fe80::1")),                                  // link-local
		addressMessage(t, 3, 0, 0, ip(unix.IFA_ADDRESS, "2001:db8::4"), flags(unix.IFA_F_MANAGETEMPADDR|0x80), given), // good, for good
	}
	out, via := netlink.Attribute{Type: unix.RTA_OIF, Data: u32(3)}, func(text string) netlink.Attribute { return ip(unix.RTA_GATEWAY, text) }
	metric := func(n uint32) netlink.Attribute { return netlink.Attribute{Type: unix.RTA_PRIORITY, Data: u32(n)} }
	routes := []netlink.Message{
		routeMessage(t, 0, unix.RT_TABLE_MAIN, out, via("fe80::2")),
		routeMessage(t, 24, unix.RT_TABLE_MAIN, out, via("192.0.2.3")),
		routeMessage(t, 0, 99, out, via("192.0.2.4")),
		routeMessage(t, 0, unix.RT_TABLE_MAIN, out, via("192.0.2.5"), metric(1024)),
		routeMessage(t, 0, unix.RT_TABLE_MAIN, out, via("192.0.2.6"), metric(600)),
		routeMessage(t, 0, unix.RT_TABLE_MAIN, out, via("192.0.2.8"), metric(1<<32-1)),
		routeMessage(t, 0, unix.RT_TABLE_MAIN, out),
	}
	want := wifi.Addresses{
		IPv4: netip.MustParseAddr("192.0.2.7"), IPv6: netip.MustParseAddr("2001:db8::4"), Gateway: netip.MustParseAddr("192.0.2.6"), IPv4Given: 1234,
	}
	if got := stateOf(addresses, routes, 3); got != want || !got.Bound() {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := stateOf(addresses, routes[:1], 3).Gateway; got != netip.MustParseAddr("fe80::2") {
		t.Errorf("with IPv6 alone the gateway is %v", got)
	}
	if got := stateOf(addresses[1:2], nil, 3); got.Bound() {
		t.Errorf("a link-local address counts: %v", got)
	}
}

func FuzzMessage(f *testing.F) {
	for _, m := range []netlink.Message{
		addressMessage(f, 3, 0, 0, ip(unix.IFA_LOCAL, "192.0.2.1")),
		routeMessage(f, 0, unix.RT_TABLE_MAIN, ip(unix.RTA_GATEWAY, "fe80::2")),
		message(f, unix.RTM_NEWLINK, make([]byte, 16), netlink.Attribute{Type: unix.IFLA_IFNAME, Data: []byte("wlan0\x00")}),
		message(f, unix.RTM_DELLINK, nil),
	} {
		f.Add(uint16(m.Header.Type), m.Data)
	}
	f.Fuzz(func(t *testing.T, kind uint16, data []byte) {
		m := netlink.Message{Header: netlink.Header{Type: netlink.HeaderType(kind)}, Data: data}
		concerns(m, "wlan0", 3)
		if s := stateOf([]netlink.Message{m}, []netlink.Message{m}, 3); s.IPv4.IsValid() && !s.IPv4.Is4() || s.IPv6.IsValid() && !s.IPv6.Is6() {
			t.Errorf("state %v", s)
		}
	})
}

// TestFollow follows the loopback interface of a network namespace of its own,
// which a second process of this test has. It gets the name that is followed, and
// loses it again.
func TestFollow(t *testing.T) {
	if os.Getenv("NETADDR_CHILD") == "" {
		followInNamespace(t)
		return
	}
	f := startFollowing(t)
	four, six, gateway := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7"), netip.MustParseAddr("192.0.2.1")
	f.expect(wifi.Addresses{})
	runIP(t, "address", "add", "192.0.2.7/24", "dev", "lo", "scope", "global")
	runIP(t, "link", "set", "lo", "name", "wlan0") // it comes
	f.expect(wifi.Addresses{IPv4: four})
	runIP(t, "link", "set", "wlan0", "up")
	runIP(t, "route", "add", "default", "via", "192.0.2.1", "dev", "wlan0")
	f.expect(wifi.Addresses{IPv4: four, Gateway: gateway})
	runIP(t, "address", "add", "2001:db8::7/64", "dev", "wlan0", "scope", "global")
	f.expect(wifi.Addresses{IPv4: four, IPv6: six, Gateway: gateway})
	runIP(t, "address", "delete", "192.0.2.7/24", "dev", "wlan0")
	f.expect(wifi.Addresses{IPv6: six, Gateway: gateway})
	runIP(t, "route", "delete", "default")
	f.expect(wifi.Addresses{IPv6: six})

	addManyAddresses(t)
	f.expect(wifi.Addresses{IPv4: netip.MustParseAddr("198.51.100.1"), IPv6: six})
	runIP(t, "address", "flush", "dev", "wlan0")
	f.expect(wifi.Addresses{})
	runIP(t, "address", "add", "192.0.2.7/24", "dev", "wlan0", "scope", "global")
	f.expect(wifi.Addresses{IPv4: four})
	runIP(t, "address", "change", "192.0.2.7/24", "dev", "wlan0", "valid_lft", "100", "preferred_lft", "100")
	first := f.next()
	time.Sleep(20 * time.Millisecond)
	runIP(t, "address", "change", "192.0.2.7/24", "dev", "wlan0", "valid_lft", "100", "preferred_lft", "100")
	if second := f.next(); first.IPv4Given == 0 || second.IPv4Given <= first.IPv4Given {
		t.Errorf("the address was given at %d, and renewed at %d", first.IPv4Given, second.IPv4Given)
	}
	f.another(t)
	runIP(t, "link", "set", "wlan0", "down")
	runIP(t, "link", "set", "wlan0", "name", "lo") // it goes
	f.expect(wifi.Addresses{})
	f.cancel()
	if err := <-f.done; err != nil {
		t.Error(err)
	}
	if !strings.Contains(f.log.String(), "announcements of rtnetlink were lost") {
		t.Errorf("no announcement was lost: the test shows nothing\n%s", f.log.String())
	}
}

// another makes another interface the one that is followed, and wlan0 again.
func (f *following) another(t *testing.T) {
	if out, err := exec.Command("ip", "link", "add", "wlx1", "type", "bridge").CombinedOutput(); err != nil {
		t.Logf("another interface is not tried, this kernel has no bridges: %v: %s", err, out)
		return
	}
	becomes := func(name, flag, address string) {
		f.name.Store(&name)
		runIP(t, "link", "set", "wlx1", flag) // what the name depends on is told by links
		for f.next().IPv4 != netip.MustParseAddr(address) {
		}
	}
	runIP(t, "address", "add", "192.0.2.8/24", "dev", "wlx1")
	becomes("wlx1", "up", "192.0.2.8")
	becomes("wlan0", "down", "192.0.2.7")
}

// followInNamespace runs the test in a process that has a network namespace.
func followInNamespace(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "NETADDR_CHILD=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Skipf("no network namespace can be had here: %v", err)
	}
	if t.Logf("%s", out); err != nil {
		t.Error(err)
	}
}

// following is a Follow that runs.
type following struct {
	name   atomic.Pointer[string] // of the interface; nil: wlan0
	t      *testing.T
	states chan wifi.Addresses // whoever does not fetch a state blocks Follow
	log    strings.Builder     // not looked at before Follow has returned
	cancel context.CancelFunc
	done   chan error // what Follow returns
}

func startFollowing(t *testing.T) *following {
	ctx, cancel := context.WithCancel(t.Context())
	f := &following{t: t, states: make(chan wifi.Addresses), cancel: cancel, done: make(chan error, 1)}
	settle = time.Millisecond
	go func() {
		f.done <- Follow(ctx, f.now, slog.New(slog.NewTextHandler(&f.log, &slog.HandlerOptions{Level: slog.LevelDebug})), func(s wifi.Addresses) {
			select {
			case f.states <- s:
			case <-ctx.Done():
			}
		})
	}()
	return f
}

func (f *following) now() string {
	if name := f.name.Load(); name != nil {
		return *name
	}
	return "wlan0"
}

// expect waits for a state.
func (f *following) expect(want wifi.Addresses) {
	f.t.Helper()
	for f.next() != want {
	}
}

func (f *following) next() wifi.Addresses {
	f.t.Helper()
	select {
	case s := <-f.states:
		return s
	case <-time.After(10 * time.Second):
		f.t.Fatal("no other state within 10 s")
	}
	return wifi.Addresses{}
}

func runIP(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %v: %v: %s", args, err, out)
	}
}

// addManyAddresses makes so many changes that the socket cannot hold them, while
// Follow is busy.
func addManyAddresses(t *testing.T) {
	var batch strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&batch, "address add 198.51.%d.%d/32 dev wlan0 scope global\n", 100+i/250, 1+i%250)
	}
	file := filepath.Join(t.TempDir(), "batch")
	if err := os.WriteFile(file, []byte(batch.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	runIP(t, "-batch", file)
}
