package code

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/seal"
	"github.com/wifiprovd/wifiprovd/internal/srp"
)

// keeper returns that of a daemon with the key of a number, 0 for none, and what it logs.
func keeper(t testing.TB, dir string, n byte, want bool) (Keeper, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	k := Keeper{Dir: dir, Seal: want, Log: slog.New(slog.NewTextHandler(&log, nil))}
	if n != 0 {
		key, err := seal.New(bytes.Repeat([]byte{n}, seal.KeySize))
		if err != nil {
			t.Fatal(err)
		}
		k.Key = key
	}
	return k, &log
}

// opens checks that k has v, and that no file of the folder has it in clear if it is sealed.
func opens(t *testing.T, k Keeper, v srp.Verifier) {
	t.Helper()
	got, err := k.Load()
	if err != nil || got == nil || got.User != v.User || !bytes.Equal(got.Salt, v.Salt) || !bytes.Equal(got.V, v.V) {
		t.Errorf("it has another verifier: %v", err)
	}
	inClear, sealedBy := Look(k.Dir)
	if sealedBy != "" && sealedBy != k.Key.ID() || inClear == (sealedBy != "") {
		t.Errorf("in clear: %v, sealed by %q", inClear, sealedBy)
	}
	files, _ := os.ReadDir(k.Dir)
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(k.Dir, f.Name()))
		if err != nil || sealedBy != "" && bytes.Contains(data, []byte(hex.EncodeToString(v.V[:16]))) {
			t.Errorf("%s has the verifier in clear, %v", f.Name(), err)
		}
		if info, _ := f.Info(); info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v", f.Name(), info.Mode())
		}
	}
	if len(files) != 1 {
		t.Errorf("%d files", len(files))
	}
}

// TestSealed: the daemon seals what is in clear, opens what is not to be sealed any more, and without
// its key the code is one that cannot be used, and stays.
func TestSealed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	none, log := keeper(t, dir, 1, true)
	if v, err := none.Load(); v != nil || err != nil || log.Len() > 0 {
		t.Fatalf("no folder: %v, %v, %s", v, err, log)
	}
	v := srp.NewVerifier("wifiprov", []byte("K7QF2M9XWR4T"))
	if err := Save(dir, v); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, tempName+"cut"), []byte(hex.EncodeToString(v.V)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, to := range []struct {
		key    byte
		seal   bool
		sealed bool
		tells  string
	}{
		{0, false, false, ""}, {1, false, false, ""}, {0, true, false, ""}, // no key yet: nothing is lost
		{1, true, true, "code-sealed"}, {1, true, true, ""}, {1, false, false, "code-opened"}, {2, true, true, "code-sealed"},
	} {
		k, log := keeper(t, dir, to.key, to.seal)
		opens(t, k, v)
		if _, by := Look(dir); (by != "") != to.sealed {
			t.Errorf("%+v: sealed by %q", to, by)
		}
		if to.tells == "" && log.Len() > 0 || !strings.Contains(log.String(), to.tells) {
			t.Errorf("%+v: log %s", to, log)
		}
	}
	before, _ := os.ReadFile(filepath.Join(dir, FileName))
	for key, says := range map[byte]string{0: "not handed in", 1: "another key"} {
		for _, want := range []bool{true, false} {
			k, _ := keeper(t, dir, key, want)
			if v, err := k.Load(); v != nil || err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "code set") {
				t.Errorf("key %d: %v, %v", key, v, err)
			}
		}
	}
	if after, _ := os.ReadFile(filepath.Join(dir, FileName)); !bytes.Equal(before, after) {
		t.Error("it was written without its key")
	}
	shut := new(SealedError)
	if v, err := Load(dir); v != nil || !errors.As(err, &shut) || shut.User != "wifiprov" {
		t.Errorf("for wifiprovctl: %v, %v", v, err)
	}
	again := srp.NewVerifier("wifiprov", []byte("K7QF2M9XWR4T")) // the code on the label, set again
	if err := Save(dir, again); err != nil {
		t.Fatal(err)
	}
	k, _ := keeper(t, dir, 1, true)
	opens(t, k, again)
}

// A sealed verifier that was altered, or moved to another user or salt, is none.
func TestSealedAltered(t *testing.T) {
	dir := t.TempDir()
	v := srp.NewVerifier("wifiprov", []byte("K7QF2M9XWR4T"))
	if err := Save(dir, v); err != nil {
		t.Fatal(err)
	}
	k, _ := keeper(t, dir, 1, true)
	opens(t, k, v)
	path := filepath.Join(dir, FileName)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	salt := hex.EncodeToString(v.Salt)
	for name, altered := range map[string]string{
		"user":   strings.Replace(string(good), "wifiprov", "wifiprow", 1),
		"salt":   strings.Replace(string(good), salt, salt[2:]+salt[:2], 1),
		"box":    strings.Replace(string(good), `"sealed":"`, `"sealed":"00`, 1),
		"a bit":  string(good[:len(good)-4]) + string(good[len(good)-4]^1) + string(good[len(good)-3:]),
		"clear":  strings.Replace(string(good), `"sealed"`, `"verifier":"`+hex.EncodeToString(v.V)+`","sealed"`, 1),
		"format": strings.Replace(string(good), `"version":2`, `"version":1`, 1),
	} {
		if altered == string(good) {
			t.Fatal(name)
		}
		if err := os.WriteFile(path, []byte(altered), 0o600); err != nil {
			t.Fatal(err)
		}
		if v, err := k.Load(); v != nil || err == nil {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
}

// A code that is set while the daemon seals the one before is not lost.
func TestSealedWhileSet(t *testing.T) {
	dir := t.TempDir()
	k, _ := keeper(t, dir, 1, true)
	ended := make(chan struct{})
	var last srp.Verifier
	go func() {
		defer close(ended)
		for i := range 40 {
			last = srp.NewVerifier("u", fmt.Appendf(nil, "code %d", i))
			if err := Save(dir, last); err != nil {
				t.Error(err)
			}
		}
	}()
	for running := true; running; {
		select {
		case <-ended:
			running = false
		default:
		}
		if _, err := k.Load(); err != nil {
			t.Error(err)
		}
	}
	opens(t, k, last)
}

// TestSealedKilled kills a daemon that seals and opens in a loop: the verifier is always there, in the
// one form or the other, and the next start leaves no copy.
func TestSealedKilled(t *testing.T) {
	dir := t.TempDir()
	v := srp.NewVerifier("wifiprov", []byte("K7QF2M9XWR4T"))
	if err := Save(dir, v); err != nil {
		t.Fatal(err)
	}
	for round := range 10 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSwitcher$")
		cmd.Env = append(os.Environ(), "CODE_SWITCHER="+dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50*time.Millisecond + time.Duration(round)*7*time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		k, _ := keeper(t, dir, 1, round%2 == 0)
		opens(t, k, v)
	}
}

// TestSwitcher is the process that TestSealedKilled kills.
func TestSwitcher(t *testing.T) {
	dir := os.Getenv("CODE_SWITCHER")
	if dir == "" {
		t.Skip("is run by TestSealedKilled")
	}
	for i := 0; ; i++ {
		k, _ := keeper(t, dir, 1, i%2 == 0)
		if v, err := k.Load(); v == nil || err != nil {
			t.Fatal(err)
		}
	}
}
