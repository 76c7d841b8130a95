package wpa

import (
	"context"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const (
	lookPause  = 10 * time.Second // between two scans ahead: whoever connects can cause one
	lookWithin = 15 * time.Second // a scan ahead, and the wait for its turn
	wantedFor  = time.Minute      // a central that connected before Wi-Fi could be used
)

// ahead is the policy of scanning ahead of a Join that is likely to come. It belongs to
// the owner.
type ahead struct {
	looked    time.Time // when the last scan for all networks began
	lookedFor time.Time // when the last scan for one network began
	wanted    time.Time // when the first was last asked for; zero: it was done
	running   int       // scans ahead, and waits for their turn
}

// prepare scans ahead of a Join of ssid, or of a network that is not known yet.
func (o *owner) prepare(ssid wifi.SSID) {
	if ssid != "" {
		o.lookFor(ssid)
		return
	}
	o.ahead.wanted = time.Now()
	o.look()
}

// lookLate does, when networks can be joined, what could not be done before.
func (o *owner) lookLate() {
	if time.Since(o.ahead.wanted) < wantedFor {
		o.look()
	}
}

// look scans for all networks, unless one is joined, something else is under way, or
// that was done a moment ago.
func (o *owner) look() {
	v := o.view.Load()
	if v.problem != "" || o.link != nil || time.Since(o.ahead.looked) < lookPause {
		return
	}
	select {
	case t := <-o.turns:
		o.ahead.looked = time.Now()
		o.goLook(v, func(ctx context.Context) {
			defer o.give(t)
			s := scanner{o.Client, v.dev}
			if err := s.hear(ctx, t); err != nil {
				s.endedEarly(err)
				return
			}
			o.inbox.post(func(o *owner) { o.ahead.wanted = time.Time{} })
		})
	default:
	}
}

// lookFor scans for ssid by its name, as for a network that hides, unless that network
// was heard lately. It does so while another network is joined, too, but not if the
// last time was a moment ago.
func (o *owner) lookFor(ssid wifi.SSID) {
	v := o.view.Load()
	if v.problem != "" || time.Since(o.ahead.lookedFor) < lookPause {
		return
	}
	o.ahead.lookedFor = time.Now()
	o.goLook(v, func(ctx context.Context) {
		t, err := o.take(ctx)
		if err != nil {
			return
		}
		defer o.give(t)
		s := scanner{o.Client, v.dev}
		if err := s.call(ctx, t, ssid); err != nil {
			s.endedEarly(err)
		}
	})
}

// goLook runs a scan ahead, which the next Leave ends.
func (o *owner) goLook(v *view, scan func(context.Context)) {
	o.ahead.running++
	ctx, cancel := context.WithTimeout(o.ctx, lookWithin)
	release := context.AfterFunc(v.scans.ctx, cancel)
	o.others.Go(func() {
		defer o.inbox.post(func(o *owner) { o.ahead.running-- })
		defer cancel()
		defer release()
		scan(ctx)
	})
}

// endScans ends the scans ahead and those of Scan.
func (o *owner) endScans() {
	now := *o.view.Load()
	now.scans.end()
	now.scans = newScans()
	o.view.Store(&now)
}
