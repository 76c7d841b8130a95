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
	s, err := open(s.dir, uint32(os.Geteuid()), s.log)
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
