// Package seal has the key that secrets on the disk are sealed with, and knows where a
// gateway keeps it: wrapped by systemd-creds(1), and handed to the daemon by systemd.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

const (
	// KeySize is the length of a key, in bytes: AES-256.
	KeySize = 32
	// Overhead is how much longer than what it holds a sealed slice is, in bytes: a nonce of 12
	// and a tag of 16 (NIST SP 800-38D).
	Overhead = 12 + 16
)

// ErrNotOpened is what Open returns. It says nothing of the secret.
var ErrNotOpened = errors.New("it was not sealed by this key for this place, or was altered")

// Key seals and opens small secrets, with AES-256-GCM. Its nonces are random, which is safe for
// 2^32 secrets (NIST SP 800-38D, 8.3): more than a flash survives. Its methods may be called from
// several goroutines.
type Key struct {
	aead cipher.AEAD
	id   string
}

// New returns the key whose bytes are b, KeySize of them. The caller may wipe b.
func New(b []byte) (*Key, error) {
	if len(b) != KeySize {
		return nil, fmt.Errorf("a key of %d bytes, not of %d", len(b), KeySize)
	}
	block, err := aes.NewCipher(b)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, b)
	mac.Write([]byte("wifiprovd: the ID of a key"))
	return &Key{aead: aead, id: hex.EncodeToString(mac.Sum(nil)[:8])}, nil
}

// Random returns the bytes of a new key.
func Random() []byte {
	b := make([]byte, KeySize)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return b
}

// ID tells keys apart: 16 hexadecimal digits, from which nobody finds the key. Of no key it is empty.
func (k *Key) ID() string {
	if k == nil {
		return ""
	}
	return k.id
}

// Seal returns secret sealed for the place that ad names, which is no secret: what it is, whose,
// and the version of the format, so that nobody moves it elsewhere. It is Overhead longer.
func (k *Key) Seal(secret, ad []byte) []byte { return k.aead.Seal(nil, nil, secret, ad) }

// Open returns the secret that Seal was given with the same ad, else ErrNotOpened. The caller
// wipes it.
func (k *Key) Open(sealed, ad []byte) ([]byte, error) {
	secret, err := k.aead.Open(nil, nil, sealed, ad)
	if err != nil {
		return nil, ErrNotOpened
	}
	return secret, nil
}
