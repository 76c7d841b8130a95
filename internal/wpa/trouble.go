package wpa

import (
	"context"
	"fmt"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

const silent = "wpa_supplicant does not answer; restart it with: systemctl restart wpa_supplicant"

// trouble is what keeps wpa_supplicant from being used. It belongs to the owner.
type trouble struct {
	missing string  // why wpa_supplicant or the interface is not there
	none    string  // why there is no interface to look for; empty: there is one
	moved   bool    // the interface that there was may be another one now
	retry   backoff // until it is looked for again
	pinged  bool    // wpa_supplicant is being asked whether it answers
	silent  bool    // it does not
}

// backoff is a deadline that moves further away each time.
type backoff struct {
	at    time.Time // zero: now
	pause time.Duration
}

func (b *backoff) start(t times) {
	b.pause = min(max(2*b.pause, t.firstRetry), t.lastRetry)
	b.at = time.Now().Add(b.pause)
}

// found takes in which interface there is, or why there is none. NetworkManager has to be asked
// whether it manages one of another name, before wpa_supplicant is asked to take it over; only
// then is it news that there is one.
func (t *trouble) found(m *manager, name, none string, pause times) {
	if none != "" {
		if none != t.none {
			t.retry = backoff{} // something happens: there may soon be one
		}
		t.none = none
		t.retry.start(pause)
		return
	}
	if other := m.On(name); other != m.Manager {
		*m = manager{Manager: other, stale: true}
		t.retry = backoff{}
	}
}

// move turns to the interface that is there now, if it is another one, or to none. wpa_supplicant
// keeps one that is gone, for when it comes back under the same name.
func (t *trouble) move(o *owner) question {
	dev, known, managed := o.station.dev, o.manager.Interface(), o.manager.managed
	return func(ctx context.Context) func() {
		name, none := o.cfg.Interface()
		switch {
		case none == "" && name == known:
			return func() { t.moved = false }
		case none == "" && !managed:
			_ = dev.remove(ctx) // it may have gone by itself
		}
		return func() {
			t.moved = false
			o.detach(known + " is gone; turning to " + name)
			t.found(&o.manager, name, none, o.times) // where there is none, attach asks again and again
		}
	}
}

// problem says why networks cannot be joined, and what to do; empty: they can.
func (o *owner) problem() string {
	switch wrong := o.manager.mismatch(o.cfg, time.Now()); {
	case o.station == nil && o.trouble.none != "":
		return o.trouble.none
	case wrong != "":
		return wrong // whatever else there is follows from it, or can wait
	case o.station == nil:
		return o.trouble.missing
	case o.trouble.silent:
		return silent
	case o.manager.managed:
		return o.managedRadio(o.manager.device)
	}
	return o.station.radio
}

// attach looks for wpa_supplicant and the interface and, if they are not there, does so
// again later.
func (o *owner) attach() question {
	managed, known := o.manager.managed, o.manager.Interface()
	return func(ctx context.Context) func() {
		if name, none := o.cfg.Interface(); none != "" || name != known {
			return func() { o.trouble.found(&o.manager, name, none, o.times) }
		}
		s, err := o.findStation(ctx, o.conn, managed)
		if err != nil {
			why := o.explain(err)
			return func() {
				o.trouble.none = ""
				o.cfg.Log.Debug("cannot use wpa_supplicant", "interface", o.view.Load().iface(), "err", msgbus.Plain(err))
				o.trouble.missing = why
				o.trouble.retry.start(o.times)
			}
		}
		s.radio = o.radioTrouble(s.state)
		return func() {
			o.station, o.trouble.none = s, ""
			o.trouble.retry, o.trouble.silent = backoff{}, false
		}
	}
}

// detach forgets the interface, which is gone.
func (o *owner) detach(why string) {
	o.station = nil
	o.trouble.missing = why
	o.trouble.retry.start(o.times)
}

// sweepNetworks does what a Leave had to put off.
func (o *owner) sweepNetworks() question {
	dev, managed := o.station.dev, o.manager.managed
	return func(ctx context.Context) func() {
		var err error
		if managed {
			err = o.manager.Clear(ctx)
		} else {
			_, err = dev.call(ctx, "RemoveAllNetworks", nil)
		}
		return func() {
			o.sweep = false
			if err != nil {
				o.cfg.Log.Warn("cannot remove the networks", "interface", o.view.Load().iface(), "err", msgbus.Plain(err))
			}
		}
	}
}

// ping asks wpa_supplicant until it answers or ends, and notes whether it does.
func (o *owner) ping() {
	if o.trouble.pinged || o.station == nil {
		return
	}
	o.trouble.pinged = true
	dev := o.station.dev
	o.others.Go(func() {
		for {
			answers := dev.answers(o.ctx, o.view.Load().iface())
			over := answers || o.ctx.Err() != nil || o.isGone(dev)
			o.inbox.post(func(o *owner) {
				o.trouble.pinged = !over
				o.trouble.silent = !over && o.station != nil && o.station.dev == dev
			})
			if over {
				return
			}
		}
	})
}

// explain says in words why the interface could not be had, and what to do.
func (c *Client) explain(err error) string {
	switch name := msgbus.ErrorName(err); {
	case name == errIfaceUnknown:
		if why := c.radioProblem(); why != "" {
			return why
		}
		return fmt.Sprintf("NetworkManager has not given %s to wpa_supplicant; if it uses iwd, which tells nobody why a network was not joined, set wifi.backend=wpa_supplicant in NetworkManager.conf", c.view.Load().iface())
	case name == errUnknown || name == errIfaceExists:
		if why := c.radioProblem(); why != "" {
			return why
		}
		return fmt.Sprintf("wpa_supplicant cannot use %s; is another wpa_supplicant or iwd using it?", c.view.Load().iface())
	case name == msgbus.ErrorPrefix+"AccessDenied":
		return "the message bus does not let this program use wpa_supplicant; it must run as root"
	case msgbus.Unanswered(err):
		return silent
	}
	return "wpa_supplicant is not running; start it with: systemctl start wpa_supplicant"
}
