package srp

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"

	"filippo.io/bigmod"
)

// tries bounds how often a server draws its secret anew: each one is usable 251 times of 256.
const tries = 32

// Server is one side of one exchange, computed whole when the client's public key is known. It
// answers one proof, right or wrong.
type Server struct {
	public []byte
	keys   keys
	done   bool
}

// CheckClient returns ErrPublicKey for a client's public key that NewServer refuses, at once.
func CheckClient(a []byte) error { return public(a) }

// NewServer answers a client that says user and sends the public key a. Whether user is v.User
// only shows in the proof. It takes as long as three exponentiations.
func NewServer(v Verifier, user string, a []byte) (*Server, error) {
	b := make([]byte, secret)
	defer clear(b)
	for range tries {
		_, _ = rand.Read(b) // never fails (crypto/rand)
		s, err := newServer(v, user, a, b)
		if err != nil {
			return nil, err
		}
		if s.public[0] != 0 && s.keys.usable() {
			return s, nil
		}
		s.Wipe()
	}
	return nil, errors.New("no secret is usable") // once in 10^54
}

// newServer is NewServer with the secret b. That S begins with a zero shows as no usable keys:
// clients differ in what they hash then.
func newServer(v Verifier, user string, a, b []byte) (*Server, error) {
	if err := public(a); err != nil {
		return nil, err
	}
	verifier := number(v.V)
	sent := power(number(generator), b)
	masked := bigmod.NewNat().SetUint(0).ExpandFor(group())
	masked.Add(number(multiplier()), group()).Mul(verifier, group())
	server := &Server{public: sent.Add(masked, group()).Bytes(group())}
	u := scrambler(a, server.public)
	base := number(a).Mul(power(verifier, u), group())
	shared := power(base, b).Bytes(group())
	defer clear(shared)
	if zero(u) || small(shared) {
		return nil, ErrPublicKey
	}
	server.keys = agree(user, v.Salt, a, server.public, shared)
	if shared[0] == 0 {
		server.keys.key[0] = 0 // not usable
	}
	return server, nil
}

// Public returns what the client is sent.
func (s *Server) Public() []byte { return s.public }

// Check returns the server's own proof and the key if proof is the client's, once: then s is
// used up. A proof may lack the zeros that it began with.
func (s *Server) Check(proof []byte) (own, key []byte, err error) {
	if s.done || len(proof) == 0 || len(proof) > ProofSize {
		s.Wipe()
		return nil, nil, ErrProof
	}
	padded := make([]byte, ProofSize)
	copy(padded[ProofSize-len(proof):], proof)
	if subtle.ConstantTimeCompare(padded, s.keys.client) != 1 {
		s.Wipe()
		return nil, nil, ErrProof
	}
	own, key = s.keys.server, s.keys.key
	s.keys, s.done = keys{}, true
	return own, key, nil
}

// Wipe overwrites what is secret.
func (s *Server) Wipe() {
	s.keys.wipe()
	s.done = true
}
