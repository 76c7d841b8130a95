package credstore

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

func addBond(s *Store, b gatt.Bond) error {
	_, _, err := s.AddBond(b, s.Erasures())
	return err
}

// must stops the test if an operation failed.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func saveCandidate(t *testing.T, s *Store, ssid string) wifi.ID {
	t.Helper()
	id, err := s.SaveCandidate(credentials(ssid, "12345678", wifi.WPA2PSK))
	must(t, err)
	return id
}

// TestProvisioning: a candidate is saved, tried, and proven or dropped. The network
// proven before stands until another one is.
func TestProvisioning(t *testing.T) {
	s, _ := openStore(t)
	holds := func(want ...wifi.Known) {
		t.Helper()
		got, leave, err := s.Networks()
		if err != nil || leave || !slices.Equal(got, want) {
			t.Errorf("the store holds %+v, leave %t, %v; want %+v", got, leave, err, want)
		}
	}
	known := func(id wifi.ID, ssid wifi.SSID, proven bool) wifi.Known {
		return wifi.Known{ID: id, SSID: ssid, Security: wifi.WPA2PSK, Proven: proven}
	}
	holds()
	first := saveCandidate(t, s, "first")
	holds(known(first, "first", false))
	second := saveCandidate(t, s, "second") // in its place
	holds(known(second, "second", false))
	must(t, s.Prove(second, wifi.Hint{BSSID: "b", FrequencyMHz: 2412}))
	holds(known(second, "second", true))
	third := saveCandidate(t, s, "third")
	holds(known(second, "second", true), known(third, "third", false))
	must(t, s.DropCandidate())
	holds(known(second, "second", true))
	fourth := saveCandidate(t, s, "fourth")
	must(t, s.Prove(fourth, wifi.Hint{}))
	holds(known(fourth, "fourth", true))
}

// TestTarget: it is the network with its secret, which the caller wipes, and the
// credentials that were saved stay the caller's.
func TestTarget(t *testing.T) {
	s, _ := openStore(t)
	creds := credentials("home", "correct horse", wifi.WPA2PSK)
	id, err := s.SaveCandidate(creds)
	must(t, err)
	must(t, s.Remember(id, wifi.Hint{BSSID: "b", FrequencyMHz: 2412}))
	got, err := s.Target(id)
	must(t, err)
	want := wifi.Target{ID: id, Credentials: creds, Hint: wifi.Hint{BSSID: "b", FrequencyMHz: 2412}}
	if !reflect.DeepEqual(got, want) || string(creds.Passphrase.Bytes()) != "correct horse" {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, err := s.Target(id + 1); err == nil {
		t.Errorf("a network that is not there: %+v", got)
	}
}

// TestIDsAreNotReused: a late operation with the ID of a network that is gone must not
// reach another one.
func TestIDsAreNotReused(t *testing.T) {
	s, _ := openStore(t)
	seen := map[wifi.ID]bool{}
	for range 3 {
		for _, remove := range []func() error{
			func() error { return nil }, // the next one takes its place
			s.DropCandidate,
			s.Erase,
			func() error {
				var err error
				s, err = open(s.dir, sealing, s.uid, s.log)
				return err
			},
		} {
			id := saveCandidate(t, s, "home")
			if id == 0 || seen[id] {
				t.Fatalf("ID %d is given again; so far %v", id, seen)
			}
			seen[id] = true
			must(t, remove())
		}
	}
	save(t, s, holding(network(1<<32-1, "a", "12345678", wifi.WPA2PSK))) // the last ID there is
	load(t, s)
	if id := saveCandidate(t, s, "b"); id != 1 {
		t.Errorf("ID %d comes after the last", id)
	}
}

// TestAccesses: what each operation costs. A CONNECT is one SaveCandidate.
func TestAccesses(t *testing.T) {
	hint := wifi.Hint{BSSID: "b", FrequencyMHz: 2412}
	bond := gatt.Bond{Adapter: "a", Central: "b", Pairing: gatt.Encrypt}
	start := holding(network(1, "old", "old password", wifi.WPA2PSK), added)
	start.bonds = []gatt.Bond{bond}
	nothing := holding(network(1, "old", "old password", wifi.WPA2PSK))
	for _, test := range []struct {
		name      string
		operation func(*Store) error
		start     contents
		writes    bool
	}{
		{"SaveCandidate", saveAdded, start, true},
		{"SaveCandidate, the first", saveAdded, contents{}, true},
		{"Prove", func(s *Store) error { return s.Prove(2, hint) }, start, true},
		{"Remember", func(s *Store) error { return s.Remember(1, hint) }, start, true},
		{"Remember, the same", func(s *Store) error { return s.Remember(1, start.networks[0].Hint) }, start, false},
		{"DropCandidate", (*Store).DropCandidate, start, true},
		{"DropCandidate, none", (*Store).DropCandidate, nothing, false},
		{"Erase", (*Store).Erase, start, true},
		{"Left", (*Store).Left, contents{leave: true}, true},
		{"Left, before", (*Store).Left, start, false},
		{"AddBond", func(s *Store) error { return addBond(s, gatt.Bond{Central: "c"}) }, start, true},
		{"AddBond, the same", func(s *Store) error { return addBond(s, bond) }, start, false},
		{"DropBond", func(s *Store) error { return s.DropBond(bond) }, start, true},
		{"DropBond, none", func(s *Store) error { return s.DropBond(bond) }, nothing, false},
		{"Networks", func(s *Store) error { _, _, err := s.Networks(); return err }, start, false},
		{"Target", func(s *Store) error { _, err := s.Target(1); return err }, start, false},
		{"Bonds", func(s *Store) error { _, err := s.Bonds(); return err }, start, false},
	} {
		s, _ := openStore(t)
		save(t, s, test.start)
		var got []string
		s.before = func(step string) error {
			got = append(got, step)
			return nil
		}
		must(t, test.operation(s))
		want := []string{"read"}
		if test.writes {
			want = steps
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", test.name, got, want)
		}
	}
}

// TestSecretsAreWiped: none that was read is left in memory after an operation, though
// it was taken out of the contents.
func TestSecretsAreWiped(t *testing.T) {
	s, _ := openStore(t)
	save(t, s, after)
	var read []wifi.Target
	must(t, s.update(func(c *contents) (bool, error) {
		read = slices.Clone(c.networks)
		return c.dropCandidate(), nil
	}))
	for _, n := range read {
		if n.Credentials.Passphrase.Len() == 0 || len(bytes.Trim(n.Credentials.Passphrase.Bytes(), "\x00")) > 0 {
			t.Errorf("the password of %s is still there", n.Credentials.SSID)
		}
	}
}

// TestErase: until it is done, the store has what is left to do.
func TestErase(t *testing.T) {
	s, _ := openStore(t)
	b := gatt.Bond{Adapter: "a", Central: "b", Pairing: gatt.Encrypt}
	must(t, addBond(s, b))
	saveCandidate(t, s, "home")
	must(t, s.Erase())
	b.Erased = true
	if got, want := load(t, s), (contents{bonds: []gatt.Bond{b}, leave: true}); !reflect.DeepEqual(got, want) {
		t.Errorf("erased: the store has %+v", got)
	}
	if _, leave, err := s.Networks(); !leave || err != nil {
		t.Errorf("erased: leave %t, %v", leave, err)
	}
	must(t, s.Left())
	must(t, s.DropBond(b))
	if got := load(t, s); !reflect.DeepEqual(got, contents{}) {
		t.Errorf("all is done: the store has %+v", got)
	}
}

// TestEraseIsWhole: if what was set aside cannot be removed, nothing is.
func TestEraseIsWhole(t *testing.T) {
	s, _ := openStore(t)
	save(t, s, after)
	must(t, os.MkdirAll(filepath.Join(s.dir, asidePrefix+"x", "in it"), dirMode))
	s.before = func(step string) error {
		if step == "remove aside" {
			return syscall.EROFS
		}
		return nil
	}
	if err := s.Erase(); err == nil {
		t.Error("no error")
	}
	if got := load(t, s); !reflect.DeepEqual(got, after) || s.Erasures() != 0 {
		t.Errorf("the store has %+v, %d erasures", got, s.Erasures())
	}
}

// TestBondUsedAgain: with less security it is worth no less, and it is still to be
// removed if it was erased.
func TestBondUsedAgain(t *testing.T) {
	const none, encrypt, authenticated = gatt.NoPairing, gatt.Encrypt, gatt.Authenticated
	for _, test := range []struct {
		noted, used gatt.Bond
		want        []gatt.Bond
	}{
		{gatt.Bond{Pairing: authenticated}, gatt.Bond{Pairing: encrypt}, []gatt.Bond{{Pairing: authenticated}}},
		{gatt.Bond{Pairing: encrypt}, gatt.Bond{Pairing: authenticated}, []gatt.Bond{{Pairing: authenticated}}},
		{gatt.Bond{Erased: true}, gatt.Bond{Pairing: none}, []gatt.Bond{{Erased: true}}},
		{gatt.Bond{Central: "a"}, gatt.Bond{Central: "b"}, []gatt.Bond{{Central: "a"}, {Central: "b"}}},
		{gatt.Bond{Adapter: "a"}, gatt.Bond{Adapter: "b"}, []gatt.Bond{{Adapter: "a"}, {Adapter: "b"}}},
	} {
		s, _ := openStore(t)
		save(t, s, contents{bonds: []gatt.Bond{test.noted}})
		erased, surplus, err := s.AddBond(test.used, s.Erasures())
		if err != nil || len(surplus) > 0 || erased != test.noted.Erased {
			t.Errorf("%+v, used as %+v: erased %t, surplus %v, %v", test.noted, test.used, erased, surplus, err)
		}
		if got, err := s.Bonds(); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%+v, used as %+v: the store has %+v, %v; want %+v", test.noted, test.used, got, err, test.want)
		}
	}
}

// TestBondNotedAfterErase: one that was made before the erase is to be removed, though
// it was noted after it.
func TestBondNotedAfterErase(t *testing.T) {
	s, _ := openStore(t)
	erasures := s.Erasures()
	must(t, s.Erase())
	if erased, _, err := s.AddBond(gatt.Bond{Central: "before"}, erasures); !erased || err != nil {
		t.Errorf("made before: erased %t, %v", erased, err)
	}
	if erased, _, err := s.AddBond(gatt.Bond{Central: "over it", Erased: true}, s.Erasures()); !erased || err != nil {
		t.Errorf("erased over it: erased %t, %v", erased, err)
	}
	if erased, _, err := s.AddBond(gatt.Bond{Central: "after"}, s.Erasures()); erased || err != nil {
		t.Errorf("made after: erased %t, %v", erased, err)
	}
	want := []gatt.Bond{{Central: "before", Erased: true}, {Central: "over it", Erased: true}, {Central: "after"}}
	if got, err := s.Bonds(); err != nil || !slices.Equal(got, want) {
		t.Errorf("the store has %+v, %v", got, err)
	}
}

// TestBondsAreBounded: the oldest make room. They are noted from several goroutines,
// and none is lost.
func TestBondsAreBounded(t *testing.T) {
	s, _ := openStore(t)
	central := func(i int) gatt.Central { return gatt.Central(fmt.Sprintf("AA:AA:AA:AA:AA:%02X", i)) }
	var all sync.WaitGroup
	for i := range MaxBonds {
		all.Go(func() {
			if err := addBond(s, gatt.Bond{Central: central(i)}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	bonds, err := s.Bonds()
	if err != nil || len(bonds) != MaxBonds {
		t.Fatalf("%d bonds, %v", len(bonds), err)
	}
	_, surplus, err := s.AddBond(gatt.Bond{Central: central(MaxBonds)}, s.Erasures())
	if err != nil || !slices.Equal(surplus, bonds[:1]) {
		t.Errorf("surplus %v, %v; want the oldest, %v", surplus, err, bonds[0])
	}
	want := append(bonds[1:], gatt.Bond{Central: central(MaxBonds)})
	if got, err := s.Bonds(); err != nil || !slices.Equal(got, want) {
		t.Errorf("the store has %v, %v", got, err)
	}
}
