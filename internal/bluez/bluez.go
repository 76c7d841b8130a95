// Package bluez puts declared GATT services on the air through BlueZ: it exports
// them, advertises, answers pairing as the services demand, and does all of it again
// whenever bluetoothd or the adapter went away. It knows nothing of what the services
// mean.
//
// The D-Bus interfaces are those of BlueZ 5.66 to 5.82, described in its doc folder
// (org.bluez.*.rst; before 5.70 *-api.txt).
//
// One goroutine, that of Run, owns all state. Signals, calls, outcomes and timers reach
// it in order through the loop. Each part below knows only those above it:
//
//	loop       what the goroutine has to do next
//	bus        the connection
//	world      a mirror of BlueZ's objects
//	chooser    which adapter is ours
//	steps      runs the one slow thing that is missing, and backs off
//	troubles   why nothing is on the air, told once
//	registrar  what BlueZ holds of ours, and which step is next
//	lockout    how many passkeys may be guessed
//	centrals   who is connected
//	agent      answers BlueZ's questions about pairing
//	server     answers its calls
package bluez

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

// Config is what a Peripheral is made of.
type Config struct {
	Adapter    string // hci0, or its address; empty: the first, by name, that can advertise
	Name       string // that phones read from the adapter; empty: left as it is
	Log        *slog.Logger
	BusAddress string // the message bus; empty: the system bus

	// Passkey is called once a pairing with the six digits that the phone's user has
	// to type, under the rules of Handler. It may be nil.
	Passkey func(c gatt.Central, digits string)
}

// Application is what a Peripheral serves. A pairing requirement belongs to a service;
// who may pair, and how, follows from the strongest one.
type Application struct {
	Services []gatt.Service

	// Coming are services that are there only while they are wanted (Peripheral.Offer), with
	// handles behind those of Services. What comes and goes leaves Services as they are, and
	// who has subscribed to them.
	Coming []gatt.Service

	// Gone is called when a central has disconnected, before Handler.Disconnected and
	// before any request of its next connection. It may be nil.
	Gone func(gatt.Central)
}

// Handler is told what happens. Its methods and the handlers of the services are called
// from one goroutine, in the order in which things happened, and must not block.
type Handler interface {
	// Connected and Disconnected come in pairs. A device that connects while nothing is
	// advertised is a central only once it uses a service: another program on the
	// gateway may have connected it.
	Connected(gatt.Central)
	Disconnected(gatt.Central)

	// Bonded is called once a connection for a bonded central that uses a service or
	// was shown a passkey, with the strongest pairing mode of the services. Devices
	// that do neither have bonded with some other program.
	Bonded(gatt.Bond)

	// OnAir is called when all wanted advertisements are on the air; adapter is hci0.
	// OffAir is called when they are wanted but one is not, once for each distinct
	// problem, and again after each OnAir.
	OnAir(adapter string)
	OffAir(problem string)
}

// Peripheral is a BLE peripheral. Its methods may be called from any goroutine.
type Peripheral struct {
	cfg  Config
	loop *loop

	// What follows belongs to the goroutine of Run, which makes it.
	bus       *bus
	world     *world
	chooser   *chooser
	steps     *steps
	troubles  *troubles
	registrar *registrar
	centrals  *centrals
	server    *server
	check     *check
	bonds     *bonds
}

// New returns a Peripheral that waits for Run.
func New(cfg Config) *Peripheral { return &Peripheral{cfg: cfg, loop: newLoop()} }

// Advertise sets what is advertised; nothing is at first. Each advert is an
// advertisement of its own; where the adapter has not room for all, they take turns. They must
// not be changed afterwards; one that equals the present one stays as it is. The services stay, and
// centrals stay connected. Advertise does not block, and may be called before Run.
func (p *Peripheral) Advertise(adverts []gatt.Advert) {
	p.loop.post(func() {
		p.troubles.want(len(adverts) > 0)
		p.registrar.want(adverts)
	})
}

// Offer sets whether Application.Coming is served; at first it is not. Offer does not block, and
// may be called before Run.
func (p *Peripheral) Offer(wanted bool) { p.loop.post(func() { p.registrar.comingWanted = wanted }) }

// Check finds out, without waiting for it, whether bluetoothd still answers: one that
// hangs says nothing by itself. The journal tells.
func (p *Peripheral) Check() { p.loop.post(func() { p.check.ask() }) }

// RemoveBond makes the bond's adapter forget the central, which is disconnected. A bond
// that does not exist is a success. RemoveBond waits until the adapter is there and
// powered, or ctx ends.
func (p *Peripheral) RemoveBond(ctx context.Context, b gatt.Bond) error {
	result := make(chan error, 1)
	p.loop.post(func() { p.bonds.remove(ctx, b, result) })
	return awaitRemoval(ctx, b, result)
}

// Disconnect disconnects a central that is connected, and that is bonded as b says: what
// it has subscribed to before this program started is not known to BlueZ any more. It does
// not wait.
func (p *Peripheral) Disconnect(b gatt.Bond) { p.loop.post(func() { p.bonds.disconnect(b) }) }

// DisconnectAll disconnects the centrals that have used a service, and those that have
// connected while the gateway was advertised. It does not wait. Others are some other
// program's.
func (p *Peripheral) DisconnectAll() { p.loop.post(func() { p.centrals.disconnect() }) }

// Run serves app until ctx ends, and returns nil then, or until the message bus is
// lost, and returns why. It may be called once.
func (p *Peripheral) Run(ctx context.Context, app Application, h Handler) error {
	calls, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	starting := context.AfterFunc(ctx, cancel)
	conn, err := msgbus.Dial(calls, p.cfg.BusAddress, dbus.WithIncomingInterceptor(p.receive))
	if err != nil {
		return err
	}
	p.assemble(newBus(calls, conn), app, h)
	defer func() {
		cancel()
		_ = conn.Close()
		p.loop.workers.Wait()
	}()
	if err := p.bus.subscribe(); err != nil {
		return err
	}
	if p.world.owner, err = p.bus.owner(); err != nil {
		return err
	}
	starting()             // what ctx ends is now up to serveUntil
	p.loop.post(func() {}) // begins with the first step
	err = p.serveUntil(ctx)
	if ctx.Err() != nil {
		p.farewell(calls)
	}
	return err
}

// farewell gives the adapter its name back, and disconnects the centrals: BlueZ forgets
// their subscriptions with the application, and would not tell them.
func (p *Peripheral) farewell(ctx context.Context) {
	p.loop.workers.Go(func() { p.registrar.alias.giveBack(ctx) })
	for device, central := range p.centrals.all {
		if central.used {
			p.loop.workers.Go(func() { _ = p.bus.disconnect(ctx, device) })
		}
	}
	p.loop.workers.Wait()
}

// assemble makes the parts. They hold what they need of each other; none holds p.
func (p *Peripheral) assemble(b *bus, app Application, h Handler) {
	log, l, t := p.cfg.Log, p.loop, newTree(app.Services, app.Coming)
	p.bus = b
	p.world = &world{}
	p.chooser = &chooser{configured: p.cfg.Adapter, world: p.world, wait: alarm{loop: l}}
	p.steps = &steps{loop: l, pause: alarm{loop: l}}
	p.troubles = &troubles{handler: h, log: log, told: map[string]bool{}, settle: alarm{loop: l}}
	p.registrar = &registrar{
		bus: b, world: p.world, chooser: p.chooser, troubles: p.troubles,
		alias:   &alias{bus: b, world: p.world, log: log, wanted: p.cfg.Name},
		handler: h, pairing: t.pairing, turns: alarm{loop: l},
	}
	guesses := &lockout{log: log, pause: alarm{loop: l}}
	p.centrals = &centrals{
		world: p.world, chooser: p.chooser, registrar: p.registrar, lockout: guesses,
		handler: h, gone: app.Gone, pairing: t.pairing, all: map[dbus.ObjectPath]*central{},
		bus: b, loop: l,
	}
	agent := &agent{
		bus: b, loop: l, world: p.world, chooser: p.chooser, registrar: p.registrar,
		lockout: guesses, centrals: p.centrals,
		services: slices.Concat(app.Services, app.Coming), pairing: t.pairing, show: p.cfg.Passkey, log: log,
	}
	p.server = &server{
		bus: b, loop: l, world: p.world, tree: t, registrar: p.registrar,
		centrals: p.centrals, agent: agent, log: log,
	}
	p.check = &check{
		bus: b, loop: l, world: p.world, registrar: p.registrar, steps: p.steps, log: log,
	}
	p.bonds = &bonds{bus: b, loop: l, world: p.world}
	for path, c := range t.characteristics {
		if c.Notify != nil {
			c.Notify.Bind(func(value []byte) { l.post(func() { p.server.notify(path, value) }) })
		}
	}
}

// lastStepTime is how long the step that runs when Run is to end may take.
const lastStepTime = 2 * time.Second

// serveUntil serves until ctx ends and the step that runs then is done, for which BlueZ
// may call back: what a program was registering when it went counts as registered until
// bluetoothd restarts (seen with BlueZ 5.66).
func (p *Peripheral) serveUntil(ctx context.Context) error {
	ended := ctx.Done()
	var late <-chan time.Time
	for ended != nil || p.steps.running != nil {
		select {
		case <-ended:
			ended, late = nil, time.After(lastStepTime)
			p.steps.ending = true
		case <-late:
			return nil
		case <-p.bus.conn.Context().Done():
			if ctx.Err() != nil {
				return nil
			}
			return msgbus.ErrLost
		case <-p.loop.ready:
			for _, f := range p.loop.take() {
				f()
				p.advance() // whatever has happened, a step may be missing now
			}
		}
	}
	return nil
}

// advance starts the next step, if one is missing and nothing is in the way.
func (p *Peripheral) advance() {
	if !p.steps.idle() {
		return
	}
	if next := p.registrar.next(); next != nil {
		p.steps.run(next, p.finished)
	}
}

// finished takes in the outcome of a step.
func (p *Peripheral) finished(s *step, err error) {
	if !p.steps.end(s, err) {
		return
	}
	if err != nil {
		p.registrar.failed(s.what, err)
		return
	}
	s.done()
	p.settle()
}

// receive takes method calls away from godbus, which would run each in a goroutine of its
// own and so let one write overtake another (with 19 in flight, 49 times out of 50), and
// copies signals, so that the loop sees all of them in the order of the wire: first a
// write, then that the phone which wrote has gone.
func (p *Peripheral) receive(message *dbus.Message) {
	switch message.Type {
	case dbus.TypeSignal:
		p.loop.post(func() { p.signal(message) })
	case dbus.TypeMethodCall:
		if header(message, dbus.FieldInterface) == msgbus.Peer {
			return // godbus answers pings
		}
		call := *message
		if p.loop.postCall(func() { p.server.serve(&call) }) {
			message.Type = 0 // the library handles no such message
		} // else the library answers that there is no such object
	}
}

// signal follows a signal of the bus or of bluetoothd. Any program can send us one with
// BlueZ's paths and interfaces; only the sender, which the bus fills in, tells them apart.
func (p *Peripheral) signal(message *dbus.Message) {
	sender := header(message, dbus.FieldSender)
	if sender == msgbus.BusName && member(message) == msgbus.NameOwnerChanged {
		var changed, old, owner string
		if dbus.Store(message.Body, &changed, &old, &owner) == nil && changed == bluezName {
			p.restarted(owner)
		}
		return
	}
	if sender == "" || sender != p.world.owner {
		return
	}
	p.world.follow(message)
	p.settle()
}

// restarted: bluetoothd has come or gone. Everything registered with the last one has
// gone with it.
func (p *Peripheral) restarted(owner string) {
	p.steps.startOver()
	p.chooser.reset()
	p.registrar.reset()
	*p.world = world{owner: owner}
	p.settle()
}

// settle draws the conclusions from a change of the world.
func (p *Peripheral) settle() {
	if p.chooser.lost() {
		p.steps.startOver()
		p.registrar.adapterGone()
	}
	if p.chooser.current == "" {
		p.chooser.adopt()
	} else {
		p.followRadio()
	}
	p.centrals.follow()
	p.bonds.tryAgain()
}

// followRadio notices what has happened to the chosen adapter. A count of advertisements
// that falls says nothing while a step runs: the step may be what changes it.
func (p *Peripheral) followRadio() {
	before, now := p.chooser.look()
	if p.steps.pause.set() && (now.powered && !before.powered || now.free > 0 && before.free == 0) {
		p.steps.startOver() // what was in the way is gone
	}
	switch {
	case !now.powered:
		p.registrar.advertsGone("adapter " + adapterName(p.chooser.current) + " was powered off")
	case p.steps.running == nil && now.active < before.active &&
		now.active < p.registrar.adverts.onAir():
		p.registrar.advertsGone("BlueZ no longer advertises")
	}
}
