package bluez

import (
	"context"
	"errors"
	"time"

	"github.com/godbus/dbus/v5"
)

// answerTime is how long bluetoothd may take to answer a question that takes no
// work.
const answerTime = 5 * time.Second

// check is a question whether bluetoothd still answers.
type check struct {
	running bool
	silent  bool // it has not answered the last one
}

// Check finds out, without waiting for it, whether bluetoothd still answers: one
// that hangs says nothing. The journal tells. What it is asked for is to make our
// agent the default one: it may have become another program's, of which BlueZ
// tells nobody.
func (p *Peripheral) Check() {
	p.inbox.post(func() {
		// Of a step that runs the outcome tells.
		if p.registration.agent && !p.check.running && !p.steps.busy && !p.steps.ending {
			p.check.running = true
			p.ping(p.owner)
		}
	})
}

func (p *Peripheral) ping(owner string) {
	p.steps.running.Go(func() {
		ctx, cancel := context.WithTimeout(p.bus.ctx, answerTime)
		defer cancel()
		err := p.bus.conn.Object(owner, "/org/bluez").CallWithContext(ctx, agentManagerInterface+".RequestDefaultAgent",
			dbus.FlagNoAutoStart, dbus.ObjectPath(agentPath)).Err
		p.inbox.post(func() { p.pinged(owner, err) })
	})
}

func (p *Peripheral) pinged(owner string, err error) {
	silent := owner == p.owner && errors.Is(err, context.DeadlineExceeded)
	switch {
	case silent && !p.check.silent:
		p.log.Warn("bluetoothd does not answer, phones are not served; if it stays so: systemctl restart bluetooth")
	case !silent && p.check.silent && owner == p.owner:
		p.log.Info("bluetoothd answers again")
	}
	p.check = check{running: silent, silent: silent}
	if isError(err, bluezError+"DoesNotExist") && owner == p.owner {
		p.registration.agent = false
		p.advance()
	}
	if silent && !p.steps.ending {
		p.ping(owner)
	}
}
