package code

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/srp"
)

func TestNew(t *testing.T) {
	if bits := Length * math.Log2(float64(len(Alphabet))); bits < 58 {
		t.Errorf("%.1f bits", bits)
	}
	if strings.ContainsAny(Alphabet, "01OILl o") {
		t.Error("characters look alike")
	}
	seen := map[rune]bool{}
	for range 100 {
		code := New("wifiprov")
		if len(code) != Length || !srp.Usable("wifiprov", []byte(code)) {
			t.Fatalf("%q", code)
		}
		for _, c := range code {
			seen[c] = true
		}
		if _, err := Verifier("wifiprov", []byte(code)); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != len(Alphabet) {
		t.Errorf("only %d of %d characters in 1200", len(seen), len(Alphabet))
	}
}

func TestVerifierRefuses(t *testing.T) {
	for name, c := range map[string]struct{ user, code string }{
		"short": {"wifiprov", "1234567"}, "long": {"wifiprov", strings.Repeat("x", 65)}, "space": {"wifiprov", "1234 5678"},
		"not ASCII": {"wifiprov", "äbcdefgh"}, "line break": {"wifiprov", "12345678\n"}, "no user": {"", "12345678"},
		"long user":     {strings.Repeat("u", 33), "12345678"},
		"small letters": {"wifiprov", "k7qf2m9xwr4t"}, "dashes": {"wifiprov", "K7QF-2M9X-WR4T"},
	} {
		if _, err := Verifier(c.user, []byte(c.code)); err == nil {
			t.Errorf("%s is taken", name)
		} else if len(c.code) > 0 && strings.Contains(err.Error(), c.code) {
			t.Errorf("the error shows the code: %v", err)
		}
	}
	refused := 0
	for i := range 5000 { // one in 256, which phones would take for another one
		code := fmt.Appendf(nil, "chosen-code-%d", i)
		if srp.Usable("u", code) {
			continue
		}
		refused++
		if _, err := Verifier("u", code); err == nil {
			t.Errorf("%s is taken", code)
		}
	}
	if refused == 0 {
		t.Error("every code is usable")
	}
}

func TestFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	if v, err := Load(dir); v != nil || err != nil {
		t.Fatalf("no folder: %v, %v", v, err)
	}
	want, err := Verifier("wifiprov", []byte("K7QF2M9XWR4T"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Save(dir, want); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, FileName)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("%v", list)
	}
	data, _ := os.ReadFile(path)
	if bytes.Contains(data, []byte("K7QF2M9XWR4T")) {
		t.Error("the code is in the file")
	}
	v, err := Load(dir)
	if err != nil || v.User != want.User || !bytes.Equal(v.V, want.V) || !v.Matches([]byte("K7QF2M9XWR4T")) {
		t.Fatalf("%v, %v", v, err)
	}
	if err := os.WriteFile(filepath.Join(dir, tempName+"1"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Remove(dir); err != nil {
			t.Fatal(err)
		}
	}
	if list, _ := os.ReadDir(dir); len(list) != 0 {
		t.Errorf("left: %v", list)
	}
}

// A file that is not as Save makes it is no verifier, and its error shows nothing of it.
func TestFileRefused(t *testing.T) {
	good, err := Encode(srp.NewVerifier("wifiprov", []byte("K7QF2M9XWR4T")))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data string
		mode os.FileMode
	}{
		"for others":    {string(good), 0o640},
		"no JSON":       {"secret", 0o600},
		"newer":         {strings.Replace(string(good), `"version":1`, `"version":2`, 1), 0o600},
		"cut":           {string(good[:300]), 0o600},
		"no verifier":   {`{"version":1,"username":"u","salt":"01","verifier":"00"}`, 0o600},
		"no hex":        {`{"version":1,"username":"u","salt":"secret","verifier":"00"}`, 0o600},
		"long":          {string(good) + strings.Repeat(" ", maxSize), 0o600},
		"a user's name": {strings.Replace(string(good), "wifiprov", `wifi\nprov`, 1), 0o600},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, FileName)
		if err := errors.Join(os.WriteFile(path, []byte(c.data), 0o600), os.Chmod(path, c.mode)); err != nil {
			t.Fatal(err)
		}
		if v, err := Load(dir); err == nil || v != nil {
			t.Errorf("%s: %v, %v", name, v, err)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir := t.TempDir()
	if err := os.Symlink("/dev/null", filepath.Join(dir, FileName)); err != nil {
		t.Fatal(err)
	}
	if v, err := Load(dir); err == nil {
		t.Errorf("a link: %v", v)
	}
}

func TestFollow(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	type news struct {
		v   *srp.Verifier
		err error
	}
	heard := make(chan news, 10)
	done := make(chan error)
	go func() {
		done <- Keeper{Dir: dir, Log: slog.New(slog.DiscardHandler)}.Follow(ctx, func(v *srp.Verifier, err error) { heard <- news{v, err} })
	}()
	next := func() news {
		select {
		case n := <-heard:
			return n
		case <-time.After(10 * time.Second):
			t.Fatal("nothing is noticed")
			return news{}
		}
	}
	if n := next(); n.v != nil || n.err != nil {
		t.Fatalf("at first: %v", n)
	}
	for _, code := range []string{"first-code", "second-code"} {
		v, err := Verifier("u", []byte(code))
		if err != nil {
			t.Fatal(err)
		}
		if err := Save(dir, v); err != nil {
			t.Fatal(err)
		}
		if n := next(); n.err != nil || n.v == nil || !n.v.Matches([]byte(code)) {
			t.Fatalf("%s: %v", code, n)
		}
	}
	if err := os.Chmod(filepath.Join(dir, FileName), 0o644); err != nil {
		t.Fatal(err)
	}
	if n := next(); n.err == nil {
		t.Errorf("for others: %v", n)
	}
	if err := os.WriteFile(filepath.Join(dir, "credentials.json"), nil, 0o600); err != nil { // is another's
		t.Fatal(err)
	}
	if err := Remove(dir); err != nil {
		t.Fatal(err)
	}
	if n := next(); n.v != nil || n.err != nil {
		t.Errorf("removed: %v", n)
	}
	cancel()
	if err := <-done; err != nil || len(heard) > 0 {
		t.Errorf("%v, %d more", err, len(heard))
	}
}

// TestAdopt: a gateway finds its own code by its serial number, and deletes those of others.
func TestAdopt(t *testing.T) {
	dir := t.TempDir()
	if found, err := Adopt(dir, []string{"s1"}); found != "" || err != nil {
		t.Errorf("no folder: %q, %v", found, err)
	}
	folder := filepath.Join(dir, BatchFolder)
	fill := func() {
		t.Helper()
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, serial := range []string{"s1", "s2"} {
			data, err := Encode(srp.NewVerifier("wifiprov", []byte("code-of-"+serial)))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, BatchFile(serial)), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill()
	if found, err := Adopt(dir, []string{"../s1", "", "s9"}); found != "" || err == nil {
		t.Errorf("another gateway: %q, %v", found, err)
	}
	if v, err := Load(dir); v != nil || err == nil { // it was to have one: it must not be open
		t.Errorf("none of it: %v, %v", v, err)
	}
	if err := Remove(dir); err != nil {
		t.Fatal(err)
	}
	if v, err := Load(dir); v != nil || err != nil {
		t.Errorf("removed: %v, %v", v, err)
	}
	fill()
	if found, err := Adopt(dir, []string{"s9", "s2"}); found != "s2" || err != nil {
		t.Errorf("%q, %v", found, err)
	}
	fill() // a power cut before the others were deleted
	if found, err := Adopt(dir, []string{"s1"}); found != "" || err != nil {
		t.Errorf("again: %q, %v", found, err)
	}
	v, err := Load(dir)
	if err != nil || v == nil || !v.Matches([]byte("code-of-s2")) {
		t.Errorf("%v, %v", v, err)
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the others are still there: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	good, err := Encode(srp.NewVerifier("u", []byte("p")))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, data []byte) {
		if v, err := decode(data); err == nil && !v.Valid() {
			t.Errorf("%+v", v)
		}
	})
}
