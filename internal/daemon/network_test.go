package daemon

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/credstore"
	"github.com/wifiprovd/wifiprovd/internal/fsm"
	"github.com/wifiprovd/wifiprovd/internal/netaddr"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// TestNetworkIsShown: phones are shown the network when it is joined, when it has
// an address, and when it is lost; and that no address comes, while the status
// stays as it is.
func TestNetworkIsShown(t *testing.T) {
	b := start(t, credstore.Contents{Active: &credstore.Entry{Credentials: creds("home")}})
	b.expect(fsm.Connecting)
	wait(t, b.air.joins, "join")
	b.air.out <- nil
	b.expect(fsm.Connected)
	if n := wait(t, b.screen.networks, "network"); n == nil || n.SSID != "home" || n.IPv4.IsValid() || n.Since.IsZero() {
		t.Errorf("joined, and shown %+v", n)
	}
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

	b.LinkLost("gone")
	b.expect(fsm.Provisioned)
	if n := wait(t, b.screen.networks, "network"); n != nil {
		t.Errorf("lost, and shown %+v", n)
	}
}

func TestWhatPhonesAskFor(t *testing.T) {
	b := start(t, credstore.Contents{})
	b.expect(fsm.Idle)
	b.LookAround()
	if n := wait(t, b.screen.found, "scan"); n != 1 {
		t.Errorf("%d networks", n)
	}
	for range 5 { // a moment apart: one measurement
		b.AskSignal()
	}
	if dBm := wait(t, b.screen.signals, "signal"); dBm != -42 {
		t.Errorf("signal %d", dBm)
	}
	b.AskSignal()
	if len(b.screen.signals) > 0 {
		t.Error("measured again a moment later")
	}
}
