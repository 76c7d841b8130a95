package daemon

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/credstore"
	"github.com/wifiprovd/wifiprovd/internal/fsm"
	"github.com/wifiprovd/wifiprovd/internal/netaddr"
	"github.com/wifiprovd/wifiprovd/internal/profile/details"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

func (a *air) Around(context.Context) ([]wifi.Offer, error) { return []wifi.Offer{{SSID: "home"}}, nil }

func (a *air) Current(context.Context) (wifi.Network, error) {
	return wifi.Network{SSID: "home", SignalDBm: -42}, nil
}

// screen is what phones are shown beside the status.
type screen struct {
	reasons  chan wifi.Failure
	networks chan *details.Network
	found    chan int
}

func newScreen() *screen {
	return &screen{reasons: make(chan wifi.Failure, 16), networks: make(chan *details.Network, 16), found: make(chan int, 16)}
}

func (s *screen) PublishNetwork(n *details.Network)   { s.networks <- n }
func (s *screen) Scanned(found []wifi.Offer, _ error) { s.found <- len(found) }

// TestNetworkIsShown: phones are shown the network when it is joined, when it has
// an address, and when it is lost; and that no address comes, while the status
// stays as it is.
func TestNetworkIsShown(t *testing.T) {
	b := start(t, credstore.Contents{Active: &credstore.Entry{Credentials: creds("home")}})
	b.expect(fsm.Connecting)
	wait(t, b.air.joins, "join")
	b.air.out <- nil
	b.expect(fsm.Connected)
	if n := wait(t, b.screen.networks, "network"); n == nil || n.SSID != "home" || n.SignalDBm != 0 || n.IPv4.IsValid() || n.Since.IsZero() {
		t.Errorf("joined, and shown %+v", n)
	}
	b.Addresses(netaddr.State{})
	wait(t, b.screen.networks, "network without an address")
	if reason := wait(t, b.screen.reasons, "reason"); reason != wifi.FailureNoAddress {
		t.Errorf("reason %s", reason)
	}
	waitFor(t, "line", func() bool { return strings.Contains(b.log.String(), "status stays CONNECTED (3): no address") })

	state := netaddr.State{IPv4: netip.MustParseAddr("192.0.2.7"), Gateway: netip.MustParseAddr("192.0.2.1")}
	b.Addresses(state)
	if n := wait(t, b.screen.networks, "network"); n == nil || n.IPv4 != state.IPv4 || n.Gateway != state.Gateway {
		t.Errorf("bound, and shown %+v", n)
	}
	if reason := wait(t, b.screen.reasons, "reason"); reason != wifi.FailureNone {
		t.Errorf("reason %s", reason)
	}
	waitFor(t, "line", func() bool { return strings.Contains(b.log.String(), "an address came") })

	for range 5 { // a moment apart: it is looked at once
		b.Refresh()
	}
	if n := wait(t, b.screen.networks, "network"); n == nil || n.SignalDBm != -42 || n.IPv4 != state.IPv4 {
		t.Errorf("asked for, and shown %+v", n)
	}
	b.LinkLost("gone")
	b.expect(fsm.Provisioned)
	if n := wait(t, b.screen.networks, "network"); n != nil {
		t.Errorf("lost, and shown %+v", n)
	}
}

func TestLookAround(t *testing.T) {
	b := start(t, credstore.Contents{})
	b.expect(fsm.Idle)
	b.LookAround()
	if n := wait(t, b.screen.found, "scan"); n != 1 {
		t.Errorf("%d networks", n)
	}
}

// TestLooksWhenWifiComes: a phone was there first. wpa_supplicant could not scan yet.
func TestLooksWhenWifiComes(t *testing.T) {
	b := start(t, credstore.Contents{})
	looks := func(when string, want bool) {
		t.Helper()
		select {
		case <-b.air.looks:
			if !want {
				t.Errorf("%s: it looks around", when)
			}
		case <-time.After(map[bool]time.Duration{true: 5 * time.Second, false: 50 * time.Millisecond}[want]):
			if want {
				t.Errorf("%s: it does not look around", when)
			}
		}
	}
	b.WifiAvailable(true, "")
	looks("Wi-Fi came, nobody is there", false)
	b.CentralConnected("00:AA:01:01:00:01")
	looks("a phone came", true)
	b.WifiAvailable(false, "gone")
	looks("Wi-Fi went", false)
	b.WifiAvailable(true, "")
	looks("Wi-Fi came, the phone is there", true)
	b.CentralDisconnected("00:AA:01:01:00:01")
	b.WifiAvailable(true, "")
	looks("Wi-Fi came, the phone has left", false)
}
