package credstore

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// version1 returns a file that the last wifiprovd with format version 1 wrote.
func version1(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("testdata/version1.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestVersion1: the file is read as it is, and becomes version 2 with the next write
// with all that was in it.
func TestVersion1(t *testing.T) {
	want := contents{
		networks: []wifi.Target{
			network(1, "caf\xe9", "correct horse", wifi.WPAAutoPersonal),
			candidate(2, "new home", "battery staple", wifi.AutoDetect),
		},
		bonds: []gatt.Bond{
			{Adapter: "00:AA:01:00:00:42", Central: "00:AA:01:01:00:43", Pairing: gatt.Authenticated},
			{Adapter: "00:AA:01:00:00:42", Central: "C0:AA:01:01:00:44", Pairing: gatt.Encrypt, Erased: true},
			{Adapter: "00:AA:01:00:00:43", Central: "C0:AA:01:01:00:45", Pairing: gatt.NoPairing},
		},
		leave: true,
	}
	s, _ := openStore(t)
	write(t, s, version1(t))
	s, log := openStore(t, s.dir)
	if got := load(t, s); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := text(t, s); got != version1(t) {
		t.Errorf("reading has changed the file: %s", got)
	}

	if err := s.Left(); err != nil {
		t.Fatal(err)
	}
	want.leave = false
	if got := text(t, s); !strings.HasPrefix(got, `{"version":2,`) {
		t.Errorf("after a write: %s", got)
	}
	if got := load(t, s); !reflect.DeepEqual(got, want) {
		t.Errorf("after a write: got %+v, want %+v", got, want)
	}
	if log.Len() > 0 {
		t.Errorf("unexpected log: %s", log)
	}
}

// newer are files of a later format, as it may be.
var newer = map[string]string{
	"bare":            `{"version":4}`,
	"like this one":   `{"version":4,"networks":[` + home + `}],"bonds":[{"adapter":"a","address":"b","mode":"encrypt"}]}`,
	"other types":     `{"version":4,"networks":{"1":{}},"leave":"now","bonds":[{"adapter":"a","address":"b","mode":"encrypt"}]}`,
	"other bonds":     `{"version":5,"networks":[{"passphrase":"correct horse"}],"bonds":{"a":"b"}}`,
	"bonds too large": `{"version":5,"bonds":[{"adapter":"` + strings.Repeat("x", maxText+1) + `"}]}`,
}

// TestNewer: the file of a newer wifiprovd is kept, each operation says what to do,
// and Erase starts over.
func TestNewer(t *testing.T) {
	for name, file := range newer {
		t.Run(name, func(t *testing.T) {
			s, _ := openStore(t)
			write(t, s, file)
			s, log := openStore(t, s.dir)
			for name, err := range everyOperation(s) {
				refused(t, name, err, file[11:12])
			}
			refused(t, "Check", Check(s.dir), file[11:12])
			if got := text(t, s); got != file {
				t.Errorf("the file is now %s", got)
			}
			if got := names(t, s.dir); len(got) != 1 || log.Len() > 0 {
				t.Errorf("files %q, log %s", got, log)
			}

			if err := s.Erase(); err != nil {
				t.Fatal(err)
			}
			want := contents{leave: true}
			if strings.Contains(file, `"mode"`) {
				want.bonds = []gatt.Bond{{Adapter: "a", Central: "b", Pairing: gatt.Encrypt, Erased: true}}
			}
			if got := load(t, s); !reflect.DeepEqual(got, want) {
				t.Errorf("after Erase: %+v", got)
			}
			if err := Check(s.dir); err != nil {
				t.Errorf("after Erase: %v", err)
			}
			if _, err := s.SaveCandidate(added.Credentials); err != nil {
				t.Errorf("after Erase: %v", err)
			}
		})
	}
}

// TestEraseOfNewerFails: a file that cannot be replaced is still there.
func TestEraseOfNewerFails(t *testing.T) {
	for _, step := range steps {
		s, _ := openStore(t)
		write(t, s, newer["bare"])
		s.before = func(name string) error {
			if name == step {
				return errors.New("input/output error")
			}
			return nil
		}
		if err := s.Erase(); err == nil {
			t.Errorf("%s: no error", step)
		}
		if got := text(t, s); got != newer["bare"] {
			t.Errorf("%s: the file is now %q", step, got)
		}
	}
}

// everyOperation returns what each one but Erase returns.
func everyOperation(s *Store) map[string]error {
	_, _, networks := s.Networks()
	_, target := s.Target(1)
	_, candidate := s.SaveCandidate(added.Credentials)
	_, bonds := s.Bonds()
	return map[string]error{
		"Networks":      networks,
		"Target":        target,
		"SaveCandidate": candidate,
		"Prove":         s.Prove(1, wifi.Hint{}),
		"Remember":      s.Remember(1, wifi.Hint{}),
		"DropCandidate": s.DropCandidate(),
		"Left":          s.Left(),
		"AddBond":       addBond(s, gatt.Bond{}),
		"Bonds":         bonds,
		"DropBond":      s.DropBond(gatt.Bond{}),
	}
}

// refused checks that err says that the file is of a newer version, and what to do.
func refused(t *testing.T, operation string, err error, version string) {
	t.Helper()
	var refused *RefusedError
	if !errors.As(err, &refused) || !errors.Is(err, ErrNewer) {
		t.Errorf("%s: %v", operation, err)
		return
	}
	for _, part := range []string{fileName, "newer wifiprovd", "version " + version, "install", "ERASE"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %q is not in %v", operation, part, err)
		}
	}
}

// text returns the file.
func text(t *testing.T, s *Store) string {
	t.Helper()
	data, err := os.ReadFile(s.path())
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
