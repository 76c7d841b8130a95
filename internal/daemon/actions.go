package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/fsm"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
	"github.com/wifiprovd/wifiprovd/internal/wpa"
)

// perform starts an action. What is slow goes to a worker and answers with an
// event.
func (d *Daemon) perform(ctx context.Context, action fsm.Action) {
	switch a := action.(type) {
	case fsm.Refuse: // step has seen it
	case fsm.Publish:
		d.publish(a)
	case fsm.Explain:
		d.explain(a)
	case fsm.SaveCandidate:
		d.saveCandidate(ctx, a)
	case fsm.DropCandidate:
		d.inStore("the candidate cannot be dropped from the store", d.vault.dropCandidate)
	case fsm.Join:
		d.join(ctx, a)
	case fsm.CancelJoin:
		d.cancelJoin()
		d.wifiWork.do(func() { _ = d.leave(ctx) }) // it was told
	case fsm.Promote:
		d.logJoined(a.Network)
		d.storeWork.do(func() {
			failure, detail := outcome(d.vault.promote(a.Network.Hint()))
			d.tell(fsm.Promoted{Attempt: a.Attempt, Failure: failure, Detail: detail})
		})
	case fsm.Remember:
		d.logJoined(a.Network)
		d.inStore("where the network was found cannot be stored", func() error { return d.vault.remember(a.Network.Hint()) })
	case fsm.Erase:
		d.erase(ctx, a)
	case fsm.ForgetBonds:
		d.Log.Info("erased: the stored credentials are gone, the network is left, the bonds follow", messageIDKey, MessageErased)
		time.AfterFunc(forgetAfter, func() { d.forgetBonds(ctx) })
	case fsm.StartTimer:
		d.stopTimer(a.Kind)
		d.timers[a.Kind] = time.AfterFunc(a.After, func() { d.tell(fsm.TimerFired{Kind: a.Kind, ID: a.ID}) })
	case fsm.StopTimer:
		d.stopTimer(a.Kind)
	case fsm.Advertise:
		if !a.On {
			d.Log.Info("advertising ends: the network is joined and bluetooth.keep_after_connect is false; it comes back with an erase or a lost link")
		}
		d.Peripheral.Advertise(a.On)
	default:
		panic(fmt.Sprintf("internal error: the daemon cannot perform %T", action))
	}
}

func (d *Daemon) stopTimer(kind fsm.TimerKind) {
	if t := d.timers[kind]; t != nil {
		t.Stop()
	}
}

// inStore does work whose outcome nothing waits for.
func (d *Daemon) inStore(complaint string, work func() error) {
	d.storeWork.do(func() {
		if err := work(); err != nil {
			d.Log.Error(complaint, "err", err)
		}
	})
}

// outcome turns an error into what an event carries.
func outcome(err error) (wifi.Failure, string) {
	var e *wifi.Error
	switch {
	case err == nil:
		return wifi.FailureNone, ""
	case errors.As(err, &e) && e.Err == nil:
		return e.Failure, e.Detail
	case errors.As(err, &e):
		return e.Failure, fmt.Sprintf("%s: %v", e.Detail, e.Err)
	}
	return wifi.FailureInternal, err.Error()
}

func (d *Daemon) saveCandidate(ctx context.Context, a fsm.SaveCandidate) {
	creds := a.Credentials.Clone() // the request's own are wiped when it is answered
	d.storeWork.do(func() {
		defer creds.Wipe()
		failure, detail := outcome(d.vault.saveCandidate(creds))
		d.tell(fsm.Saved{Attempt: a.Attempt, Failure: failure, Detail: detail})
	})
}

// join ends the attempt that may be running and queues the next one behind it.
func (d *Daemon) join(ctx context.Context, a fsm.Join) {
	d.cancelJoin()
	attempt, cancel := context.WithCancel(ctx)
	d.cancelJoin = cancel
	adopt := a.Slot == fsm.Active && !d.joined
	d.joined = true
	d.wifiWork.do(func() {
		defer cancel()
		network, err := d.tryJoin(attempt, a.Slot, adopt)
		if err != nil {
			failure, detail := outcome(err)
			d.tell(fsm.JoinFailed{Attempt: a.Attempt, Failure: failure, Detail: detail})
			return
		}
		d.tell(fsm.Joined{Attempt: a.Attempt, Network: network})
		d.Supplicant.Watch()
	})
}

func (d *Daemon) tryJoin(ctx context.Context, slot fsm.Slot, adopt bool) (wifi.Network, error) {
	if err := ctx.Err(); err != nil {
		return wifi.Network{}, err
	}
	entry, err := d.vault.get(slot)
	if err != nil {
		return wifi.Network{}, err
	}
	if entry == nil {
		return wifi.Network{}, &wifi.Error{Failure: wifi.FailureInternal, Detail: fmt.Sprintf("the store holds no %s credentials any more", slot)}
	}
	defer entry.Credentials.Wipe()
	ssid := entry.Credentials.SSID
	d.latestSSID.Store(&ssid)
	if d.Trying != nil {
		d.Trying(ssid)
	}
	d.Log.Info(fmt.Sprintf("connecting to %s with the %s credentials, security %s", ssid, slot, entry.Credentials.Security),
		"ssid", ssid, "security", entry.Credentials.Security)
	ctx, cancel := context.WithTimeout(ctx, d.ConnectTimeout)
	defer cancel()
	return d.Supplicant.Join(ctx, wpa.Request{Credentials: entry.Credentials, Hint: entry.Hint, Adopt: adopt})
}

func (d *Daemon) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	err := d.Supplicant.Leave(ctx)
	if err != nil {
		d.Log.Warn("the network cannot be left", "err", err)
	}
	return err
}

// leaveErased leaves the network after the store was erased. If the daemon ends
// before, or it fails, the next start does it.
func (d *Daemon) leaveErased(ctx context.Context) {
	if d.leave(ctx) != nil {
		return
	}
	if err := d.vault.left(); err != nil {
		d.Log.Error("the store cannot note that the network was left", "err", err)
	}
}

// erase empties the store first: if that fails, nothing else has changed.
func (d *Daemon) erase(ctx context.Context, a fsm.Erase) {
	d.storeWork.do(func() {
		failure, detail := outcome(d.vault.erase())
		if failure != wifi.FailureNone {
			d.tell(fsm.Erased{Attempt: a.Attempt, Failure: failure, Detail: detail})
			return
		}
		d.wifiWork.do(func() {
			d.leaveErased(ctx)
			d.tell(fsm.Erased{Attempt: a.Attempt})
		})
	})
}
