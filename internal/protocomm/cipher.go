package protocomm

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
)

// Lengths in bytes.
const (
	NonceSize = 12
	Overhead  = 16 // of what is sealed
	keySize   = 32
	counterAt = 8 // in the nonce
)

// ErrSealed says that bytes were not sealed with this key and for this turn: a replay, one out of
// turn, or another session's.
var ErrSealed = errors.New("the message was not sealed for now")

// Cipher seals and opens what goes over the air after a handshake: AES-256-GCM, with one counter
// for both directions in the nonce, so that none is used twice (sec_patch_ver 1).
type Cipher struct {
	key   [keySize]byte
	nonce [NonceSize]byte
	ended bool
}

// Turn is a nonce that was set aside for an answer.
type Turn [NonceSize]byte

// NewNonce returns the nonce of a session's first message. One client begins to count from 1
// whatever it was told.
func NewNonce() []byte {
	nonce := make([]byte, NonceSize)
	_, _ = rand.Read(nonce[:counterAt]) // never fails (crypto/rand)
	nonce[NonceSize-1] = 1
	return nonce
}

// NewCipher returns a Cipher with the key of a handshake, of which it takes the first 32 bytes.
// nonce has NonceSize bytes.
func NewCipher(key, nonce []byte) (*Cipher, error) {
	if len(key) < keySize || len(nonce) != NonceSize {
		return nil, ErrMalformed
	}
	c := &Cipher{}
	copy(c.key[:], key)
	copy(c.nonce[:], nonce)
	return c, nil
}

// Take sets the next turn aside.
func (c *Cipher) Take() (Turn, error) {
	if c.ended {
		return Turn{}, ErrSealed
	}
	turn := Turn(c.nonce)
	n := binary.BigEndian.Uint32(c.nonce[counterAt:]) + 1
	binary.BigEndian.PutUint32(c.nonce[counterAt:], n)
	c.ended = n == 0
	return turn, nil
}

// Return gives the turn back that was taken last, and that nothing was or will be sealed for: a
// client does not count an answer that it does not get. Any other stays taken.
func (c *Cipher) Return(turn Turn) {
	last := Cipher{nonce: turn}
	_, _ = last.Take()
	if !c.ended && c.nonce == last.nonce {
		c.nonce = turn
	}
}

// Seal seals plain for a turn, which must not be used again.
func (c *Cipher) Seal(turn Turn, plain []byte) []byte {
	return c.gcm().Seal(nil, turn[:], plain, nil)
}

// Open opens what was sealed for the next turn. What was not takes no turn.
func (c *Cipher) Open(sealed []byte) ([]byte, error) {
	if c.ended {
		return nil, ErrSealed
	}
	plain, err := c.gcm().Open(nil, c.nonce[:], sealed, nil)
	if err != nil {
		return nil, ErrSealed
	}
	_, _ = c.Take()
	return plain, nil
}

// gcm makes the cipher for one message: what is kept is the key alone, which can be wiped.
func (c *Cipher) gcm() cipher.AEAD {
	block, err := aes.NewCipher(c.key[:])
	if err != nil {
		panic("internal error: " + err.Error())
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	return gcm
}

// Wipe overwrites the key, and ends the session.
func (c *Cipher) Wipe() {
	clear(c.key[:])
	c.ended = true
}
