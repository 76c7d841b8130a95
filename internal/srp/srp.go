// Package srp is SRP-6a (RFC 5054) as Espressif's provisioning speaks it: the 3072-bit group,
// SHA-512, and Espressif's choice of which numbers are hashed with leading zeros
// (docs/protocol.md). A server that holds only a verifier and a client that knows the password
// find out that they mean the same one, and agree on a key; whoever listens, or plays one side
// without knowing it, learns nothing to guess by at home.
//
// Arithmetic on secrets takes the same time whatever they are (filippo.io/bigmod).
package srp

import (
	"bytes"
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"slices"
	"sync"

	"filippo.io/bigmod"
)

// Lengths in bytes.
const (
	Size      = 384 // of a number of the group
	ProofSize = sha512.Size
	KeySize   = sha512.Size
	SaltSize  = 16
	secret    = 32 // of the one-time secrets a and b
)

// What the other side may have sent.
var (
	ErrPublicKey = errors.New("the public key of the other side is not one of the group")
	ErrProof     = errors.New("the proof of the other side is wrong")
)

// What most gateways never need, and is made when it is: it costs memory.
var (
	group = sync.OnceValue(mustGroup)
	// multiplier is k, and identity the part of a proof that is always the same.
	multiplier = sync.OnceValue(func() []byte { return hash(prime, generator) })
	identity   = sync.OnceValue(hashedGroup)
)

var generator = pad([]byte{5})

func mustGroup() *bigmod.Modulus {
	m, err := bigmod.NewModulus(prime)
	if err != nil {
		panic("internal error: the group's prime: " + err.Error())
	}
	return m
}

func hashedGroup() []byte {
	h := hash(prime)
	subtle.XORBytes(h, h, hash(generator))
	return h
}

// Verifier is what a server holds in place of the password: whoever has it can guess at home,
// and can pass for the server, but not for a client.
type Verifier struct {
	User string // that the client says
	Salt []byte
	V    []byte // Size bytes
}

// Usable reports whether every client makes the same verifier of user and password: several
// drop the zeros that a hash of them begins with. One password in 256 is not usable.
func Usable(user string, password []byte) bool { return inner(user, password)[0] != 0 }

// NewVerifier returns the verifier of a password, with a salt of its own.
func NewVerifier(user string, password []byte) Verifier {
	salt := make([]byte, SaltSize)
	for salt[0] == 0 { // some clients drop the zeros that it begins with
		_, _ = rand.Read(salt) // never fails (crypto/rand)
	}
	return Verifier{User: user, Salt: salt, V: verifier(user, password, salt)}
}

// Matches reports whether v is that of password.
func (v Verifier) Matches(password []byte) bool {
	return subtle.ConstantTimeCompare(verifier(v.User, password, v.Salt), v.V) == 1
}

// Valid reports whether v can be one.
func (v Verifier) Valid() bool {
	_, err := new(bigmod.Nat).SetBytes(v.V, group())
	return err == nil && len(v.V) == Size && !small(v.V) && len(v.Salt) > 0 && v.User != ""
}

func verifier(user string, password, salt []byte) []byte {
	x := hash(salt, inner(user, password))
	defer clear(x)
	return power(number(generator), x).Bytes(group())
}

func inner(user string, password []byte) []byte { return hash([]byte(user), []byte(":"), password) }

// keys are what both sides come to.
type keys struct {
	key, client, server []byte // K, M1, M2
}

// agree returns what follows from the shared secret S, given as Size bytes. a and b are as they
// were sent.
func agree(user string, salt, a, b, s []byte) keys {
	key := hash(bytes.TrimLeft(s, "\x00"))
	client := hash(identity(), hash([]byte(user)), salt, a, b, key)
	return keys{key: key, client: client, server: hash(a, client, key)}
}

// usable reports whether no client drops a zero of k: see Usable.
func (k keys) usable() bool { return k.key[0] != 0 && k.client[0] != 0 && k.server[0] != 0 }

func (k keys) wipe() {
	for _, b := range [][]byte{k.key, k.client, k.server} {
		clear(b)
	}
}

// scrambler is u.
func scrambler(a, b []byte) []byte { return hash(pad(a), pad(b)) }

func zero(b []byte) bool { return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 }) }

// small reports whether b is 0 or 1.
func small(b []byte) bool { return zero(b[:len(b)-1]) && b[len(b)-1] <= 1 }

// pad returns b with zeros before it, Size bytes. b has no more.
func pad(b []byte) []byte { return append(make([]byte, Size-len(b)), b...) }

func hash(parts ...[]byte) []byte {
	h := sha512.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// number returns b modulo the prime; b has at most Size bytes.
func number(b []byte) *bigmod.Nat {
	n, err := bigmod.NewNat().SetOverflowingBytes(pad(b), group())
	if err != nil {
		panic("internal error: " + err.Error())
	}
	return n
}

func power(base *bigmod.Nat, exponent []byte) *bigmod.Nat {
	return bigmod.NewNat().Exp(base, exponent, group())
}

// public checks a public key of the other side: 1 to Size bytes that are no multiple of the
// prime, which would make the key known to whoever sends it. Below 2^3072 those are 0 and the
// prime itself.
func public(b []byte) error {
	if len(b) == 0 || len(b) > Size || zero(b) || bytes.Equal(pad(b), prime) {
		return ErrPublicKey
	}
	return nil
}
