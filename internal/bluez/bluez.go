// Package bluez puts a declared GATT tree on the air through BlueZ: it exports
// the services, advertises the first one, answers pairing as the security level
// demands, and does all of it again whenever bluetoothd or the adapter went away.
// It knows nothing of what the services mean.
//
// The D-Bus interfaces are those of BlueZ 5.66 to 5.82, described in its doc
// folder (org.bluez.*.rst; before 5.70 *-api.txt).
package bluez

import (
	"context"
	"log/slog"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/bluez/gatt"
)

// Security is what a central must have done before it may read, write or
// subscribe.
type Security uint8

// The security levels.
const (
	None          Security = iota // nothing
	Encrypt                       // LE pairing, Just Works included
	Authenticated                 // LE Secure Connections pairing with a passkey
)

// Config is what a Peripheral is made of. The callbacks and the handlers of the
// services are all called from one goroutine, in the order in which things
// happened, and must not block. Each callback may be nil.
type Config struct {
	Adapter  string         // hci0; empty: the first, by name, that can advertise
	Name     string         // in the scan response; BlueZ cuts it at 29 bytes
	Security Security       // of every characteristic
	Services []gatt.Service // the first one's UUID is advertised
	Log      *slog.Logger

	// CentralConnected and CentralDisconnected come in pairs. A device that
	// connects while nothing is advertised is a central only when it uses a
	// service: until then another program on the gateway may have connected it.
	CentralConnected    func(address string)
	CentralDisconnected func(address string)

	// Passkey is called once a pairing with the six digits that the phone's
	// user has to type.
	Passkey func(address, passkey string)

	// Bonded is called once a connection for a bonded central that uses a
	// service or was shown a passkey. Devices that do neither have made their
	// bond with some other program and are not reported.
	Bonded func(Bond)

	// AdvertisingUp is called when the advertisement is on the air; adapter is
	// hci0. AdvertisingDown is called when it is wanted but not there, once for
	// each distinct reason, and again after each AdvertisingUp.
	AdvertisingUp   func(adapter string)
	AdvertisingDown func(why string)

	// BusAddress is the message bus; empty: the system bus.
	BusAddress string
}

// Bond is the keys that a central and an adapter have exchanged.
type Bond struct {
	Adapter string // the adapter's address: it stays when hci0 becomes hci1
	Address string // the central's
}

// Peripheral is a BLE peripheral. Its methods may be called from any goroutine.
type Peripheral struct {
	cfg   Config
	log   *slog.Logger
	inbox *inbox
	tree  *tree

	// What follows belongs to the goroutine of Run.
	bus          *bus
	owner        string // unique name of bluetoothd; empty: it is not running
	world        world
	adapter      dbus.ObjectPath // the chosen one; empty: none
	last         dbus.ObjectPath // the one chosen before; empty: none yet
	centrals     map[dbus.ObjectPath]*central
	registration registration
	steps        steps
	check        check
	troubles     troubles
	lockout      lockout
	deferred     []func() // what waits for an adapter to be powered
}

// New returns a Peripheral that waits for Run.
func New(cfg Config) *Peripheral {
	p := &Peripheral{
		cfg:      cfg,
		log:      cfg.Log,
		inbox:    newInbox(),
		tree:     newTree(cfg.Services, cfg.Security),
		world:    world{},
		centrals: map[dbus.ObjectPath]*central{},
	}
	for path, c := range p.tree.characteristics {
		if c.Notify != nil {
			c.Notify.Bind(func(value []byte) { p.inbox.post(func() { p.notify(path, value) }) })
		}
	}
	return p
}

// Advertise switches advertising on or off; it is off at first. The services
// stay, and centrals stay connected. It does not block.
func (p *Peripheral) Advertise(on bool) {
	p.inbox.post(func() {
		if on && !p.registration.wanted {
			p.forgetTroubles() // AdvertisingDown has not heard of them
		}
		p.registration.wanted = on
		p.advance()
	})
}

// Run serves until ctx ends, and returns nil then, or until the message bus is
// lost, and returns why. It may be called once.
func (p *Peripheral) Run(ctx context.Context) error {
	calls, cancel := context.WithCancel(context.WithoutCancel(ctx))
	starting := context.AfterFunc(ctx, cancel)
	bus, err := dial(calls, p.cfg.BusAddress, p.receive)
	if err != nil {
		cancel()
		return err
	}
	p.bus = bus
	defer func() {
		cancel()
		_ = bus.conn.Close()
		p.steps.running.Wait()
		p.lockout.stop()
	}()
	if err := bus.subscribe(); err != nil {
		return err
	}
	if p.owner, err = bus.owner(); err != nil {
		return err
	}
	starting() // what ctx ends is now up to serveUntil
	p.inbox.post(p.advance)
	return p.serveUntil(ctx)
}

// serveUntil serves until ctx ends and the step that runs then is done, for
// which BlueZ may call back. What a program was registering when it went counts
// as registered until bluetoothd restarts (seen with BlueZ 5.66).
func (p *Peripheral) serveUntil(ctx context.Context) error {
	ended := ctx.Done()
	var late <-chan time.Time
	for ended != nil || p.steps.busy {
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
			return errBusLost
		case <-p.inbox.ready:
			for _, f := range p.inbox.take() {
				f()
			}
		}
	}
	return nil
}
