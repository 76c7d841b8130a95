// Package code is the code on the box: the secret that is printed on a gateway's label, and that
// whoever provisions it by Espressif's protocol must know. The gateway keeps a verifier of it, in
// one file that only root can read, and never the code itself.
package code

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/wifiprovd/wifiprovd/internal/srp"
)

// A new code has Length characters of Alphabet, which has no two that look alike: 59 bits. Who
// takes the verifier can try codes at home as fast as SHA-512 and an exponentiation allow; fewer
// bits would be found.
const (
	Alphabet = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
	Length   = 12
)

// Lengths in bytes of a code that a person or a factory has chosen, and of a user name.
const (
	ShortestCode = 8
	LongestCode  = 64
	LongestUser  = 32
)

// New returns a new code for a user name that is allowed.
func New(user string) string {
	for {
		code := make([]byte, Length)
		for i := range code {
			code[i] = Alphabet[draw(len(Alphabet))]
		}
		if srp.Usable(user, code) {
			return string(code)
		}
	}
}

// draw returns one of n numbers from 0, each as likely; n is at most 256.
func draw(n int) int {
	var b [1]byte
	for {
		_, _ = rand.Read(b[:]) // never fails (crypto/rand)
		if v := int(b[0]); v < 256/n*n {
			return v % n
		}
	}
}

// Verifier returns what the gateway keeps of a code. It is an error, which does not show the
// code, if code or user is none that every phone can send.
func Verifier(user string, code []byte) (srp.Verifier, error) {
	switch {
	case !plain([]byte(user)) || len(user) == 0 || len(user) > LongestUser:
		return srp.Verifier{}, fmt.Errorf("a user name has 1 to %d letters, digits and signs of ASCII, without spaces", LongestUser)
	case !plain(code) || len(code) < ShortestCode || len(code) > LongestCode:
		return srp.Verifier{}, fmt.Errorf("a code has %d to %d letters, digits and signs of ASCII, without spaces",
			ShortestCode, LongestCode)
	case mistakable(code):
		return srp.Verifier{}, errors.New("a code of a label's twelve characters has capitals and no dashes: the page takes what is typed for such a one")
	case !srp.Usable(user, code):
		return srp.Verifier{}, errors.New("some phones would take this code for a wrong one, as they would one in 256 codes: choose another one")
	}
	return srp.NewVerifier(user, code), nil
}

// mistakable reports whether a client that takes what a person types for a label's code, in
// small letters or with dashes, would turn this code into another one.
func mistakable(code []byte) bool {
	label := bytes.ToUpper(bytes.ReplaceAll(code, []byte("-"), nil))
	return len(label) == Length && len(bytes.Trim(label, Alphabet)) == 0 && !bytes.Equal(label, code)
}

// plain reports whether b has only what can be seen in ASCII: phones do not agree on how to
// send anything else.
func plain(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}
