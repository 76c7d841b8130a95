package gatt

import "fmt"

// Pairing is what a central must have done before it is served, and what a bond was
// made with. A larger value is stronger.
type Pairing uint8

// The pairing modes, by the names that the configuration has for them.
const (
	NoPairing     Pairing = iota // none: everything travels in plaintext
	Encrypt                      // encrypt: LE pairing, Just Works included
	Authenticated                // authenticated: LE Secure Connections pairing with a passkey
)

var pairingNames = [...]string{NoPairing: "none", Encrypt: "encrypt", Authenticated: "authenticated"}

// String returns the name that ParsePairing takes.
func (p Pairing) String() string {
	if int(p) < len(pairingNames) {
		return pairingNames[p]
	}
	return fmt.Sprintf("unknown (%d)", uint8(p))
}

// ParsePairing returns the mode called name: none, encrypt or authenticated.
func ParsePairing(name string) (Pairing, error) {
	for p, n := range pairingNames {
		if n == name {
			return Pairing(p), nil
		}
	}
	return NoPairing, fmt.Errorf("unknown pairing mode %q; use none, encrypt or authenticated", name)
}

// Bond is the keys that a central and an adapter have exchanged.
type Bond struct {
	Adapter string // the adapter's address, which stays when hci0 becomes hci1
	Central Central
	Pairing Pairing // it was made with
	Erased  bool    // an ERASE came over it or after it: it is to be removed
}
