package daemon

import (
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// TestNetworkIsShown: the network when it is joined, when it has an address, and when
// it is lost; and that no address comes, while the status stays as it is.
func TestNetworkIsShown(t *testing.T) {
	run(t, proven("home"), func(b *bench) {
		b.join(nil)
		b.expect(gateway.Connecting, gateway.Connected)
		if now := b.settled(); now.Network.SSID != "home" || now.Network.SignalDBm != 0 || now.Addresses.Bound() || now.Joined.IsZero() {
			t.Errorf("joined, and shown %+v", now)
		}
		b.Addresses(wifi.Addresses{})
		time.Sleep(31 * time.Second)
		if now := b.settled(); now.Reason != wifi.FailureNoAddress || now.Status != gateway.Connected {
			t.Errorf("without an address: %s, %s", now.Status, now.Reason)
		}
		b.Addresses(atHome)
		if now := b.settled(); now.Addresses != atHome || now.Reason != wifi.FailureNone || now.Message != "an address came" {
			t.Errorf("bound, and shown %+v", now)
		}
		link := b.air.link
		link.change(func(n *wifi.Network) { n.SignalDBm = -42 })
		looks := link.looks
		for range 5 { // a moment apart: it is looked at once
			b.Refresh()
		}
		if now := b.settled(); now.Network.SignalDBm != -42 || link.looks != looks+1 {
			t.Errorf("asked for, and shown %+v after %d looks", now.Network, link.looks-looks)
		}
		link.lost <- "gone"
		b.expect(gateway.Provisioned)
		if now := b.settled(); now.Network != nil || now.Message != "gone" {
			t.Errorf("lost, and shown %+v", now)
		}
	})
}

// TestRoaming: the access point that the gateway roams to is shown to everybody,
// without being asked for.
func TestRoaming(t *testing.T) {
	run(t, proven("home"), func(b *bench) {
		b.join(nil)
		b.expect(gateway.Connecting, gateway.Connected)
		before := b.settled()
		b.air.link.change(func(n *wifi.Network) { n.BSSID, n.FrequencyMHz = "02:00:00:00:00:02", 5180 })
		b.air.link.roamed <- struct{}{}
		now := b.settled()
		if now.Network.BSSID != "02:00:00:00:00:02" || now.Turn != before.Turn || !now.Joined.Equal(before.Joined) {
			t.Errorf("roamed, and shown %+v", now)
		}
		if before.Network.BSSID != "02:00:00:00:00:01" {
			t.Error("a published Snapshot has changed")
		}
	})
}

// TestLossOfAFormerLink: what becomes of a link that another attempt has replaced is no
// news.
func TestLossOfAFormerLink(t *testing.T) {
	run(t, proven("home"), func(b *bench) {
		b.join(nil)
		b.expect(gateway.Connecting, gateway.Connected)
		former := b.air.link
		b.connect("A", "office")
		b.join(nil)
		b.expect(gateway.Connecting, gateway.Connected)
		former.lost <- "too late"
		if now := b.settled(); now.Status != gateway.Connected || now.Network.SSID != "office" {
			t.Errorf("got %s on %v", now.Status, now.Network)
		}
	})
}
