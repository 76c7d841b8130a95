package netaddr

import (
	"context"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

func linkMessage(t testing.TB, index, flags uint32, name string) netlink.Message {
	header := append(make([]byte, 4), u32(index)...)
	header = append(append(header, u32(flags)...), u32(0)...)
	return message(t, unix.RTM_NEWLINK, header, netlink.Attribute{Type: unix.IFLA_IFNAME, Data: append([]byte(name), 0)})
}

func TestAnyOnline(t *testing.T) {
	links := []netlink.Message{
		linkMessage(t, 2, unix.IFF_UP|unix.IFF_LOWER_UP, "eth0"),
		linkMessage(t, 3, unix.IFF_UP|unix.IFF_LOWER_UP, "wlan0"),
		linkMessage(t, 4, unix.IFF_UP, "eth1"), // its cable is out
		linkMessage(t, 5, unix.IFF_UP|unix.IFF_LOWER_UP, "wwan0"),
	}
	on := func(index uint32) netlink.Attribute { return netlink.Attribute{Type: unix.RTA_OIF, Data: u32(index)} }
	route := func(bits, table byte, index uint32) []netlink.Message {
		return []netlink.Message{routeMessage(t, bits, table, on(index))}
	}
	for name, c := range map[string]struct {
		routes []netlink.Message
		want   bool
	}{
		"none":                 {nil, false},
		"Ethernet":             {route(0, unix.RT_TABLE_MAIN, 2), true},
		"the Wi-Fi itself":     {route(0, unix.RT_TABLE_MAIN, 3), false},
		"no carrier":           {route(0, unix.RT_TABLE_MAIN, 4), false},
		"ignored":              {route(0, unix.RT_TABLE_MAIN, 5), false},
		"a network":            {route(24, unix.RT_TABLE_MAIN, 2), false},
		"another table":        {route(0, 99, 2), false},
		"unknown interface":    {route(0, unix.RT_TABLE_MAIN, 9), false},
		"without an interface": {[]netlink.Message{routeMessage(t, 0, unix.RT_TABLE_MAIN)}, false},
		"too short":            {[]netlink.Message{{Header: netlink.Header{Type: unix.RTM_NEWROUTE}, Data: []byte{0}}}, false},
	} {
		if got := (Others{Wifi: func() string { return "wlan0" }, Ignores: []string{"wwan0"}}).anyOnline(links, c.routes); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestFollowOthers follows a real interface, in a network namespace of its own: its lo.
func TestFollowOthers(t *testing.T) {
	if os.Getenv("NETADDR_CHILD") == "" {
		followInNamespace(t)
		return
	}
	states := make(chan bool, 16)
	settle = time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	runIP(t, "link", "set", "lo", "name", "eth0")
	go func() {
		done <- FollowOthers(ctx, Others{Wifi: func() string { return "wlan0" }}, slog.New(slog.NewTextHandler(io.Discard, nil)), func(online bool) { states <- online })
	}()
	expect := func(want bool) {
		t.Helper()
		select {
		case got := <-states:
			if got != want {
				t.Errorf("online: %v", got)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("not told %v within 10 s", want)
		}
	}
	expect(false)
	runIP(t, "link", "set", "eth0", "up")
	runIP(t, "address", "add", "192.0.2.7/24", "dev", "eth0")
	runIP(t, "route", "add", "default", "dev", "eth0")
	expect(true)
	runIP(t, "route", "delete", "default")
	expect(false)
	runIP(t, "route", "add", "default", "dev", "eth0")
	expect(true)
	runIP(t, "link", "set", "eth0", "down")
	expect(false)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
