package wpa

import (
	"context"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const (
	lookPause  = 10 * time.Second // between two scans ahead: anybody in range can cause one
	lookWithin = 15 * time.Second // a scan ahead, and the wait for its turn
	wantedFor  = time.Minute      // how long a scan that could not be done is made up for
)

// ahead is the policy of scanning ahead of a Join that is likely to come. It belongs to
// the owner.
type ahead struct {
	looked    time.Time // when the last scan for all networks began
	lookedFor time.Time // when the last scan for one network began
	wanted    time.Time // when a scan for all networks was asked for; zero: it was done
	running   int       // scans ahead, and waits for their turn
}

// prepare scans ahead of a Join of ssid, or of a network that is not known yet.
func (a *ahead) prepare(o *owner, ssid wifi.SSID) {
	if ssid != "" {
		a.lookFor(o, ssid)
		return
	}
	a.wanted = time.Now()
	a.look(o)
}

// lookLate makes up for a scan that was asked for before networks could be joined.
func (a *ahead) lookLate(o *owner) {
	if time.Since(a.wanted) < wantedFor {
		a.look(o)
	}
}

// look scans for all networks, unless one is joined, something else is under way, or
// that was done a moment ago.
func (a *ahead) look(o *owner) {
	v := o.view.Load()
	if v.problem != "" || o.link != nil || time.Since(a.looked) < lookPause {
		return
	}
	select {
	case t := <-o.turns:
		a.looked = time.Now()
		a.goLook(o, v, func(ctx context.Context) {
			defer o.give(t)
			s := scanner{o.Client, v.dev}
			if err := s.hear(ctx, t); err != nil {
				s.endedEarly(err)
				return
			}
			o.inbox.post(func(*owner) { a.wanted = time.Time{} })
		})
	default:
	}
}

// lookFor scans for ssid by its name, as for a network that hides, unless that network
// was heard lately. It does so while another network is joined, too, but not if the
// last time was a moment ago.
func (a *ahead) lookFor(o *owner, ssid wifi.SSID) {
	v := o.view.Load()
	if v.problem != "" || time.Since(a.lookedFor) < lookPause {
		return
	}
	a.lookedFor = time.Now()
	a.goLook(o, v, func(ctx context.Context) {
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
func (a *ahead) goLook(o *owner, v *view, scan func(context.Context)) {
	a.running++
	ctx, cancel := context.WithTimeout(o.ctx, lookWithin)
	release := context.AfterFunc(v.scans.ctx, cancel)
	o.others.Go(func() {
		defer o.inbox.post(func(*owner) { a.running-- })
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
