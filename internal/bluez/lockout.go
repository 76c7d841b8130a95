package bluez

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"
)

// Each passkey that is shown is one guess for whoever asked for it, and one in a
// million is right. After freeGuesses without a bond, no more are shown for a
// while, to nobody: addresses cost an attacker nothing. The while doubles from
// firstLockout to longestLockout with each further guess, so that a phone of the
// owner's need not wait for long.
const (
	freeGuesses    = 3
	firstLockout   = 2 * time.Second
	longestLockout = time.Minute
	guessesForget  = time.Hour // without a guess
)

// lockout counts the passkeys that were shown since the last one was typed right.
type lockout struct {
	guesses int
	last    time.Time
	timer   *time.Timer // nil: passkeys are shown
}

// guess counts a passkey that is shown at now, and returns for how long no other
// one may be.
func (l *lockout) guess(now time.Time) time.Duration {
	if now.Sub(l.last) > guessesForget {
		l.guesses = 0
	}
	l.last = now
	l.guesses++
	if l.guesses < freeGuesses {
		return 0
	}
	return min(firstLockout<<min(l.guesses-freeGuesses, 10), longestLockout)
}

func (l *lockout) stop() {
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
}

// guessed notes that a passkey is shown, and stops showing them for a while if
// too many were.
func (p *Peripheral) guessed() {
	pause := p.lockout.guess(time.Now())
	if pause == 0 {
		return
	}
	p.log.Warn(fmt.Sprintf("pairing is locked for %s: %d passkeys were shown and none typed right yet; phones that have paired are served", pause, p.lockout.guesses))
	var timer *time.Timer
	timer = time.AfterFunc(pause, func() {
		p.inbox.post(func() {
			if p.lockout.timer == timer {
				p.unlock("the time is over")
			}
		})
	})
	p.lockout.timer = timer
}

func (p *Peripheral) unlock(why string) {
	if p.lockout.timer != nil {
		p.log.Info("pairing is allowed again: " + why)
	}
	p.lockout.stop()
}

// pairedByPasskey: a central has typed the passkey that it was shown.
func (p *Peripheral) pairedByPasskey() {
	p.unlock("a phone has paired")
	p.lockout.guesses = 0
}

// refusePairing ends a pairing for which no passkey is shown. The kernel would go
// on with it, and BlueZ has no answer that stops it (src/agent.c does not wait
// for one to DisplayPasskey). Disconnect and RemoveDevice take two seconds
// (src/device.c, DISCONNECT_TIMER), in which a passkey can be guessed; a device
// that is blocked is disconnected at once (device_block). It must not stay so:
// both requests are on their way before the first is answered, or written to
// BlueZ's disk.
func (p *Peripheral) refusePairing(device dbus.ObjectPath) {
	p.log.Debug("a pairing was refused while pairing is locked", "central", p.world.address(device))
	adapter, bonded := p.adapter, p.world.bonded(device)
	p.steps.running.Go(func() {
		err := p.bus.cut(device)
		if err == nil && !bonded {
			ctx, cancel := context.WithTimeout(p.bus.ctx, callTimeout)
			defer cancel()
			err = p.bus.removeDevice(ctx, adapter, device)
		}
		if err != nil && !isError(err, bluezError+"DoesNotExist") {
			p.log.Debug("the central of a refused pairing was not disconnected", "error", plain(err))
		}
	})
}

// cut disconnects a device at once, by blocking it for a moment.
func (b *bus) cut(device dbus.ObjectPath) error {
	ctx, cancel := context.WithTimeout(b.ctx, callTimeout)
	defer cancel()
	object := b.conn.Object(bluezName, device)
	var calls []*dbus.Call
	for _, blocked := range []bool{true, false} {
		calls = append(calls, object.GoWithContext(ctx, propertiesInterface+".Set", dbus.FlagNoAutoStart, nil,
			deviceInterface, "Blocked", dbus.MakeVariant(blocked)))
	}
	var err error
	for _, call := range calls {
		<-call.Done
		err = cmp.Or(err, call.Err)
	}
	return err
}
