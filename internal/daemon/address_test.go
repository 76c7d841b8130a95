package daemon

import (
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

// atHome is what one network gave.
var atHome = netaddr.State{
	IPv4: netip.MustParseAddr("192.0.2.7"), IPv6: netip.MustParseAddr("2001:db8::7"), Gateway: netip.MustParseAddr("192.0.2.1"),
}

// moved returns a daemon that was at home, with an address, and has joined another
// network. The interface has the same addresses still.
func moved(t *testing.T) *bench { return movedWith(t, atHome) }

func movedWith(t *testing.T, addresses netaddr.State) *bench {
	b := start(t, credstore.Contents{Active: &credstore.Entry{Credentials: creds("home")}})
	wait(t, b.air.joins, "join")
	b.air.out <- nil
	b.expect(fsm.Connecting, fsm.Connected)
	b.Addresses(addresses)
	b.shows("home", atHome)
	if err := b.Connect("A", creds("office")); err != nil {
		t.Fatal(err)
	}
	wait(t, b.air.joins, "join")
	b.LinkLost("left")
	b.air.out <- nil
	b.expect(fsm.Connecting, fsm.Connected)
	return b
}

// shows waits until phones are shown a network with these addresses. Until then
// no network of that name has any.
func (b *bench) shows(ssid wifi.SSID, want netaddr.State) {
	b.t.Helper()
	for {
		n := wait(b.t, b.screen.networks, "network")
		if n == nil || n.SSID != ssid {
			continue
		}
		switch got := addressesOf(n); {
		case got == want:
			return
		case got != netaddr.State{}:
			b.t.Fatalf("%s is shown with %v, want %v", ssid, got, want)
		}
	}
}

func addressesOf(n *details.Network) netaddr.State {
	return netaddr.State{IPv4: n.IPv4, IPv6: n.IPv6, Gateway: n.Gateway}
}

// TestAddressOfFormerNetwork: what another network gave does not count, and that
// none came is told.
func TestAddressOfFormerNetwork(t *testing.T) {
	b := moved(t)
	b.shows("office", netaddr.State{})
	if reason := wait(t, b.screen.reasons, "reason"); reason != wifi.FailureNoAddress {
		t.Errorf("reason %s", reason)
	}
	b.Addresses(netaddr.State{IPv6: atHome.IPv6}) // dropped one by one
	b.shows("office", netaddr.State{})
	b.Addresses(netaddr.State{})
	b.shows("office", netaddr.State{})
	b.Addresses(atHome) // the two networks give the same ones
	b.shows("office", atHome)
	if reason := wait(t, b.screen.reasons, "reason"); reason != wifi.FailureNone {
		t.Errorf("reason %s", reason)
	}
}

// TestLeaseOfFormerNetwork: a DHCP client that keeps the other network's lease does
// not make this one give an address. Its renewal does.
func TestLeaseOfFormerNetwork(t *testing.T) {
	leased := atHome
	leased.IPv4Given, leased.IPv6Given = 100, 100
	b := movedWith(t, leased)
	b.shows("office", netaddr.State{})
	time.Sleep(formerFor + time.Second)
	for len(b.screen.networks) > 0 {
		b.shows("office", netaddr.State{})
	}
	leased.IPv4Given = 200
	b.Addresses(leased)
	b.shows("office", netaddr.State{IPv4: atHome.IPv4, Gateway: atHome.Gateway})
}

// TestAddressOfItsOwn: an address that stays is the administrator's.
func TestAddressOfItsOwn(t *testing.T) {
	b := moved(t)
	begin := time.Now()
	b.shows("office", netaddr.State{})
	b.shows("office", atHome)
	if took := time.Since(begin); took < formerFor/2 {
		t.Errorf("shown %s after the join", took)
	}
}

// TestAddressBeforeJoined: the DHCP client is quicker than wpa_supplicant's answer
// about what was joined. The lease is of the new network all the same.
func TestAddressBeforeJoined(t *testing.T) {
	b := start(t, credstore.Contents{Active: &credstore.Entry{Credentials: creds("home")}})
	wait(t, b.air.joins, "join")
	b.air.out <- nil
	b.expect(fsm.Connecting, fsm.Connected)
	b.Addresses(netaddr.State{IPv4: atHome.IPv4, IPv4Given: 100})
	b.shows("home", netaddr.State{IPv4: atHome.IPv4})
	if err := b.Connect("A", creds("office")); err != nil {
		t.Fatal(err)
	}
	wait(t, b.air.joins, "join")
	b.Addresses(netaddr.State{}) // the carrier was lost
	lease := netaddr.State{IPv4: netip.MustParseAddr("198.51.100.7")}
	given := lease
	given.IPv4Given = 500
	b.Addresses(given)
	waitFor(t, "lease", func() bool { return strings.Contains(b.log.String(), "198.51.100.7") })
	b.air.out <- nil
	b.expect(fsm.Connecting, fsm.Connected)
	b.shows("office", lease)
}
