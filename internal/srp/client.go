package srp

import (
	"crypto/rand"
	"crypto/subtle"

	"filippo.io/bigmod"
)

// Client is the side of one exchange that knows the password.
type Client struct {
	user     string
	password []byte
	secret   []byte
	public   []byte
	keys     keys
}

// NewClient begins an exchange. password is copied.
func NewClient(user string, password []byte) *Client {
	a := make([]byte, secret)
	_, _ = rand.Read(a) // never fails (crypto/rand)
	return newClient(user, password, a)
}

func newClient(user string, password, a []byte) *Client {
	public := power(number(generator), a).Bytes(group())
	return &Client{user: user, password: append([]byte(nil), password...), secret: a, public: public}
}

// Public returns what the server is sent.
func (c *Client) Public() []byte { return c.public }

// Proof returns the client's proof for a server that has sent salt and its public key b.
func (c *Client) Proof(salt, b []byte) ([]byte, error) {
	if err := public(b); err != nil {
		return nil, err
	}
	x := hash(salt, inner(c.user, c.password))
	defer clear(x)
	u := scrambler(c.public, b)
	// (B - k g^x)^(a + u x), one factor after the other: no sum of secrets is needed.
	v := power(number(generator), x)
	base := number(b).Sub(bigmod.NewNat().SetUint(0).ExpandFor(group()).Add(v.Mul(number(multiplier()), group()), group()), group())
	shared := power(power(base, u), x).Mul(power(base, c.secret), group()).Bytes(group())
	defer clear(shared)
	c.keys = agree(c.user, salt, c.public, b, shared)
	return c.keys.client, nil
}

// Key returns the key if proof is that of a server which knows the verifier.
func (c *Client) Key(proof []byte) ([]byte, error) {
	if c.keys.server == nil || subtle.ConstantTimeCompare(proof, c.keys.server) != 1 {
		return nil, ErrProof
	}
	return c.keys.key, nil
}

// Wipe overwrites what is secret.
func (c *Client) Wipe() {
	clear(c.password)
	clear(c.secret)
	c.keys.wipe()
}
