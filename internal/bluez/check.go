package bluez

import (
	"log/slog"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

// answerTime is how long bluetoothd may take to answer a question that takes no work.
const answerTime = 5 * time.Second

// check asks whether bluetoothd still answers. The question is to make our agent the
// default one: another program's may have become that, of which BlueZ tells nobody.
type check struct {
	bus       *bus
	loop      *loop
	world     *world
	registrar *registrar
	steps     *steps
	log       *slog.Logger
	running   bool
	silent    bool // it has not answered the last one
}

// ask asks, unless the outcome of a step will tell as much.
func (c *check) ask() {
	if c.registrar.agent == held && !c.running && c.steps.running == nil && !c.steps.ending {
		c.running = true
		c.ping(c.world.owner)
	}
}

func (c *check) ping(owner string) {
	c.loop.workers.Go(func() {
		bluez := c.bus.bluez
		bluez.Name, bluez.Timeout = owner, answerTime
		err := bluez.Call(c.bus.ctx, managerPath, requestDefaultAgent, []any{agentPath})
		c.loop.post(func() { c.answered(owner, err) })
	})
}

// answered takes in the answer, or that there was none. A bluetoothd that hangs is asked
// until it answers.
func (c *check) answered(owner string, err error) {
	same := owner == c.world.owner
	silent := same && msgbus.Unanswered(err)
	switch {
	case silent && !c.silent:
		c.log.Warn("bluetoothd does not answer, phones are not served;"+
			" if it stays so: systemctl restart bluetooth", "event", "bluetoothd-silent")
	case same && !silent && c.silent:
		c.log.Info("bluetoothd answers again", "event", "bluetoothd-answers")
	}
	c.running, c.silent = silent, silent
	if same && msgbus.IsError(err, bluezError+"DoesNotExist") {
		c.registrar.agent = absent
	}
	if silent && !c.steps.ending {
		c.ping(owner)
	}
}
