package wpa

import (
	"context"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const (
	idleFirst  = 10 * time.Second  // without a network, until the first scan that nobody asked for
	idlePause  = 150 * time.Second // between two of those: what was heard is never older than knownAge
	lookPause  = 10 * time.Second  // between two scans ahead: anybody in range can cause one
	lookWithin = 15 * time.Second  // a scan ahead, and the wait for its turn
	wantedFor  = time.Minute       // how long a scan that could not be done is made up for
)

// ahead is the policy of scanning ahead of a Join that is likely to come. It belongs to
// the owner.
type ahead struct {
	idle      time.Time // when the next scan that nobody asked for is due; zero: none is
	looked    time.Time // when the last scan for all networks began
	heard     time.Time // when the last one that was not cut short ended
	lookedFor time.Time // when the last scan for one network began
	wanted    time.Time // when a scan for all networks was asked for; zero: it was done
	running   int       // scans ahead, and waits for their turn
	scans     *scans    // those that the next Join may cut short; nil: none
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

// plan decides when the next scan that nobody asks for is due: while no network is joined,
// the radio has nothing better to do, and a Join then finds the network at once.
func (a *ahead) plan(o *owner, now time.Time) {
	switch {
	case !o.cfg.ScanIdle || o.link != nil || o.view.Load().problem != "":
		a.idle = time.Time{}
	case a.idle.IsZero():
		a.idle = now.Add(o.times.idleFirst)
	case !now.Before(a.idle):
		a.idle = now.Add(o.times.idlePause)
		a.look(o)
	}
}

// cut ends the scans ahead that run if they are not needed: a Join begins, and what there
// is was heard in the last minutes.
func (a *ahead) cut() {
	if a.scans != nil && time.Since(a.heard) < knownAge {
		a.scans.end()
		a.scans = nil
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
			o.inbox.post(func(*owner) { a.wanted, a.heard = time.Time{}, time.Now() })
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

// goLook runs a scan ahead, which the next Leave ends, and a Join may.
func (a *ahead) goLook(o *owner, v *view, scan func(context.Context)) {
	a.running++
	ctx, cancel := context.WithTimeout(o.ctx, lookWithin)
	if a.scans == nil {
		a.scans = newScans()
	}
	left, cut := context.AfterFunc(v.scans.ctx, cancel), context.AfterFunc(a.scans.ctx, cancel)
	o.others.Go(func() {
		defer o.inbox.post(func(*owner) { a.running-- })
		defer cancel()
		defer left()
		defer cut()
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
