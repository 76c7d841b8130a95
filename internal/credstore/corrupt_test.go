package credstore

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const secretBase64 = "Y29ycmVjdCBob3JzZQ==" // correct horse

var corrupt = map[string]string{
	"empty file":     "",
	"cut off":        `{"version":1,"active":{"ssid":"aG9tZQ==","passphrase":"` + secretBase64,
	"zeros":          strings.Repeat("\x00", 512),
	"not an object":  `[]`,
	"null":           `null`,
	"other version":  `{"version":2}`,
	"no version":     `{}`,
	"trailing":       `{"version":1}{"version":1}`,
	"not base64":     `{"version":1,"active":{"ssid":"aG9tZQ==","passphrase":"correct horse","security":"wpa2"}}`,
	"security":       `{"version":1,"active":{"ssid":"aG9tZQ==","passphrase":"` + secretBase64 + `","security":"correct horse"}}`,
	"no SSID":        `{"version":1,"active":{"passphrase":"` + secretBase64 + `","security":"wpa2"}}`,
	"short password": `{"version":1,"candidate":{"ssid":"aG9tZQ==","passphrase":"c2gwcnQh","security":"wpa2"}}`,
	"good active, bad candidate": `{"version":1,"active":{"ssid":"aG9tZQ==","passphrase":"` + secretBase64 +
		`","security":"wpa2"},"candidate":{"ssid":"","passphrase":"","security":"wpa2"}}`,
	"bond":  `{"version":1,"bonds":[{"address":"` + strings.Repeat("x", 65) + `"}]}`,
	"bonds": `{"version":1,"bonds":[` + strings.Repeat(`{},`, MaxBonds) + `{}]}`,
}

func TestCorruptIsSetAside(t *testing.T) {
	for name, text := range corrupt {
		t.Run(name, func(t *testing.T) {
			s, log := openStore(t)
			if err := os.WriteFile(s.path(), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := load(t, s); !reflect.DeepEqual(got, Contents{}) {
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
			c := Contents{Active: entry("new", "12345678", wifi.WPA2PSK)}
			save(t, s, c)
			if got := load(t, s); !reflect.DeepEqual(got, c) {
				t.Errorf("after Save: got %+v", got)
			}
		})
	}
}

func TestFewAreKeptAside(t *testing.T) {
	s, _ := openStore(t)
	for range maxAside + 2 {
		if err := os.WriteFile(s.path(), []byte("corrupt"), 0o600); err != nil {
			t.Fatal(err)
		}
		load(t, s)
	}
	if got := s.list(asidePrefix); len(got) != maxAside {
		t.Errorf("kept %q", got)
	}
}

// Erasing leaves the password in no file of the folder, set aside or not.
func TestEraseLeavesNoSecret(t *testing.T) {
	s, _ := openStore(t)
	save(t, s, Contents{Candidate: entry("home", "correct horse", wifi.WPA2PSK)})
	if err := os.Truncate(s.path(), 100); err != nil { // cut off: corrupt
		t.Fatal(err)
	}
	load(t, s)
	save(t, s, Contents{Active: entry("home", "correct horse", wifi.WPA2PSK)})
	if got := names(t, s.dir); len(got) != 2 {
		t.Fatalf("files before: %q", got)
	}

	bonds := Contents{Bonds: []Bond{{Adapter: "a", Address: "b", Mode: "encrypt", Forget: true}}, Leave: true}
	save(t, s, bonds)
	if got := names(t, s.dir); len(got) != 2 {
		t.Errorf("what was set aside went with a Save: %q", got)
	}
	if err := s.RemoveAside(); err != nil {
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
	if got := load(t, s); !reflect.DeepEqual(got, bonds) {
		t.Errorf("got %+v", got)
	}
}

// FuzzDecode: whatever is in the file, decode does not crash, and what it
// accepts is written and read again as it was.
func FuzzDecode(f *testing.F) {
	for _, text := range corrupt {
		f.Add([]byte(text))
	}
	for _, c := range []Contents{
		{},
		{Active: entry("home", "correct horse", wifi.AutoDetect), Candidate: entry("b", "", wifi.Open)},
		{Bonds: []Bond{{Adapter: "a", Address: "b", Mode: "encrypt", Forget: true}}},
	} {
		data, err := encode(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := decode(data)
		if err != nil {
			unseen := func(r rune) bool { return !unicode.IsPrint(r) }
			if text := err.Error(); strings.ContainsFunc(text, unseen) || len(text) > 1000 {
				t.Errorf("error %q", text)
			}
			return
		}
		if len(c.Bonds) == 0 {
			c.Bonds = nil // [] and null are the same
		}
		again, err := encode(c)
		if err != nil {
			return // escaped, it is larger than the store takes
		}
		got, err := decode(again)
		if err != nil {
			t.Fatalf("%q was accepted, but what is written of it not: %v", data, err)
		}
		if !reflect.DeepEqual(got, c) {
			t.Errorf("%q: got %+v, want %+v", data, got, c)
		}
	})
}
