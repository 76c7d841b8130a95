//go:build lab

package lab

import (
	"bufio"
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// secretsFile lists the secrets that the tests have used since the first boot.
const secretsFile = "/var/lib/lab/secrets"

// pskFile keeps the PSKs of those secrets, by what keyOf says: each takes the emulated machine a quarter
// of a second.
const pskFile = "/var/lib/lab/psks"

// usedSecret is a network's name and what a phone or an access point was given
// as its password.
type usedSecret struct{ SSID, Password string }

var secretMu sync.Mutex

// secret notes a password for TestCanary, which searches for it wherever it must not be. It has to be
// distinctive: wherever it is found, it was leaked. What is too short for a network's password is
// not searched for.
func secret(t testing.TB, ssid, password string) {
	t.Helper()
	if len(password) < wifi.MinPassphraseLen {
		return
	}
	secretMu.Lock()
	defer secretMu.Unlock()
	line, err := json.Marshal(usedSecret{hex.EncodeToString([]byte(ssid)), hex.EncodeToString([]byte(password))})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(secretsFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
}

// usedSecrets returns what was noted, each once.
func usedSecrets(t testing.TB) []usedSecret {
	t.Helper()
	f, err := os.Open(secretsFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		t.Fatal(err)
	}
	defer f.Close()
	var used []usedSecret
	seen := map[usedSecret]bool{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var s usedSecret
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		ssid, err1 := hex.DecodeString(s.SSID)
		password, err2 := hex.DecodeString(s.Password)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if s = (usedSecret{string(ssid), string(password)}); !seen[s] {
			seen[s] = true
			used = append(used, s)
		}
	}
	return used
}

// psks are PSKs by keyOf their secret.
type psks map[string][]byte

func keyOf(s usedSecret) string { return fmt.Sprintf("%x %x", s.SSID, s.Password) }

// knownPSKs returns those of earlier boots.
func knownPSKs(t testing.TB) psks {
	t.Helper()
	known := psks{}
	data, err := os.ReadFile(pskFile)
	if err == nil {
		err = json.Unmarshal(data, &known)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return known
}

// save keeps them for the boots that follow.
func (known psks) save(t testing.TB) {
	t.Helper()
	data, err := json.Marshal(known)
	if err == nil {
		err = os.WriteFile(pskFile, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// of returns a secret's PSK (IEEE 802.11-2020, J.4).
func (known psks) of(t testing.TB, s usedSecret) []byte {
	t.Helper()
	if psk, raw := wifi.NewPassphrase([]byte(s.Password)).RawPSK(); raw {
		return psk
	}
	psk := known[keyOf(s)]
	if psk == nil {
		var err error
		if psk, err = pbkdf2.Key(sha1.New, s.Password, []byte(s.SSID), 4096, 32); err != nil {
			t.Fatal(err)
		}
		known[keyOf(s)] = psk
	}
	return psk
}

// forms returns the forms in which a secret could be leaked: itself and its PSK, each as bytes, as
// programs print bytes, as text with escapes, and in base64.
func (known psks) forms(t testing.TB, s usedSecret) [][]byte {
	t.Helper()
	return append(writtenForms([]byte(s.Password)), writtenForms(known.of(t, s))...)
}

func writtenForms(b []byte) [][]byte {
	each := func(format, separator string) []byte {
		var text []string
		for _, c := range b {
			text = append(text, fmt.Sprintf(format, c))
		}
		return []byte(strings.Join(text, separator))
	}
	quoted := strconv.Quote(string(b))
	return [][]byte{
		b,
		each("%02x", ""), each("%02X", ""), each("%02x", " "), each("%02x", ":"), each("%d", " "), each("%#x", ", "),
		[]byte(quoted[1 : len(quoted)-1]),
		[]byte(base64.RawStdEncoding.EncodeToString(b)[:len(b)]),
	}
}

// finder finds any of many needles of at least four bytes in one pass.
type finder struct {
	starts  []bool // by the hash of the needle's first four bytes
	needles map[uint32][][]byte
}

func newFinder(needles [][]byte) *finder {
	f := &finder{starts: make([]bool, 1<<16), needles: map[uint32][][]byte{}}
	for _, n := range needles {
		start := binary.BigEndian.Uint32(n)
		f.starts[hashed(start)] = true
		f.needles[start] = append(f.needles[start], n)
	}
	return f
}

// hashed spreads four bytes over 16 bits (Fibonacci hashing).
func hashed(start uint32) uint16 { return uint16(start * 2654435769 >> 16) }

// find returns where in data needles are: the index of each, and the needle.
func (f *finder) find(data []byte) map[int][]byte {
	found := map[int][]byte{}
	var start uint32
	for i, b := range data {
		start = start<<8 | uint32(b)
		if !f.starts[hashed(start)] || i < 3 {
			continue
		}
		for _, n := range f.needles[start] {
			if bytes.HasPrefix(data[i-3:], n) {
				found[i-3] = n
			}
		}
	}
	return found
}
