package espressif

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/protocomm"
	"github.com/wifiprovd/wifiprovd/internal/srp"
)

const (
	helloPause = 500 * time.Millisecond // between key exchanges of one central
	maxUser    = 64                     // bytes of a user name
)

// lock lets those in who know the code.
type lock struct {
	sessions *sessions
	guesses  *guesses
	present  func() bool // a person is at the gateway, or root
	log      *slog.Logger

	computing sync.Mutex // one key exchange at a time: strangers may ask for them
	mu        sync.Mutex
	queue     int // key exchanges that run or wait
}

// write takes a step of the handshake. Whatever is wrong is answered by an ATT error:
// clients hang on a polite answer.
func (l *lock) write(r gatt.Request, value []byte) error {
	defer clear(value)
	h, err := protocomm.ParseHandshake(value)
	code := l.sessions.verifier()
	switch {
	case err != nil, code == nil, r.Central == "":
		return gatt.ErrUnlikely
	case h.Step == protocomm.Hello:
		return l.hello(r.Central, code, h)
	case h.Step == protocomm.Proof:
		return l.proof(r.Central, h.Proof)
	}
	return gatt.ErrUnlikely
}

// hello begins a key exchange, which takes up to some tenths of a second: the answer is read
// when there is one.
func (l *lock) hello(c gatt.Central, code *srp.Verifier, h protocomm.Handshake) error {
	if srp.CheckClient(h.Public) != nil || len(h.User) == 0 || len(h.User) > maxUser {
		return gatt.ErrUnlikely
	}
	if !l.guesses.may(c, l.present()) || !l.enqueue() {
		return gatt.ErrUnlikely
	}
	var a *answer
	l.sessions.Update(c, func(s *session) {
		if time.Since(s.hello) < helloPause {
			return
		}
		s.restart()
		s.hello = time.Now()
		a = s.begin(protocomm.Session)
	})
	if a == nil {
		l.dequeue()
		return gatt.ErrUnlikely
	}
	user, public := string(h.User), append([]byte(nil), h.Public...)
	go func() {
		defer l.dequeue()
		l.computing.Lock()
		defer l.computing.Unlock()
		l.greet(c, a, code, user, public)
	}()
	return nil
}

// greet computes the gateway's part of a key exchange, and answers with it.
func (l *lock) greet(c gatt.Central, a *answer, code *srp.Verifier, user string, public []byte) {
	server, err := srp.NewServer(*code, user, public)
	l.sessions.Look(c, func(s *session) {
		switch {
		case s.answers[protocomm.Session] != a: // it has begun anew meanwhile
		case err != nil:
			a.refuse()
		default:
			s.server, s.code, server = server, code, nil
			a.give(protocomm.Handshake{
				Step: protocomm.HelloAnswer, Public: s.server.Public(), Salt: code.Salt,
			}.Encode())
		}
	})
	if server != nil {
		server.Wipe()
	}
}

// enqueue reports whether one more key exchange may wait.
func (l *lock) enqueue() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queue >= maxCentrals {
		return false
	}
	l.queue++
	return true
}

func (l *lock) dequeue() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue--
}

// proof checks what a client has made of the code. A wrong one is a guess; it ends the exchange.
func (l *lock) proof(c gatt.Central, proof []byte) error {
	var server *srp.Server
	l.sessions.Look(c, func(s *session) { server, s.server = s.server, nil })
	if server == nil {
		return gatt.ErrUnlikely
	}
	defer server.Wipe()
	if !l.guesses.take(c, l.present()) {
		return gatt.ErrUnlikely
	}
	own, key, err := server.Check(proof)
	defer clear(key)
	defer clear(own)
	if err != nil {
		l.guesses.wrong(c)
		return gatt.ErrUnlikely
	}
	l.guesses.right(c)
	nonce := protocomm.NewNonce()
	cipher, err := protocomm.NewCipher(key, nonce)
	if err != nil {
		return err
	}
	kept := false
	l.sessions.Look(c, func(s *session) {
		s.cipher, kept = cipher, true
		s.begin(protocomm.Session).give(protocomm.Handshake{
			Step: protocomm.ProofAnswer, Proof: own, Nonce: nonce,
		}.Encode())
	})
	if !kept {
		cipher.Wipe()
		return gatt.ErrUnlikely
	}
	l.log.Info(fmt.Sprintf("a phone knows the code: %s", c), "event", "code-proved", "central", c)
	return nil
}
