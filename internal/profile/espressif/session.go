package espressif

import (
	"sync"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/profile"
	"github.com/wifiprovd/wifiprovd/internal/protocomm"
	"github.com/wifiprovd/wifiprovd/internal/srp"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// sessions are what is kept for the centrals, and the code that they have to prove.
type sessions struct {
	*profile.PerCentral[session]
	alone func() bool // phones get in by no other protocol; nil: they may

	mu   sync.Mutex
	code *srp.Verifier // nil: there is none
}

func newSessions(alone func() bool) *sessions {
	kept := profile.NewPerCentral(maxCentrals, sessionTimeout, newSession, (*session).wipe)
	return &sessions{PerCentral: kept, alone: alone}
}

func (all *sessions) setCode(v *srp.Verifier) {
	all.mu.Lock()
	defer all.mu.Unlock()
	all.code = v
}

func (all *sessions) verifier() *srp.Verifier {
	all.mu.Lock()
	defer all.mu.Unlock()
	return all.code
}

// proved reports whether c has proved in its session that it knows the code of now.
func (all *sessions) proved(c gatt.Central) (proved bool) {
	code := all.verifier()
	all.Look(c, func(s *session) { proved = s.cipher != nil && s.code == code })
	return proved && code != nil
}

// session is what is kept for one central, as long as it is connected.
type session struct {
	answers map[protocomm.Endpoint]*answer // to the latest request of each
	hello   time.Time                      // when the latest key exchange began
	server  *srp.Server                    // of one that waits for the client's proof
	code    *srp.Verifier                  // that is proved, or is to be
	cipher  *protocomm.Cipher              // nil: nothing was proved

	staged   wifi.Credentials // written since the latest Apply
	attempt  attempt
	networks []protocomm.Network // of the session's latest scan
}

func newSession() session { return session{answers: map[protocomm.Endpoint]*answer{}} }

// wipe forgets what is secret, and lets nobody wait.
func (s *session) wipe() {
	s.restart()
	for _, a := range s.answers {
		a.refuse()
	}
}

// restart forgets the keys and what was staged: a client may begin anew at any time.
func (s *session) restart() {
	if s.server != nil {
		s.server.Wipe()
	}
	if s.cipher != nil {
		s.cipher.Wipe()
	}
	s.server, s.cipher, s.code = nil, nil, nil
	s.unstage()
}

func (s *session) unstage() {
	s.staged.Wipe()
	s.staged = wifi.Credentials{}
}

// begin has the next read of an endpoint answered by what it returns.
func (s *session) begin(e protocomm.Endpoint) *answer {
	if old := s.answers[e]; old != nil {
		old.refuse()
	}
	a := &answer{}
	s.answers[e] = a
	return a
}

// answer is what a central reads after a request. The session's lock guards it.
type answer struct {
	ended   bool
	value   []byte
	err     error
	waiting func([]byte, error) // who reads it; nil: nobody yet
}

// give has whoever reads get value.
func (a *answer) give(value []byte) { a.end(value, nil) }

// refuse has whoever reads get an error, if there is no value yet.
func (a *answer) refuse() { a.end(nil, gatt.ErrUnlikely) }

func (a *answer) end(value []byte, err error) {
	if a.ended {
		return
	}
	a.ended, a.value, a.err = true, value, err
	if a.waiting != nil {
		a.waiting(value, err)
		a.waiting = nil
	}
}

// read answers now, or once there is an answer. A client reads one thing at a time: another read
// ends the one that waits.
func (a *answer) read(to func([]byte, error)) {
	switch {
	case a.ended:
		to(a.value, a.err)
		return
	case a.waiting != nil:
		a.waiting(nil, gatt.ErrUnlikely)
	}
	a.waiting = to
}

// reply is where the answer to a request goes, and how it is sealed: by the turn that was taken
// for it when the request was opened, whenever it comes.
type reply struct {
	central gatt.Central
	answer  *answer
	cipher  *protocomm.Cipher
	turn    protocomm.Turn
}

// handler carries out a request, and answers it. An error says that it is none.
type handler func(plain []byte, to reply) error

// sealed returns the writer of an endpoint whose requests only a session can seal. What it cannot
// open or understand is answered by an ATT error; all else has an answer, so that the counters of
// both sides stay in step.
func (all *sessions) sealed(e protocomm.Endpoint, handle handler) func(gatt.Request, []byte) error {
	return func(r gatt.Request, value []byte) error {
		plain, to, err := all.open(e, r.Central, value)
		if err == nil {
			err = handle(plain, to)
		}
		clear(plain)
		if err != nil {
			all.refuse(to, gatt.ErrUnlikely)
			return gatt.ErrUnlikely
		}
		return nil
	}
}

// open opens a request of c to e.
func (all *sessions) open(e protocomm.Endpoint, c gatt.Central, value []byte) (plain []byte, to reply, err error) {
	known := false
	all.Look(c, func(s *session) { known = s.cipher != nil })
	if !known {
		return nil, reply{}, protocomm.ErrSealed
	}
	all.Update(c, func(s *session) {
		if err = protocomm.ErrSealed; s.cipher == nil {
			return
		}
		if plain, err = s.cipher.Open(value); err != nil {
			return
		}
		to = reply{central: c, cipher: s.cipher}
		if to.turn, err = s.cipher.Take(); err == nil {
			to.answer = s.begin(e)
		}
	})
	return plain, to, err
}

// refuse has a request answered by an ATT error. A session that goes on counts no answer.
func (all *sessions) refuse(to reply, err error) {
	all.Look(to.central, func(s *session) {
		if to.answer == nil || to.answer.ended {
			return
		}
		if s.cipher == to.cipher {
			s.cipher.Return(to.turn)
		}
		to.answer.end(nil, err)
	})
}

// answer seals the answer to a request, unless the session has ended meanwhile.
func (all *sessions) answer(to reply, plain []byte) {
	all.Look(to.central, func(s *session) {
		switch {
		case to.answer == nil:
		case s.cipher != to.cipher:
			to.answer.refuse()
		default:
			to.answer.give(to.cipher.Seal(to.turn, plain))
		}
	})
}

// version answers what the protocol can do. Phones ask for it before they prove anything.
func (all *sessions) version(_ gatt.Request, answer func([]byte, error)) {
	if all.alone != nil && all.alone() {
		answer([]byte(protocomm.CapabilitiesOnly), nil)
		return
	}
	answer([]byte(protocomm.Capabilities), nil)
}

// reader returns what reads the answer to a central's latest request; none is empty.
func (all *sessions) reader(e protocomm.Endpoint) func(gatt.Request, func([]byte, error)) {
	if e == protocomm.Version {
		return all.version
	}
	return func(r gatt.Request, answer func([]byte, error)) {
		found := false
		all.Look(r.Central, func(s *session) {
			if a := s.answers[e]; a != nil {
				found = true
				a.read(answer)
			}
		})
		if !found {
			answer(nil, nil)
		}
	}
}
