// Package espressif is Espressif's provisioning over Bluetooth LE (protocomm, Security 2) as a
// phone protocol: "ESP BLE Prov" of the app stores speaks it, and so does all that was made with
// Espressif's libraries. Whoever provisions by it must know the code on the box. docs/protocol.md
// says what of it there is, and what is refused.
//
// The session is the lock: its service asks for no pairing, so everybody in radio range reaches
// what is here.
package espressif

import (
	"log/slog"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/profile"
	"github.com/wifiprovd/wifiprovd/internal/protocomm"
	"github.com/wifiprovd/wifiprovd/internal/srp"
)

// What is kept for each central is bounded: in number, and in time since its last request. A
// person may take that long to type a Wi-Fi password.
const (
	maxCentrals    = 8
	sessionTimeout = 5 * time.Minute
)

// Config is what the protocol needs.
type Config struct {
	Control gateway.Control
	Scans   *profile.Scanner
	Deliver exchange // hands what phones send to a maker's program
	Name    string   // that is advertised
	Log     *slog.Logger

	// Alone is whether phones that have not proved the code are refused by every other protocol. It
	// may be called from any goroutine, and be nil: they are not.
	Alone func() bool
}

// Profile is the protocol: it implements profile.Profile. It serves nobody before SetCode.
type Profile struct {
	name     string
	services []gatt.Service
	sessions *sessions
	lock     *lock
	attempts *attempts
	scans    *scans
	programs *programs
}

// New returns the protocol.
func New(cfg Config) *Profile {
	s := newSessions(cfg.Alone)
	a := &attempts{control: cfg.Control, sessions: s, now: &gateway.Snapshot{}}
	p := &Profile{
		name:     cfg.Name,
		sessions: s,
		lock:     &lock{sessions: s, guesses: newGuesses(cfg.Log), present: a.present, log: cfg.Log},
		attempts: a,
		scans:    &scans{scanner: cfg.Scans, sessions: s, waiting: map[gatt.Central]reply{}},
		programs: &programs{control: cfg.Control, deliver: cfg.Deliver, sessions: s, log: cfg.Log},
	}
	cfg.Scans.Follow(p.scans.scanned)
	p.services = []gatt.Service{p.declare()}
	return p
}

// declare returns the service. Phones cache the handles, which follow the order of
// protocomm.Endpoints: a further endpoint is a name there and a line here.
// Clients want each characteristic to be readable and writable, and to tell its name.
func (p *Profile) declare() gatt.Service {
	write := map[protocomm.Endpoint]func(gatt.Request, []byte) error{
		protocomm.Control: p.sessions.sealed(protocomm.Control, p.control),
		protocomm.Scan:    p.sessions.sealed(protocomm.Scan, p.scans.request),
		protocomm.Session: p.lock.write,
		protocomm.Config:  p.sessions.sealed(protocomm.Config, p.attempts.request),
		protocomm.Version: func(gatt.Request, []byte) error { return nil }, // what is asked is always the same
		protocomm.Custom:  p.sessions.sealed(protocomm.Custom, p.programs.request),
	}
	s := gatt.Service{UUID: protocomm.ServiceUUID, Pairing: gatt.NoPairing}
	for _, e := range protocomm.Endpoints {
		c := &gatt.Characteristic{
			UUID: e.UUID(), Write: write[e], ReadLater: p.sessions.reader(e),
			Descriptors: []gatt.Descriptor{{UUID: protocomm.DescriptionUUID, Value: []byte(e)}},
		}
		s.Characteristics = append(s.Characteristics, c)
	}
	return s
}

// Services implements profile.Profile.
func (p *Profile) Services() []gatt.Service { return p.services }

// Adverts implements profile.Profile. The apps take the first service that they hear for that of
// the protocol, so there is no other one in it, and they listen for five seconds.
func (p *Profile) Adverts(*gateway.Snapshot) []gatt.Advert {
	if p.sessions.verifier() == nil {
		return nil
	}
	return []gatt.Advert{{ServiceUUIDs: []string{protocomm.ServiceUUID}, Often: true, Name: p.name}}
}

// Changed implements gateway.Observer.
func (p *Profile) Changed(before, now *gateway.Snapshot) { p.attempts.changed(before, now) }

// Gone implements profile.Profile: the keys of c's session are wiped.
func (p *Profile) Gone(c gatt.Central) {
	p.sessions.Drop(c)
	p.scans.gone(c)
}

// SetCode has phones prove that they know the code of v from now on; nil: nobody is served.
// Sessions that proved another one can only ask how their attempt goes.
func (p *Profile) SetCode(v *srp.Verifier) { p.sessions.setCode(v) }

// Proved reports whether c has proved in its session that it knows the code.
func (p *Profile) Proved(c gatt.Central) bool { return p.sessions.proved(c) }

// control carries out a request of prov-ctrl. Clients use both to try again after a wrong
// password. Neither erases: phones send them without asking anybody.
func (p *Profile) control(plain []byte, to reply) error {
	command, err := protocomm.ParseControl(plain)
	if err != nil || command != protocomm.Reset && command != protocomm.Reprovision || !p.Proved(to.central) {
		return protocomm.ErrMalformed
	}
	p.sessions.Look(to.central, func(s *session) {
		s.unstage()
		if s.attempt.state != running {
			s.attempt = attempt{}
		}
	})
	p.sessions.answer(to, protocomm.EncodeControlResult(command, protocomm.Success))
	return nil
}
