package daemon

import (
	"context"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/fsm"
	"github.com/wifiprovd/wifiprovd/internal/profile/native"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// request is an event that a phone waits for.
type request struct {
	event fsm.Event
	reply chan error
}

// Busy reports whether a write of central is to be answered In Progress.
func (d *Daemon) Busy(central string) bool { return d.snapshot.Load().BusyFor(central) }

// Connect starts an attempt with creds, which it wipes. It returns native.ErrBusy
// when another central's attempt is running, or the store or wpa_supplicant do not
// follow.
func (d *Daemon) Connect(central string, creds wifi.Credentials) error {
	return d.ask(fsm.ConnectRequested{Central: central, Credentials: creds})
}

// Erase starts to erase everything. It returns native.ErrBusy when another
// central's attempt is running. Without a central it is the operator's, and ends
// every attempt: then native.ErrBusy means that the daemon is starting or ending, or
// much work waits.
func (d *Daemon) Erase(central string) error {
	if central != "" {
		d.Log.Info("ERASE was asked for by "+central, "central", central)
		d.eraser.Store(&central)
	}
	return d.ask(fsm.EraseRequested{Central: central})
}

// ask waits for the loop's answer. The loop never blocks, so the deadline is only
// met when the daemon is ending or wedged.
func (d *Daemon) ask(event fsm.Event) error {
	timeout := time.NewTimer(askTimeout)
	defer timeout.Stop()
	r := request{event: event, reply: make(chan error, 1)}
	select {
	case d.requests <- r:
	case <-d.done:
		wipeEvent(event)
		return native.ErrBusy
	case <-timeout.C:
		wipeEvent(event)
		return native.ErrBusy
	}
	return <-r.reply
}

// answer carries a request out and answers it. Whatever its outcome, the phone's
// copy of the secret ends before.
func (d *Daemon) answer(ctx context.Context, r request) {
	accepted := false
	if max(len(d.storeWork), len(d.wifiWork)) < maxBacklog { // each request leaves work to them
		accepted = d.step(ctx, r.event)
	}
	wipeEvent(r.event)
	if !accepted {
		r.reply <- native.ErrBusy
		return
	}
	r.reply <- nil
}

func wipeEvent(event fsm.Event) {
	if e, ok := event.(fsm.ConnectRequested); ok {
		e.Credentials.Wipe()
	}
}
