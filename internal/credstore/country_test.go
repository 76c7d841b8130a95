package credstore

import (
	"os"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

func TestCountry(t *testing.T) {
	s, _ := openStore(t)
	is := func(want wifi.Country) {
		t.Helper()
		if got, err := s.Country(); got != want || err != nil {
			t.Errorf("the country is %q, %v; want %q", got, err, want)
		}
	}
	is("")
	must(t, s.SetCountry("DE"))
	id := saveCandidate(t, s, "home")
	is("DE")
	s, err := open(s.dir, sealing, uint32(os.Geteuid()), s.log)
	must(t, err)
	is("DE")

	// A country that another version knows costs no network.
	data, err := os.ReadFile(s.path())
	must(t, err)
	must(t, os.WriteFile(s.path(), []byte(strings.Replace(string(data), `"DE"`, `"ZZ"`, 1)), 0o600))
	is("")
	if _, err := s.Target(id); err != nil {
		t.Error(err)
	}

	must(t, s.SetCountry("FR"))
	must(t, s.Erase())
	is("")
}

// TestReadCountry: the file is read as the store reads it, and nothing is changed.
func TestReadCountry(t *testing.T) {
	s, _ := openStore(t)
	is := func(want wifi.Country, refused bool) {
		t.Helper()
		before, _ := os.ReadDir(s.dir)
		if got, err := ReadCountry(s.dir); got != want || (err != nil) != refused {
			t.Errorf("the country is %q, %v; want %q", got, err, want)
		}
		if after, _ := os.ReadDir(s.dir); len(after) != len(before) {
			t.Errorf("it has made or removed files: %v, before %v", after, before)
		}
	}
	is("", false)
	must(t, s.SetCountry("DE"))
	is("DE", false)
	must(t, os.Chmod(s.path(), 0o644))
	is("", true)
	must(t, os.WriteFile(s.path(), []byte(`{"version":99,"country":"DE"}`), 0o600))
	must(t, os.Chmod(s.path(), 0o600))
	is("", true)
	must(t, os.WriteFile(s.path(), []byte("junk"), 0o600))
	is("", false)
	must(t, os.RemoveAll(s.dir))
	if got, err := ReadCountry(s.dir); got != "" || err != nil {
		t.Errorf("without a store: %q, %v", got, err)
	}
}
