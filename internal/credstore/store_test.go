package credstore

import (
	"bytes"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// network returns a network that was joined; candidate one that was not yet.
func network(id wifi.ID, ssid, passphrase string, security wifi.Security) wifi.Target {
	n := candidate(id, ssid, passphrase, security)
	n.Proven, n.Hint = true, wifi.Hint{BSSID: "02:00:00:00:01:00", FrequencyMHz: 2412}
	return n
}

func withSAE(n wifi.Target, record wifi.SAERecord) wifi.Target {
	n.Hint.SAE = record
	return n
}

func candidate(id wifi.ID, ssid, passphrase string, security wifi.Security) wifi.Target {
	return wifi.Target{ID: id, Credentials: credentials(ssid, passphrase, security)}
}

func credentials(ssid, passphrase string, security wifi.Security) wifi.Credentials {
	return wifi.Credentials{
		SSID:       wifi.SSID(ssid),
		Passphrase: wifi.NewPassphrase([]byte(passphrase)),
		Security:   security,
	}
}

// holding returns contents with networks only.
func holding(networks ...wifi.Target) contents { return contents{networks: networks} }

// sealing is how the tests' stores are opened: withSeal changes it.
var sealing Sealing

// openStore opens the store in a fresh directory, or in dir if one is given.
func openStore(t *testing.T, dir ...string) (*Store, *bytes.Buffer) {
	t.Helper()
	if len(dir) == 0 {
		dir = []string{filepath.Join(t.TempDir(), "store")}
	}
	var log bytes.Buffer
	s, err := open(dir[0], sealing, uint32(os.Geteuid()), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return s, &log
}

// load returns all that is stored.
func load(t *testing.T, s *Store) (c contents) {
	t.Helper()
	err := s.update(func(stored *contents) (bool, error) {
		c = stored.clone()
		c.inClear = nil
		for i, n := range c.networks {
			c.networks[i].Credentials = n.Credentials.Clone()
		}
		return false, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// save stores c in place of all that is stored.
func save(t *testing.T, s *Store, c contents) {
	t.Helper()
	err := s.update(func(stored *contents) (bool, error) {
		*stored = c
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// write puts text in the store's place.
func write(t *testing.T, s *Store, text string) {
	t.Helper()
	if err := os.WriteFile(s.path(), []byte(text), fileMode); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestSaveAndLoad(t *testing.T) {
	every := make([]byte, wifi.MaxSSIDLen)
	for i := range every {
		every[i] = byte(i * 8)
	}
	for name, c := range map[string]contents{
		"empty":      {},
		"proven":     holding(network(1, "home", "correct horse", wifi.AutoDetect)),
		"WPA3 works": holding(withSAE(network(1, "home", "correct horse", wifi.WPAAutoPersonal), wifi.SAEWorked)),
		"WPA3 fails": holding(withSAE(network(1, "home", "correct horse", wifi.AutoDetect), wifi.SAEFailed)),
		"candidate":  holding(candidate(math.MaxUint32, "home", `"quoted\" `+"\x01\xff", wifi.WPA2PSK)),
		"open":       holding(network(1, "café", "", wifi.Open)),
		"any bytes":  holding(network(1, string(every), strings.Repeat("0aF", 21)+"b", wifi.WPA2PSKSHA256)),
		"all": {
			networks: []wifi.Target{
				network(7, "a", "12345678", wifi.WPA3SAE),
				candidate(3, "b", "87654321", wifi.WPAAutoPersonal),
			},
			bonds: []gatt.Bond{
				{Adapter: "00:AA:01:00:00:42", Central: "00:AA:01:01:00:43", Pairing: gatt.Encrypt},
				{Adapter: "<&>", Central: "", Pairing: gatt.Authenticated, Erased: true},
			},
			leave: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, log := openStore(t)
			save(t, s, c)
			if got := load(t, s); !reflect.DeepEqual(got, c) {
				t.Errorf("got %+v, want %+v", got, c)
			}
			again, log2 := openStore(t, s.dir)
			if got := load(t, again); !reflect.DeepEqual(got, c) {
				t.Errorf("after Open: got %+v, want %+v", got, c)
			}
			if log.Len()+log2.Len() > 0 {
				t.Errorf("unexpected log: %s%s", log, log2)
			}
		})
	}
}

func TestModes(t *testing.T) {
	s, _ := openStore(t)
	save(t, s, holding(network(1, "a", "12345678", wifi.WPA2PSK)))
	for path, want := range map[string]os.FileMode{s.dir: 0o700 | os.ModeDir, s.path(): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s: mode %v, want %v", path, info.Mode(), want)
		}
	}
	if got := names(t, s.dir); !reflect.DeepEqual(got, []string{fileName}) {
		t.Errorf("files: %q", got)
	}
}

// What would make the file unreadable is refused where it comes in.
func TestRefusesWhatCannotBeReadAgain(t *testing.T) {
	good := holding(network(1, "good", "12345678", wifi.WPA2PSK))
	long := strings.Repeat("x", maxText+1)
	wide := make([]gatt.Bond, maxStoredBonds) // every byte becomes six
	for i := range wide {
		wide[i] = gatt.Bond{Adapter: strings.Repeat("<", maxText), Central: gatt.Central(strings.Repeat("<", maxText))}
	}
	for name, operation := range map[string]func(*Store) error{
		"BSSID that proves":   func(s *Store) error { return s.Prove(1, wifi.Hint{BSSID: long}) },
		"BSSID to remember":   func(s *Store) error { return s.Remember(1, wifi.Hint{BSSID: "\xff"}) },
		"adapter of a bond":   func(s *Store) error { return addBond(s, gatt.Bond{Adapter: long}) },
		"central of a bond":   func(s *Store) error { return addBond(s, gatt.Bond{Central: "\xff"}) },
		"more than maxSize":   func(s *Store) error { return s.save(contents{bonds: wide}, nil) },
		"a network not there": func(s *Store) error { return s.Prove(2, wifi.Hint{}) },
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := openStore(t)
			save(t, s, good)
			if err := operation(s); err == nil {
				t.Error("no error")
			}
			if got := load(t, s); !reflect.DeepEqual(got, good) {
				t.Errorf("the store now holds %+v", got)
			}
		})
	}
}

var wrongOwner = uint32(os.Geteuid()) + 1

// What is wrong with a store that is refused. A uid of 0 is the one of the test.
var refusals = []struct {
	name, problem, remedy string
	uid                   uint32
	damage                func(t *testing.T, dir, file string) error
}{
	{"owner of the directory", "belongs to user", "chown", wrongOwner,
		func(*testing.T, string, string) error { return nil }},
	{"mode of the directory", "has mode 0750, not 0700", "chmod 0700", 0,
		func(_ *testing.T, dir, _ string) error { return os.Chmod(dir, 0o750) }},
	{"directory is a link", "is a symbolic link", "store.dir", 0,
		func(_ *testing.T, dir, _ string) error {
			return errors.Join(os.Rename(dir, dir+".real"), os.Symlink(dir+".real", dir))
		}},
	{"directory is a file", "is not a directory", "rm", 0,
		func(_ *testing.T, dir, _ string) error {
			return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o700))
		}},
	{"mode of the file", "has mode 0640, not 0600", "chmod 0600", 0,
		func(_ *testing.T, _, file string) error { return os.Chmod(file, 0o640) }},
	{"mode of the file too strict", "has mode 0400, not 0600", "chmod 0600", 0,
		func(_ *testing.T, _, file string) error { return os.Chmod(file, 0o400) }},
	{"symbolic link", "is a symbolic link", "rm", 0,
		func(_ *testing.T, _, file string) error {
			return errors.Join(os.Rename(file, file+".real"), os.Symlink(file+".real", file))
		}},
	{"hard link", "has 2 hard links", "cp -p", 0,
		func(_ *testing.T, _, file string) error { return os.Link(file, file+".other") }},
	{"FIFO", "is not a regular file", "rm", 0,
		func(_ *testing.T, _, file string) error {
			return errors.Join(os.Remove(file), syscall.Mkfifo(file, 0o600))
		}},
	{"directory in the file's place", "is not a regular file", "rm", 0,
		func(_ *testing.T, _, file string) error { return errors.Join(os.Remove(file), os.Mkdir(file, 0o600)) }},
	{"too large", "has 65537 bytes, more than 65536", "mv", 0,
		func(_ *testing.T, _, file string) error { return os.Truncate(file, maxSize+1) }},
}

func TestRefused(t *testing.T) {
	for _, tt := range refusals {
		t.Run(tt.name, func(t *testing.T) {
			s, log := openStore(t)
			save(t, s, holding(network(1, "a", "12345678", wifi.WPA2PSK)))
			if err := tt.damage(t, s.dir, s.path()); err != nil {
				t.Fatal(err)
			}
			uid := tt.uid
			if uid == 0 {
				uid = uint32(os.Geteuid())
			}
			err := Check(s.dir)
			if tt.uid != 0 {
				_, err = open(s.dir, sealing, uid, s.log)
			}
			var refused *RefusedError
			if !errors.As(err, &refused) {
				t.Fatalf("got %v, want a *RefusedError", err)
			}
			if !strings.HasPrefix(refused.Path, s.dir) || !strings.Contains(refused.Problem, tt.problem) ||
				!strings.Contains(refused.Remedy, tt.remedy) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
			if log.Len() > 0 {
				t.Errorf("unexpected log: %s", log)
			}
			if tt.uid == 0 {
				checkUsable(t, s.dir, errors.Is(err, errJunk))
			}
		})
	}
}

// checkUsable checks that a store that was refused can be used all the same: it is empty, what is
// put into it is there, and ERASE does not claim more than it does. Junk is out of the way at once,
// and all else in the file's place with the first change; a directory stays as it is.
func checkUsable(t *testing.T, dir string, junk bool) {
	t.Helper()
	var log bytes.Buffer
	s := Open(dir, sealing, slog.New(slog.NewTextHandler(&log, nil)))
	told := "the store cannot be used"
	if junk {
		told = "the store is corrupt"
	}
	if known, _, err := s.Networks(); err != nil || len(known) > 0 || strings.Count(log.String(), told) != 1 {
		t.Errorf("networks %v, %v; log: %s", known, err, &log)
	}
	id, err := s.SaveCandidate(credentials("new", "battery staple", wifi.WPA2PSK))
	must(t, err)
	must(t, s.Prove(id, wifi.Hint{}))
	target, err := s.Target(id)
	if err != nil || string(target.Credentials.Passphrase.Bytes()) != "battery staple" || !target.Proven {
		t.Errorf("target %+v, %v", target, err)
	}
	again, _ := open(dir, sealing, uint32(os.Geteuid()), s.log)
	again.mem = nil
	f, err := again.load()
	defer f.wipe()
	durable := err == nil && len(f.networks) == 1
	if inMemory := s.mem.changed; durable == inMemory {
		t.Errorf("durable: %v, in memory: %v", durable, inMemory)
	}
	if erased := s.Erase() == nil; erased != durable && erased {
		t.Log("erased what was in memory alone")
	}
	if strings.Contains(log.String(), "battery") {
		t.Errorf("the log holds a secret: %s", &log)
	}
}

// TestDiskFails: each way in which the disk may fail leaves the store usable, in memory, and what is on
// the disk as it was; once the disk is well the next change is durable.
func TestDiskFails(t *testing.T) {
	for _, step := range []string{"read", "create", "write", "sync file", "rename", "sync directory"} {
		t.Run(step, func(t *testing.T) {
			var log bytes.Buffer
			dir := filepath.Join(t.TempDir(), "store")
			s := Open(dir, sealing, slog.New(slog.NewTextHandler(&log, nil)))
			id, err := s.SaveCandidate(credentials("old", "correct horse", wifi.WPA2PSK))
			must(t, err)
			must(t, s.Prove(id, wifi.Hint{}))
			old, err := os.ReadFile(s.path())
			must(t, err)

			s.before = func(now string) error {
				if now == step {
					return syscall.EIO
				}
				return nil
			}
			id, err = s.SaveCandidate(credentials("new", "battery staple", wifi.WPA2PSK))
			must(t, err)
			must(t, s.Prove(id, wifi.Hint{FrequencyMHz: 2412}))
			known, _, err := s.Networks()
			if err != nil || len(known) != 1 || known[0].SSID != "new" || !known[0].Proven {
				t.Errorf("networks %v, %v", known, err)
			}
			if now, err := os.ReadFile(s.path()); step != "read" && (err != nil || !bytes.Equal(now, old)) {
				t.Errorf("the disk now holds %q, %v", now, err)
			}
			if step != "read" { // then the new file is on the disk, and can be erased
				if err := s.Erase(); err == nil {
					t.Error("ERASE claims that what is on the disk is gone")
				}
			}
			if !strings.Contains(log.String(), "store-unusable") {
				t.Errorf("log: %s", &log)
			}

			s.before = nil
			must(t, s.Remember(id, wifi.Hint{FrequencyMHz: 2437}))
			if s.mem.changed || !strings.Contains(log.String(), "store-usable") {
				t.Errorf("the store stays in memory; log: %s", &log)
			}
			again := Open(dir, sealing, s.log)
			if known, _, err := again.Networks(); err != nil || len(known) != 1 || known[0].SSID != "new" {
				t.Errorf("at the next start: networks %v, %v", known, err)
			}
		})
	}
}

// The owner of the file is told apart from that of the directory, which only root
// can try for real.
func TestRefusedOwnerOfFile(t *testing.T) {
	s, _ := openStore(t)
	save(t, s, contents{})
	info, err := os.Stat(s.path())
	if err != nil {
		t.Fatal(err)
	}
	s.uid++
	err = s.checkFile(info)
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Path != s.path() || !strings.Contains(err.Error(), "chown") {
		t.Errorf("got %v", err)
	}
}

func TestOpenNeedsParent(t *testing.T) {
	if _, err := open(filepath.Join(t.TempDir(), "no", "store"), sealing, uint32(os.Geteuid()), slog.New(slog.DiscardHandler)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
