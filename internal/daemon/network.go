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

var epoch = time.Now() // what times are counted from

// joinedNetwork is the network that phones are shown. It belongs to the loop.
type joinedNetwork struct {
	link      bool
	network   wifi.Network
	since     time.Time
	addresses netaddr.State
}

// followLink notes that a network was joined or lost, as the state says after event.
func (d *Daemon) followLink(event fsm.Event) {
	n := &d.network
	joined, ok := event.(fsm.Joined)
	switch {
	case ok && d.state.Link && joined.Attempt == d.state.Attempt:
		n.link, n.network, n.since = true, joined.Network, time.Now()
	case n.link && !d.state.Link:
		n.link = false
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
	d.Details.PublishNetwork(&details.Network{
		Network: n.network, Since: n.since,
		IPv4: n.addresses.IPv4, IPv6: n.addresses.IPv6, Gateway: n.addresses.Gateway,
	})
}

// Addresses reports what the Wi-Fi interface has.
func (d *Daemon) Addresses(state netaddr.State) {
	select {
	case d.bound <- state:
	case <-d.done:
	}
}

// addressed notes what the interface has. Phones are told before the status can
// change because of it.
func (d *Daemon) addressed(ctx context.Context, state netaddr.State) {
	before := d.network.addresses
	d.network.addresses = state
	switch {
	case state.Bound():
		d.Log.Info("address of the Wi-Fi interface: " + inWords(state))
	case before.Bound():
		d.Log.Info("the Wi-Fi interface has no address any more")
	}
	d.publishNetwork()
	switch {
	case state.Bound() && !d.state.Bound:
		d.step(ctx, fsm.AddressBound{})
	case !state.Bound() && d.state.Bound:
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
