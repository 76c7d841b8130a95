package daemon

import (
	"context"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/fsm"
	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const (
	refreshTimeout = 5 * time.Second
	refreshPause   = time.Second // each read of a phone asks for a refresh
)

// joining shows the attempt whose join begins, unless it was superseded.
func (l *loop) joining(t gateway.Trying) {
	if l.state.Attempt.Number == t.Begun {
		l.draft.Trying = t
		l.publish()
	}
}

// joined takes over the link that an attempt has made, unless the attempt was
// superseded: whatever did so ends the link.
func (l *loop) joined(number uint64, link wifi.Link, n wifi.Network) {
	if l.state.Attempt.Phase != gateway.Joining || l.state.Attempt.Number != number {
		return
	}
	last := l.draft.Network
	l.addresses.joined(last == nil || last.SSID == n.SSID)
	l.link, l.draft.Network, l.draft.Joined = link, &n, time.Now()
	l.bind()
	l.step(fsm.Ended{Attempt: number})
	l.follow(link)
	time.AfterFunc(formerFor, func() { l.post(func(l *loop) { l.settled(link) }) })
}

// follow has the follower turn to link, if it has not yet turned to the one before.
func (l *loop) follow(link wifi.Link) {
	select {
	case <-l.links:
	default:
	}
	l.links <- link
}

// followLinks reports what becomes of the latest link, until ctx ends.
func (d *Daemon) followLinks(ctx context.Context) error {
	var link wifi.Link
	var roamed <-chan struct{}
	var lost <-chan string
	for {
		select {
		case <-ctx.Done():
			return nil
		case link = <-d.links:
			roamed, lost = link.Roamed(), link.Lost()
		case <-roamed:
			go d.look(ctx, link)
		case detail, ok := <-lost:
			if ok {
				d.post(func(l *loop) { l.linkLost(link, detail) })
			}
			roamed, lost = nil, nil
		}
	}
}

func (l *loop) linkLost(link wifi.Link, detail string) {
	if l.link == link {
		l.step(fsm.LinkLost{Detail: detail})
	}
}

// refresh has the joined network looked at, unless that was done a moment ago.
func (l *loop) refresh() {
	if l.link == nil || time.Since(l.refreshed) < refreshPause {
		return
	}
	l.refreshed = time.Now()
	go l.look(l.ctx, l.link)
}

// look asks how the joined network is now.
func (d *Daemon) look(ctx context.Context, link wifi.Link) {
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	n, err := link.Network(ctx)
	if err != nil {
		d.cfg.Log.Debug("cannot look at the joined network", "err", err)
		return
	}
	d.post(func(l *loop) {
		if l.link == link && l.draft.Network.SSID == n.SSID {
			l.draft.Network = &n
			l.publish()
		}
	})
}
