package daemon

import (
	"net/netip"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/fsm"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// formerFor is for how long after a join an address that was there before does not
// count although it was given for good. Not all DHCP clients drop a lease at once, or
// see that the network is another one.
const formerFor = 3 * time.Second

// addresses tells which of the interface's addresses the joined network gave. One that
// the interface had when it left another network is that network's, until it goes away
// or is renewed.
type addresses struct {
	all    wifi.Addresses // that the interface has
	former wifi.Addresses // those among them that another network gave
}

// changed takes in what the interface has now.
func (a *addresses) changed(all wifi.Addresses) {
	a.all = all
	a.former = without(a.former, without(a.former, all))
}

// left: the network was left or lost.
func (a *addresses) left() { a.former = a.all }

// joined: a network was joined; the same is whether it is the one that was left.
func (a *addresses) joined(same bool) {
	if same {
		a.former = wifi.Addresses{}
	}
}

// settled: what is still there counts if it was given for good; a lease counts only
// once it is renewed.
func (a *addresses) settled() {
	if a.former.IPv4Given == 0 {
		a.former.IPv4 = netip.Addr{}
	}
	if a.former.IPv6Given == 0 {
		a.former.IPv6 = netip.Addr{}
	}
}

// own returns the addresses that count, and the gateway that is reached with them.
func (a *addresses) own() wifi.Addresses {
	own := without(a.all, a.former)
	if own.Gateway.Is4() && !own.IPv4.IsValid() || own.Gateway.Is6() && !own.IPv6.IsValid() {
		own.Gateway = netip.Addr{}
	}
	own.IPv4Given, own.IPv6Given = 0, 0
	return own
}

// without returns a without the addresses that other has, too, given at the same time.
func without(a, other wifi.Addresses) wifi.Addresses {
	if a.IPv4 == other.IPv4 && a.IPv4Given == other.IPv4Given {
		a.IPv4, a.IPv4Given = netip.Addr{}, 0
	}
	if a.IPv6 == other.IPv6 && a.IPv6Given == other.IPv6Given {
		a.IPv6, a.IPv6Given = netip.Addr{}, 0
	}
	return a
}

// addressed takes in what the interface has. Phones are shown the addresses before the
// reason can change because of them.
func (l *loop) addressed(all wifi.Addresses) {
	l.addresses.changed(all)
	l.publish()
	l.bind()
}

func (l *loop) settled(link wifi.Link) {
	if l.link == link {
		l.addresses.settled()
		l.publish()
		l.bind()
	}
}

// bind tells the machine whether there is an address.
func (l *loop) bind() {
	switch bound := l.addresses.own().Bound(); {
	case bound && !l.state.Address.Bound:
		l.step(fsm.AddressBound{})
	case !bound && l.state.Address.Bound:
		l.step(fsm.AddressLost{})
	}
}
