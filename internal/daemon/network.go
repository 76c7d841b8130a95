package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/fsm"
	"github.com/wifiprovd/wifiprovd/internal/netaddr"
	"github.com/wifiprovd/wifiprovd/internal/profile/details"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Details shows phones the network and what is around; internal/profile/details
// is one. None of it blocks.
type Details interface {
	PublishNetwork(n *details.Network) // nil: none is joined
	Scanned(found []wifi.Offer, err error)
}

// Deadlines of what a phone asks for.
const (
	aroundTimeout  = 30 * time.Second // a Look or an attempt may run first
	refreshTimeout = 5 * time.Second
	refreshPause   = time.Second // each read of a phone asks for one
)

// formerFor is for how long after a join the addresses that the interface had on
// another network do not count. Not all DHCP clients drop them at once, or see that
// the network is another one. What is still there after that counts if it was given
// for good; else only once it is renewed.
const formerFor = 3 * time.Second

var epoch = time.Now() // what times are counted from

// joinedNetwork is the network that phones are shown. It belongs to the loop.
type joinedNetwork struct {
	link      bool
	network   wifi.Network
	since     time.Time
	addresses netaddr.State // of the interface
	left      netaddr.State // what it had when the network before was left or lost
	former    netaddr.State // those among them that another network gave
	settled   *time.Timer   // when those of them count that were given for good
}

// own returns the addresses that count, and the gateway that is reached with them.
func (n *joinedNetwork) own() netaddr.State {
	s := without(n.addresses, n.former)
	if s.Gateway.Is4() && !s.IPv4.IsValid() || s.Gateway.Is6() && !s.IPv6.IsValid() {
		s.Gateway = netip.Addr{}
	}
	s.IPv4Given, s.IPv6Given = 0, 0
	return s
}

// without returns s without the addresses that other has, too, given at the same time.
func without(s, other netaddr.State) netaddr.State {
	if s.IPv4 == other.IPv4 && s.IPv4Given == other.IPv4Given {
		s.IPv4, s.IPv4Given = netip.Addr{}, 0
	}
	if s.IPv6 == other.IPv6 && s.IPv6Given == other.IPv6Given {
		s.IPv6, s.IPv6Given = netip.Addr{}, 0
	}
	return s
}

// leased returns the addresses of s that are for a time.
func leased(s netaddr.State) netaddr.State {
	if s.IPv4Given == 0 {
		s.IPv4 = netip.Addr{}
	}
	if s.IPv6Given == 0 {
		s.IPv6 = netip.Addr{}
	}
	return s
}

// disown is called before an event is handled. If that is the join of another
// network than the last one, what the interface has is of the last one.
func (d *Daemon) disown(ctx context.Context, event fsm.Event) {
	n := &d.network
	joined, ok := event.(fsm.Joined)
	if !ok || joined.Attempt != d.state.Attempt || n.network.SSID == "" || n.network.SSID == joined.Network.SSID {
		return
	}
	n.former = without(n.left, without(n.left, n.addresses))
	n.settled.Reset(formerFor)
	d.bind(ctx)
}

// followLink notes that a network was joined or lost, as the state says after event.
func (d *Daemon) followLink(event fsm.Event) {
	n := &d.network
	joined, ok := event.(fsm.Joined)
	switch {
	case ok && d.state.Link && joined.Attempt == d.state.Attempt:
		n.link, n.network, n.since = true, joined.Network, time.Now()
	case n.link && !d.state.Link:
		n.link, n.left = false, n.addresses
	default:
		return
	}
	d.publishNetwork()
}

func (d *Daemon) publishNetwork() {
	n := d.network
	if !n.link {
		d.Details.PublishNetwork(nil)
		return
	}
	own := n.own()
	d.Details.PublishNetwork(&details.Network{
		Network: n.network, Since: n.since, IPv4: own.IPv4, IPv6: own.IPv6, Gateway: own.Gateway,
	})
}

// Addresses reports what the Wi-Fi interface has.
func (d *Daemon) Addresses(state netaddr.State) {
	select {
	case d.bound <- state:
	case <-d.done:
	}
}

// addressed notes what the interface has, and what of it counts.
func (d *Daemon) addressed(ctx context.Context, state, former netaddr.State) {
	n := &d.network
	before := n.own()
	n.addresses = state
	n.former = without(former, without(former, state))
	switch own := n.own(); {
	case own == before:
	case own.Bound():
		d.Log.Info("address of the Wi-Fi interface: " + inWords(own))
	case before.Bound():
		d.Log.Info("the Wi-Fi interface has no address any more")
	}
	d.publishNetwork()
	d.bind(ctx)
	d.tellOperators()
}

// bind tells the state machine whether there is an address. Phones have been told
// before the status can change because of it.
func (d *Daemon) bind(ctx context.Context) {
	switch bound := d.network.own().Bound(); {
	case bound && !d.state.Bound:
		d.step(ctx, fsm.AddressBound{})
	case !bound && d.state.Bound:
		d.step(ctx, fsm.AddressLost{})
	}
}

// inWords lists the addresses that are there.
func inWords(state netaddr.State) string {
	var words []string
	for _, a := range []netip.Addr{state.IPv4, state.IPv6} {
		if a.IsValid() {
			words = append(words, a.String())
		}
	}
	if state.Gateway.IsValid() {
		words = append(words, "gateway "+state.Gateway.String())
	}
	return strings.Join(words, ", ")
}

// LookAround looks for networks, and shows phones what it found.
func (d *Daemon) LookAround() {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), aroundTimeout)
		defer cancel()
		found, err := d.Supplicant.Around(ctx)
		if err != nil {
			d.Log.Warn("a phone asked for the networks around; they cannot be told", "err", err)
		} else {
			d.Log.Info(fmt.Sprintf("a phone asked for the networks around: %d were heard", len(found)))
		}
		d.Details.Scanned(found, err)
	}()
}

// Refresh looks at the joined network again, unless that was done a moment ago.
func (d *Daemon) Refresh() {
	now := time.Since(epoch).Nanoseconds()
	last := d.refreshed.Load()
	if last != 0 && now-last < refreshPause.Nanoseconds() || !d.refreshed.CompareAndSwap(last, now) {
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), refreshTimeout)
		defer cancel()
		n, err := d.Supplicant.Current(ctx)
		if err != nil {
			d.Log.Debug("the joined network is not known", "err", err)
			return
		}
		select {
		case d.seen <- n:
		case <-d.done:
		}
	}()
}

// refresh notes how the joined network is now.
func (d *Daemon) refresh(n wifi.Network) {
	if d.network.link && d.network.network.SSID == n.SSID {
		d.network.network = n
		d.publishNetwork()
	}
}
