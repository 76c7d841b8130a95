package credstore

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/seal"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const canary = "a canary's password"

// sealedBy returns a Sealing by the key of a number.
func sealedBy(t testing.TB, n byte) Sealing {
	t.Helper()
	key, err := seal.New(bytes.Repeat([]byte{n}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return Sealing{Key: key, Want: true}
}

// TestSealedToo runs with sealing on what has to be so of any store.
func TestSealedToo(t *testing.T) {
	before := sealing
	defer func() { sealing = before }()
	sealing = sealedBy(t, 1)
	t.Setenv("CREDSTORE_SEALED", "1")
	for name, test := range map[string]func(*testing.T){
		"SaveAndLoad":                  TestSaveAndLoad,
		"Modes":                        TestModes,
		"RefusesWhatCannotBeReadAgain": TestRefusesWhatCannotBeReadAgain,
		"Refused":                      TestRefused,
		"DiskFails":                    TestDiskFails,
		"FailureAtEachStep":            TestFailureAtEachStep,
		"CannotPutBack":                TestCannotPutBack,
		"CrashAtEachStep":              TestCrashAtEachStep,
		"Killed":                       TestKilled,
		"CorruptIsSetAside":            TestCorruptIsSetAside,
		"EraseLeavesNoSecret":          TestEraseLeavesNoSecret,
		"EraseOfNewerFails":            TestEraseOfNewerFails,
		"Newer":                        TestNewer,
		"Country":                      TestCountry,
	} {
		t.Run(name, test)
	}
}

// opened opens the store in dir as the daemon does.
func opened(t *testing.T, dir string, sealing Sealing) (*Store, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	s := Open(dir, sealing, slog.New(slog.NewTextHandler(&log, nil)))
	return s, &log
}

// provisioned returns a folder with a store whose network was joined.
func provisioned(t *testing.T, sealing Sealing) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	s, _ := opened(t, dir, sealing)
	join(t, s, "home", canary)
	must(t, addBond(s, gatt.Bond{Adapter: "a", Central: "b", Pairing: gatt.Encrypt}))
	return dir
}

// join does what the daemon does when a phone provisions a network.
func join(t *testing.T, s *Store, ssid, password string) wifi.ID {
	t.Helper()
	id, err := s.SaveCandidate(credentials(ssid, password, wifi.WPA2PSK))
	must(t, err)
	must(t, s.Prove(id, wifi.Hint{FrequencyMHz: 2412}))
	return id
}

// has checks that the store has this network and no other; empty: none.
func has(t *testing.T, s *Store, ssid, password string) {
	t.Helper()
	known, _, err := s.Networks()
	must(t, err)
	if ssid == "" {
		if len(known) > 0 {
			t.Errorf("it has %+v", known)
		}
		return
	}
	if len(known) != 1 || string(known[0].SSID) != ssid || !known[0].Proven {
		t.Fatalf("it has %+v, not %q", known, ssid)
	}
	target, err := s.Target(known[0].ID)
	if err != nil || string(target.Credentials.Passphrase.Bytes()) != password {
		t.Errorf("%q has another password, %v", ssid, err)
	}
}

// lies checks how many networks the disk has in clear and sealed; and that a password of which
// none is in clear is in no file of the folder, in any form.
func lies(t *testing.T, dir string, inClear, sealed int) {
	t.Helper()
	got, err := Look(dir)
	if err != nil || got.Clear != inClear || got.Sealed != sealed || len(got.Keys) != sealed {
		t.Errorf("on the disk: %+v, %v; want %d in clear, %d sealed", got, err, inClear, sealed)
	}
	if inClear == 0 {
		noCanary(t, dir)
	}
}

func noCanary(t *testing.T, dir string) {
	t.Helper()
	for _, name := range names(t, dir) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		for _, form := range []string{canary, canary[3:12], base64.StdEncoding.EncodeToString([]byte(canary))[:20]} {
			if bytes.Contains(data, []byte(form)) {
				t.Errorf("%s holds the password: %s", name, data)
			}
		}
	}
}

// TestSealAndUndo: what is in clear is sealed, what is sealed is opened, and the daemon of before
// can read it then. Nothing else changes, and nothing is written the second time.
func TestSealAndUndo(t *testing.T) {
	on := sealedBy(t, 1)
	off := Sealing{Key: on.Key}
	dir := provisioned(t, Sealing{})
	lies(t, dir, 1, 0)
	clearFile, err := os.ReadFile(filepath.Join(dir, fileName))
	must(t, err)

	s, log := opened(t, dir, on)
	has(t, s, "home", canary)
	lies(t, dir, 0, 1)
	if !strings.Contains(log.String(), "store-sealed") {
		t.Errorf("log: %s", log)
	}
	sealedFile, err := os.ReadFile(filepath.Join(dir, fileName))
	must(t, err)
	if !strings.HasPrefix(string(sealedFile), sealedStart) {
		t.Errorf("the file begins otherwise: %s", sealedFile)
	}
	s, log = opened(t, dir, on)
	has(t, s, "home", canary)
	if again, err := os.ReadFile(filepath.Join(dir, fileName)); err != nil || !bytes.Equal(again, sealedFile) || log.Len() > 0 {
		t.Errorf("it is written again: %v, log %s", err, log)
	}

	s, log = opened(t, dir, off)
	has(t, s, "home", canary)
	if !strings.Contains(log.String(), "store-opened") {
		t.Errorf("log: %s", log)
	}
	if again, err := os.ReadFile(filepath.Join(dir, fileName)); err != nil || !bytes.Equal(again, clearFile) {
		t.Errorf("after the undo: %s, %v; before %s", again, err, clearFile)
	}
	s, _ = opened(t, dir, Sealing{})
	has(t, s, "home", canary)
}

// TestSealLeavesNoCopy: neither what a power cut has left nor what was set aside keeps a password
// in clear; what was set aside of a sealed store stays.
func TestSealLeavesNoCopy(t *testing.T) {
	dir := provisioned(t, Sealing{})
	text, err := os.ReadFile(filepath.Join(dir, fileName))
	must(t, err)
	for _, name := range []string{tempPrefix + "1", asidePrefix + "1", asidePrefix + "2"} {
		must(t, os.WriteFile(filepath.Join(dir, name), text[:len(text)-5], 0o600))
	}
	must(t, os.Mkdir(filepath.Join(dir, asidePrefix+"3"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, asidePrefix+"4"), []byte(sealedStart+`"networks":[{"sealed":`), 0o600))
	s, log := opened(t, dir, sealedBy(t, 1))
	has(t, s, "home", canary)
	lies(t, dir, 0, 1)
	if got, want := names(t, dir), []string{fileName, asidePrefix + "4"}; !reflect.DeepEqual(got, want) {
		t.Errorf("files %q, want %q; log %s", got, want, log)
	}
}

// TestNoKey: with no key, or with another, the gateway is as one that was never provisioned, but for
// its bonds; what is sealed stays until another network was joined, and is there again with the key.
func TestNoKey(t *testing.T) {
	on := sealedBy(t, 1)
	for name, now := range map[string]Sealing{
		"no key": {Want: true}, "another key": sealedBy(t, 2), "off, no key": {}, "off, another key": {Key: sealedBy(t, 2).Key},
	} {
		t.Run(name, func(t *testing.T) {
			dir := provisioned(t, on)
			s, log := opened(t, dir, now)
			has(t, s, "", "")
			if bonds, err := s.Bonds(); err != nil || len(bonds) != 1 {
				t.Errorf("bonds %v, %v", bonds, err)
			}
			if !strings.Contains(log.String(), "store-locked") || !strings.Contains(log.String(), "level=ERROR") {
				t.Errorf("log: %s", log)
			}
			must(t, s.SetCountry("DE"))
			_, err := s.SaveCandidate(credentials("wrong", "not the password", wifi.WPA2PSK))
			must(t, err)
			must(t, s.DropCandidate())
			lies(t, dir, 0, 1)
			again, _ := opened(t, dir, on)
			has(t, again, "home", canary)

			s, _ = opened(t, dir, now)
			if next := join(t, s, "new", "battery staple"); next == 1 {
				t.Errorf("the network has the ID %d of another", next)
			}
			has(t, s, "new", "battery staple")
			s, _ = opened(t, dir, now)
			if now.Want && now.Key == nil { // it was in memory alone
				lies(t, dir, 0, 1)
				has(t, s, "", "")
				s, _ = opened(t, dir, on)
				has(t, s, "home", canary)
				return
			}
			has(t, s, "new", "battery staple")
			if file, err := os.ReadFile(filepath.Join(dir, fileName)); err != nil || bytes.Contains(file, []byte("aG9tZQ==")) {
				t.Errorf("the old network is still there: %s, %v", file, err)
			}
		})
	}
}

// TestNoKeyKeepsInMemory: without the key that is wanted a secret is nowhere on the disk, and the
// journal says why.
func TestNoKeyKeepsInMemory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s, log := opened(t, dir, Sealing{Want: true})
	must(t, s.SetCountry("DE")) // no secret
	if log.Len() > 0 {
		t.Errorf("log: %s", log)
	}
	join(t, s, "home", canary)
	has(t, s, "home", canary)
	noCanary(t, dir)
	if !strings.Contains(log.String(), "store-unusable") || !strings.Contains(log.String(), ErrNoKey.Error()) {
		t.Errorf("log: %s", log)
	}
	must(t, s.Erase())
	has(t, s, "", "")

	// What lies there in clear is used, and may be written as it is, until there is a key.
	dir = provisioned(t, Sealing{})
	s, log = opened(t, dir, Sealing{Want: true})
	has(t, s, "home", canary)
	must(t, s.Remember(1, wifi.Hint{FrequencyMHz: 5180}))
	must(t, addBond(s, gatt.Bond{Adapter: "c", Central: "d"}))
	lies(t, dir, 1, 0)
	if log.Len() > 0 {
		t.Errorf("log: %s", log)
	}
	s, _ = opened(t, dir, sealedBy(t, 1))
	has(t, s, "home", canary)
	if bonds, err := s.Bonds(); err != nil || len(bonds) != 2 {
		t.Errorf("bonds %v, %v", bonds, err)
	}
	lies(t, dir, 0, 1)
}

// TestEraseLocked: an ERASE needs no key.
func TestEraseLocked(t *testing.T) {
	dir := provisioned(t, sealedBy(t, 1))
	s, _ := opened(t, dir, Sealing{Want: true})
	must(t, s.Erase())
	lies(t, dir, 0, 0)
	s, _ = opened(t, dir, sealedBy(t, 1))
	has(t, s, "", "")
}

// edit alters the file as JSON.
func edit(t *testing.T, dir string, change func(networks []map[string]any)) {
	t.Helper()
	path := filepath.Join(dir, fileName)
	data, err := os.ReadFile(path)
	must(t, err)
	var doc struct {
		Version  int              `json:"version"`
		Networks []map[string]any `json:"networks"`
		Bonds    []any            `json:"bonds"`
	}
	must(t, json.Unmarshal(data, &doc))
	change(doc.Networks)
	data, err = json.Marshal(doc)
	must(t, err)
	must(t, os.WriteFile(path, data, 0o600))
}

// TestAltered: a sealed secret opens for its own network only, and only whole. The store is set
// aside then, as one that is corrupt, and nothing of it is believed.
func TestAltered(t *testing.T) {
	flip := func(at int) func([]map[string]any) {
		return func(n []map[string]any) {
			sealed, err := base64.StdEncoding.DecodeString(n[0]["sealed"].(string))
			must(t, err)
			sealed[at] ^= 4
			n[0]["sealed"] = sealed
		}
	}
	for name, change := range map[string]func([]map[string]any){
		"swapped":      func(n []map[string]any) { n[0]["sealed"], n[1]["sealed"] = n[1]["sealed"], n[0]["sealed"] },
		"another ID":   func(n []map[string]any) { n[0]["id"] = 7 },
		"another SSID": func(n []map[string]any) { n[0]["ssid"] = []byte("evil twin") },
		"weaker":       func(n []map[string]any) { n[0]["security"] = "auto" },
		"no password":  func(n []map[string]any) { n[0]["security"] = "open" },
		"nonce":        flip(0), "secret": flip(14), "tag": flip(12 + len(canary) + 15),
	} {
		t.Run(name, func(t *testing.T) {
			dir := provisioned(t, sealedBy(t, 1))
			s, _ := opened(t, dir, sealedBy(t, 1))
			_, err := s.SaveCandidate(credentials("other", "another password", wifi.WPA2PSK))
			must(t, err)
			lies(t, dir, 0, 2)
			edit(t, dir, change)
			s, log := opened(t, dir, sealedBy(t, 1))
			has(t, s, "", "")
			if !strings.Contains(log.String(), "the store is corrupt") || len(Aside(dir)) != 1 {
				t.Errorf("files %q, log %s", names(t, dir), log)
			}
			if strings.Contains(log.String(), canary) {
				t.Errorf("the log has the password: %s", log)
			}
			noCanary(t, dir)
		})
	}
	t.Run("nothing", func(t *testing.T) { // the test's own editing alters nothing
		dir := provisioned(t, sealedBy(t, 1))
		edit(t, dir, func([]map[string]any) {})
		s, _ := opened(t, dir, sealedBy(t, 1))
		has(t, s, "home", canary)
	})
}

// TestSwitchCrash: a crash at any step of sealing or opening what is stored leaves it usable in
// either form, and once sealing has ended, nothing in clear.
func TestSwitchCrash(t *testing.T) {
	on := sealedBy(t, 1)
	off := Sealing{Key: on.Key}
	for _, to := range []Sealing{on, off} {
		from := off
		if !to.Want {
			from = on
		}
		for _, step := range slices.Concat(steps, []string{"remove aside"}) {
			t.Run(fmt.Sprintf("%v %s", to.Want, step), func(t *testing.T) {
				dir := provisioned(t, from)
				crash(t, dir, to, step)
				s, log := opened(t, dir, from) // whatever was configured meanwhile
				has(t, s, "home", canary)
				crash(t, dir, to, step)
				s, _ = opened(t, dir, to)
				has(t, s, "home", canary)
				if to.Want {
					lies(t, dir, 0, 1)
				} else {
					lies(t, dir, 1, 0)
				}
				if got := names(t, dir); !reflect.DeepEqual(got, []string{fileName}) || strings.Contains(log.String(), "corrupt") {
					t.Errorf("files %q, log %s", got, log)
				}
			})
		}
	}
}

// crash opens the store in dir, and has the process end at a step of that.
func crash(t *testing.T, dir string, sealing Sealing, step string) {
	t.Helper()
	s, err := open(dir, sealing, uint32(os.Geteuid()), slog.New(slog.DiscardHandler))
	must(t, err)
	s.before = func(name string) error {
		if name == step {
			panic("crash")
		}
		return nil
	}
	defer func() { _ = recover() }()
	_ = s.settle()
}

// TestSwitchFails: where the disk fails, what is stored stays as it was, and can be used.
func TestSwitchFails(t *testing.T) {
	failure := errors.New("input/output error")
	dir := provisioned(t, Sealing{})
	s, err := open(dir, sealedBy(t, 1), uint32(os.Geteuid()), slog.New(slog.DiscardHandler))
	must(t, err)
	s.before = func(step string) error {
		if step == "write" {
			return failure
		}
		return nil
	}
	if err := s.settle(); !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
	lies(t, dir, 1, 0)
	s.before = nil
	has(t, s, "home", canary)
}
