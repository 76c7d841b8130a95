package wifi

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
)

// Lengths of a secret in bytes.
const (
	MinPassphraseLen = 8  // of a WPA passphrase
	MaxPassphraseLen = 63 // of a WPA passphrase
	RawPSKLen        = 64 // hex digits of a raw 256-bit PSK; also the longest password a phone may write
)

const redacted = "[redacted]"

// Passphrase is a network's secret: a WPA passphrase, or 64 hex digits of a raw
// PSK. However it is printed, logged or marshalled, it shows only that it is
// redacted.
type Passphrase struct{ b []byte }

// NewPassphrase returns a Passphrase with a copy of b.
func NewPassphrase(b []byte) Passphrase {
	return Passphrase{b: append([]byte(nil), b...)}
}

// Bytes returns the secret itself, not a copy.
func (p Passphrase) Bytes() []byte { return p.b }

// Len returns the secret's length in bytes.
func (p Passphrase) Len() int { return len(p.b) }

// Clone returns a Passphrase that outlives p.Wipe.
func (p Passphrase) Clone() Passphrase { return NewPassphrase(p.b) }

// Wipe overwrites the secret with zeros.
func (p Passphrase) Wipe() { clear(p.b) }

// RawPSK returns the 32 bytes of a raw PSK, and false if p is not 64 hex digits.
func (p Passphrase) RawPSK() ([]byte, bool) {
	if len(p.b) != RawPSKLen {
		return nil, false
	}
	psk := make([]byte, hex.DecodedLen(RawPSKLen))
	if _, err := hex.Decode(psk, p.b); err != nil {
		return nil, false
	}
	return psk, true
}

// String, GoString, Format, LogValue and MarshalText keep the secret out of
// whatever prints p.
func (p Passphrase) String() string               { return redacted }
func (p Passphrase) GoString() string             { return redacted }
func (p Passphrase) Format(f fmt.State, _ rune)   { _, _ = io.WriteString(f, redacted) }
func (p Passphrase) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (p Passphrase) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Credentials are what it takes to join a network.
type Credentials struct {
	SSID       SSID
	Passphrase Passphrase
	Security   Security
}

// Clone returns Credentials that outlive c.Wipe.
func (c Credentials) Clone() Credentials {
	c.Passphrase = c.Passphrase.Clone()
	return c
}

// Wipe overwrites the secret with zeros.
func (c Credentials) Wipe() { c.Passphrase.Wipe() }

// Validate returns nil if c could join some network, else an *Error with
// FailureInvalidCredentials that says what is wrong.
func (c Credentials) Validate() error {
	if problem := c.Problem(); problem != "" {
		return &Error{Failure: FailureInvalidCredentials, Detail: problem}
	}
	return nil
}

// Doubt returns, for a person, what makes a password that was refused look mistyped: white
// space at an end of it, as copying leaves there. Empty: nothing.
func (c Credentials) Doubt() string {
	b := c.Passphrase.b
	switch {
	case bytes.HasSuffix(b, []byte("\n")), bytes.HasSuffix(b, []byte("\r")):
		return "the password ends in a line break"
	case len(bytes.TrimRight(b, white)) < len(b):
		return "the password ends in white space"
	case len(bytes.TrimLeft(b, white)) < len(b):
		return "the password begins with white space"
	}
	return ""
}

// white are the characters that Doubt looks for: ASCII's, and the no-break space in UTF-8.
const white = " \t\n\v\f\r\u00a0"

// Problem returns what keeps c from joining any network, for a person; empty: nothing.
func (c Credentials) Problem() string {
	n := c.Passphrase.Len()
	_, raw := c.Passphrase.RawPSK()
	switch {
	case len(c.SSID) == 0:
		return "no SSID was written"
	case len(c.SSID) > MaxSSIDLen:
		return fmt.Sprintf("the SSID has %d bytes, more than %d", len(c.SSID), MaxSSIDLen)
	case !c.Security.Valid():
		return fmt.Sprintf("security type 0x%02x does not exist", byte(c.Security))
	case n > RawPSKLen:
		return fmt.Sprintf("the password has %d bytes, more than %d", n, RawPSKLen)
	case c.Security == Open && n > 0:
		return "an open network takes no password"
	case n == 0 && c.Security != Open && c.Security != AutoDetect:
		return fmt.Sprintf("security type %s needs a password", c.Security)
	case n > 0 && n < MinPassphraseLen:
		return fmt.Sprintf("a password has at least %d bytes", MinPassphraseLen)
	case n == RawPSKLen && !raw:
		return "a password of 64 bytes is a raw PSK and has hex digits only"
	case bytes.IndexByte(c.Passphrase.b, 0) >= 0:
		return "the password has a zero byte, which no network can have" // wpa_supplicant's is a C string
	case raw && c.Security == WPA3SAE:
		return "a raw PSK cannot be used with WPA3"
	}
	return ""
}
