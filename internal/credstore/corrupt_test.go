package credstore

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const secretBase64 = "Y29ycmVjdCBob3JzZQ==" // correct horse

// sealedBase64 is a secret of no key.
var sealedBase64 = strings.Repeat("AAAA", 10)

// home is a network as the file has it, but for its end.
const home = `{"id":1,"ssid":"aG9tZQ==","passphrase":"` + secretBase64 + `","security":"wpa2"`

var corrupt = map[string]string{
	"empty file":      "",
	"cut off":         `{"version":2,"networks":[{"ssid":"aG9tZQ==","passphrase":"` + secretBase64,
	"newer, cut off":  `{"version":4,"networks":[{"ssid":"aG9tZQ==","passphrase":"` + secretBase64,
	"zeros":           strings.Repeat("\x00", 512),
	"not an object":   `[]`,
	"null":            `null`,
	"version 0":       `{"version":0}`,
	"version -1":      `{"version":-1}`,
	"version 2.5":     `{"version":2.5}`,
	"no version":      `{}`,
	"trailing":        `{"version":2}{"version":2}`,
	"trailing newer":  `{"version":4}{"version":4}`,
	"sealed in 2":     `{"version":2,"networks":[{"id":1,"ssid":"aG9tZQ==","sealed":"` + sealedBase64 + `","key":"0123456789abcdef","security":"wpa2"}]}`,
	"sealed by none":  `{"version":3,"networks":[{"id":1,"ssid":"aG9tZQ==","sealed":"` + sealedBase64 + `","security":"wpa2"}]}`,
	"sealed nothing":  `{"version":3,"networks":[{"id":1,"ssid":"aG9tZQ==","key":"0123456789abcdef","security":"wpa2"}]}`,
	"key too long":    `{"version":3,"networks":[{"id":1,"ssid":"aG9tZQ==","sealed":"` + sealedBase64 + `","key":"0123456789abcdef0","security":"wpa2"}]}`,
	"seal too long":   `{"version":3,"networks":[{"id":1,"ssid":"aG9tZQ==","sealed":"` + strings.Repeat("AAAA", 31) + `","key":"k","security":"wpa2"}]}`,
	"not base64":      `{"version":2,"networks":[{"id":1,"ssid":"aG9tZQ==","passphrase":"correct horse","security":"wpa2"}]}`,
	"security":        `{"version":2,"networks":[{"id":1,"ssid":"aG9tZQ==","passphrase":"` + secretBase64 + `","security":"correct horse"}]}`,
	"no SSID":         `{"version":2,"networks":[{"id":1,"passphrase":"` + secretBase64 + `","security":"wpa2"}]}`,
	"no network":      `{"version":2,"networks":[null]}`,
	"no ID":           `{"version":2,"networks":[{"ssid":"aG9tZQ==","passphrase":"` + secretBase64 + `","security":"wpa2"}]}`,
	"ID too large":    `{"version":2,"networks":[{"id":4294967296,"ssid":"aG9tZQ==","passphrase":"` + secretBase64 + `","security":"wpa2"}]}`,
	"same ID":         `{"version":2,"networks":[` + home + `,"proven":true},` + home + `}]}`,
	"two proven":      `{"version":2,"networks":[` + home + `,"proven":true},{"id":2,` + home[8:] + `,"proven":true}]}`,
	"two candidates":  `{"version":2,"networks":[` + home + `},{"id":2,` + home[8:] + `}]}`,
	"BSSID":           `{"version":2,"networks":[` + home + `,"bssid":"` + strings.Repeat("x", 65) + `"}]}`,
	"short password":  `{"version":2,"networks":[{"id":1,"ssid":"aG9tZQ==","passphrase":"c2gwcnQh","security":"wpa2"}]}`,
	"good, then bad":  `{"version":2,"networks":[` + home + `},{"id":2,"ssid":"","passphrase":"","security":"wpa2","proven":true}]}`,
	"bond":            `{"version":2,"bonds":[{"address":"` + strings.Repeat("x", 65) + `"}]}`,
	"bonds":           `{"version":2,"bonds":[` + strings.Repeat(`{},`, maxStoredBonds) + `{}]}`,
	"version 1":       `{"version":1,"active":{"ssid":"","passphrase":"` + secretBase64 + `","security":"wpa2"}}`,
	"1: not base64":   `{"version":1,"active":{"ssid":"aG9tZQ==","passphrase":"correct horse","security":"wpa2"}}`,
	"1: security":     `{"version":1,"active":{"ssid":"aG9tZQ==","passphrase":"` + secretBase64 + `","security":"correct horse"}}`,
	"1: no SSID":      `{"version":1,"active":{"passphrase":"` + secretBase64 + `","security":"wpa2"}}`,
	"1: short":        `{"version":1,"candidate":{"ssid":"aG9tZQ==","passphrase":"c2gwcnQh","security":"wpa2"}}`,
	"1: second wrong": `{"version":1,"active":` + home + `},"candidate":{"ssid":"","passphrase":"","security":"wpa2"}}`,
}

func TestCorruptIsSetAside(t *testing.T) {
	for name, text := range corrupt {
		t.Run(name, func(t *testing.T) {
			s, log := openStore(t)
			write(t, s, text)
			if got := load(t, s); !reflect.DeepEqual(got, contents{}) {
				t.Errorf("got %+v", got)
			}
			aside := names(t, s.dir)
			if len(aside) != 1 || !strings.HasPrefix(aside[0], "credentials.json.corrupt-") {
				t.Fatalf("files: %q", aside)
			}
			if kept, err := os.ReadFile(filepath.Join(s.dir, aside[0])); err != nil || string(kept) != text {
				t.Errorf("kept %q, %v", kept, err)
			}
			if !strings.Contains(log.String(), aside[0]) || strings.Count(log.String(), "\n") != 1 {
				t.Errorf("log: %s", log)
			}
			for _, secret := range []string{secretBase64, "correct horse", "c2gwcnQh", "sh0rt!"} {
				if strings.Contains(log.String(), secret) {
					t.Errorf("the log quotes the file: %s", log)
				}
			}
			c := holding(network(1, "new", "12345678", wifi.WPA2PSK))
			save(t, s, c)
			if got := load(t, s); !reflect.DeepEqual(got, c) {
				t.Errorf("after a write: got %+v", got)
			}
		})
	}
}

func TestFewAreKeptAside(t *testing.T) {
	s, _ := openStore(t)
	for range maxAside + 2 {
		write(t, s, "corrupt")
		load(t, s)
	}
	if got, err := s.list(asidePrefix); err != nil || len(got) != maxAside {
		t.Errorf("kept %q, %v", got, err)
	}
}

// Erasing leaves the password in no file of the directory, set aside or not, even
// if the file is found to be corrupt only now.
func TestEraseLeavesNoSecret(t *testing.T) {
	bond := gatt.Bond{Adapter: "a", Central: "b", Pairing: gatt.Encrypt}
	kept := bond
	kept.Erased = true
	for name, want := range map[string]contents{
		"":          {bonds: []gatt.Bond{kept}, leave: true},
		", corrupt": {leave: true},
	} {
		t.Run("erase"+name, func(t *testing.T) {
			s, _ := openStore(t)
			c := holding(candidate(1, "home", "correct horse", wifi.WPA2PSK))
			c.bonds = []gatt.Bond{bond}
			save(t, s, c)
			cutOff := func() {
				if err := os.Truncate(s.path(), 120); err != nil {
					t.Fatal(err)
				}
			}
			cutOff()
			load(t, s)
			save(t, s, c)
			if got := names(t, s.dir); len(got) != 2 {
				t.Fatalf("files before: %q", got)
			}
			if name != "" {
				cutOff()
			}
			if err := s.Erase(); err != nil {
				t.Fatal(err)
			}
			if got := names(t, s.dir); !reflect.DeepEqual(got, []string{fileName}) {
				t.Errorf("files after: %q", got)
			}
			data, err := os.ReadFile(s.path())
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(data, []byte(secretBase64)) || bytes.Contains(data, []byte("correct horse")) {
				t.Errorf("the secret is still there: %s", data)
			}
			if got := load(t, s); !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// FuzzDecode: whatever is in the file, decode does not crash, and what it
// accepts is written and read again as it was.
func FuzzDecode(f *testing.F) {
	for _, text := range corrupt {
		f.Add([]byte(text))
	}
	for _, text := range newer {
		f.Add([]byte(text))
	}
	f.Add([]byte(version1(f)))
	for _, c := range []contents{
		{},
		holding(network(1, "home", "correct horse", wifi.AutoDetect), candidate(2, "b", "", wifi.Open)),
		{bonds: []gatt.Bond{{Adapter: "a", Central: "b", Pairing: gatt.Encrypt, Erased: true}}, leave: true},
	} {
		data, err := Sealing{}.encode(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		data, err = Sealing{sealedBy(f, 1).Key, true}.encode(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Sealing{}.decode(data)
		if err != nil {
			unseen := func(r rune) bool { return !unicode.IsPrint(r) }
			if text := err.Error(); strings.ContainsFunc(text, unseen) || len(text) > 1000 {
				t.Errorf("error %q", text)
			}
			if c.networks != nil || c.locked != nil || c.bonds != nil && !errors.Is(err, ErrNewer) || validateBonds(c.bonds) != nil {
				t.Errorf("with the error %v: %+v", err, c)
			}
			return
		}
		again, err := Sealing{}.encode(c)
		if err != nil {
			return // escaped, it is larger than the store takes
		}
		got, err := Sealing{}.decode(again)
		if err != nil {
			t.Fatalf("%q was accepted, but what is written of it not: %v", data, err)
		}
		if !reflect.DeepEqual(got, c) {
			t.Errorf("%q: got %+v, want %+v", data, got, c)
		}
	})
}
