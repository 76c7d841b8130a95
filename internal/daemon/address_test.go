package daemon

import (
	"net/netip"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// atHome is what one network gave.
var atHome = wifi.Addresses{
	IPv4: netip.MustParseAddr("192.0.2.7"), IPv6: netip.MustParseAddr("2001:db8::7"), Gateway: netip.MustParseAddr("192.0.2.1"),
}

// movedWith calls test with a daemon that was at home, with these addresses, and has
// joined another network. The interface has the same addresses still.
func movedWith(t *testing.T, a wifi.Addresses, test func(*bench)) {
	run(t, proven("home"), func(b *bench) {
		b.join(nil)
		b.expect(gateway.Connecting, gateway.Connected)
		b.Addresses(a)
		b.shows("home", atHome)
		b.connect("A", "office")
		b.join(nil)
		b.expect(gateway.Connecting, gateway.Connected)
		b.shows("office", wifi.Addresses{})
		test(b)
	})
}

// shows fails if another network or other addresses are shown.
func (b *bench) shows(ssid wifi.SSID, want wifi.Addresses) {
	b.t.Helper()
	now := b.settled()
	if now.Network == nil || now.Network.SSID != ssid || now.Addresses != want {
		b.t.Fatalf("shown: %+v with %+v, want %s with %+v", now.Network, now.Addresses, ssid, want)
	}
}

func (b *bench) reason(want wifi.Failure) {
	b.t.Helper()
	if now := b.settled(); now.Reason != want {
		b.t.Errorf("reason %s, want %s", now.Reason, want)
	}
}

// TestAddressOfFormerNetwork: what another network gave does not count, and that
// none came is told.
func TestAddressOfFormerNetwork(t *testing.T) {
	given := atHome
	given.IPv4Given, given.IPv6Given = 100, 100
	movedWith(t, given, func(b *bench) {
		time.Sleep(31 * time.Second)
		b.reason(wifi.FailureNoAddress)
		b.Addresses(wifi.Addresses{IPv6: given.IPv6, IPv6Given: 100}) // dropped one by one
		b.shows("office", wifi.Addresses{})
		b.Addresses(wifi.Addresses{})
		b.shows("office", wifi.Addresses{})
		b.Addresses(given) // the two networks give the same ones
		b.shows("office", atHome)
		b.reason(wifi.FailureNone)
	})
}

// TestAddressesDroppedAtOnce: the same with addresses that carry no time: the
// interface loses them before they would count as its own.
func TestAddressesDroppedAtOnce(t *testing.T) {
	movedWith(t, atHome, func(b *bench) {
		b.Addresses(wifi.Addresses{IPv6: atHome.IPv6})
		b.shows("office", wifi.Addresses{})
		b.Addresses(wifi.Addresses{})
		b.shows("office", wifi.Addresses{})
		b.Addresses(atHome)
		b.shows("office", atHome)
	})
}

// TestLeaseOfFormerNetwork: a DHCP client that keeps the other network's lease does
// not make this one give an address. Its renewal does.
func TestLeaseOfFormerNetwork(t *testing.T) {
	leased := atHome
	leased.IPv4Given, leased.IPv6Given = 100, 100
	movedWith(t, leased, func(b *bench) {
		time.Sleep(formerFor + time.Second)
		b.shows("office", wifi.Addresses{})
		leased.IPv4Given = 200
		b.Addresses(leased)
		b.shows("office", wifi.Addresses{IPv4: atHome.IPv4, Gateway: atHome.Gateway})
	})
}

// TestAddressOfItsOwn: an address that stays is the administrator's.
func TestAddressOfItsOwn(t *testing.T) {
	movedWith(t, atHome, func(b *bench) {
		time.Sleep(formerFor - time.Millisecond)
		b.shows("office", wifi.Addresses{})
		time.Sleep(time.Millisecond)
		b.shows("office", atHome)
	})
}

// TestAddressBeforeJoined: the DHCP client is quicker than the back-end's answer about
// what was joined. The lease is of the new network all the same.
func TestAddressBeforeJoined(t *testing.T) {
	run(t, proven("home"), func(b *bench) {
		b.join(nil)
		b.expect(gateway.Connecting, gateway.Connected)
		b.Addresses(wifi.Addresses{IPv4: atHome.IPv4, IPv4Given: 100})
		b.shows("home", wifi.Addresses{IPv4: atHome.IPv4})
		b.connect("A", "office")
		wait(t, b.air.joins, "join")
		b.Addresses(wifi.Addresses{}) // the carrier was lost
		lease := wifi.Addresses{IPv4: netip.MustParseAddr("198.51.100.7")}
		given := lease
		given.IPv4Given = 500
		b.Addresses(given)
		b.settled()
		b.air.out <- nil
		b.expect(gateway.Connecting, gateway.Connected)
		b.shows("office", lease)
	})
}

// TestSameNetworkAgain: a link that is lost for a moment costs no address.
func TestSameNetworkAgain(t *testing.T) {
	run(t, proven("home"), func(b *bench) {
		b.join(nil)
		b.expect(gateway.Connecting, gateway.Connected)
		b.Addresses(atHome)
		b.air.link.lost <- "gone"
		b.expect(gateway.Provisioned, gateway.Connecting)
		if now := b.settled(); now.Addresses.Bound() {
			t.Errorf("no network is joined, and the addresses are %+v", now.Addresses)
		}
		b.join(nil)
		b.expect(gateway.Connected)
		b.shows("home", atHome)
	})
}
