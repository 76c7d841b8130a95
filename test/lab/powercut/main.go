//go:build lab

// Command powercut runs in a machine whose power is cut (powercut.sh): it checks that the store and the code on the
// label are whole and can be opened, and then makes codes, seals and opens, by wifiprovctl and the daemon, without end.
//
// Usage: powercut TURN
//
// TURN is the first of what it does in turns. It prints what it finds, begins and has done, for the script to compare; a
// code it tells by its salt, which is no secret and another one for each.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/wifiprovd/wifiprovd/internal/code"
	"github.com/wifiprovd/wifiprovd/internal/credstore"
	"github.com/wifiprovd/wifiprovd/internal/seal"
	"github.com/wifiprovd/wifiprovd/internal/srp"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const (
	config   = "/etc/wifiprovd/wifiprovd.yaml"
	storeDir = "/var/lib/wifiprovd"
	known    = "/disk/known" // the salt of the code that was made last, and the code
	password = "a password while the power goes"
)

// turns are done one after the other, and again.
var turns = []struct {
	name string
	do   func() error
}{
	{"new", newCodes},
	{"seal", func() error { return sealing("host") }},
	{"new", newCodes}, // each of which lies in clear until the daemon has sealed it
	{"seal", func() error { return sealing("host") }},
	{"undo", func() error { return sealing("none", "--undo") }},
}

func main() {
	err := powercut(os.Args[1])
	told, _ := command("journalctl", "--lines=50", "--output=cat")
	fmt.Printf("%spowercut: broken: %v\n", told, err)
}

// powercut returns why it cannot go on.
func powercut(first string) error {
	turn, err := strconv.Atoi(first)
	if err != nil {
		return err
	}
	if _, err := os.Stat(known); errors.Is(err, fs.ErrNotExist) {
		if err := prepare(); err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
	}
	if err := whole(); err != nil {
		return fmt.Errorf("before the daemon: %w", err)
	}
	if _, err := command("systemctl", "start", "wifiprovd"); err != nil {
		return err
	}
	if err := opens(); err != nil {
		return fmt.Errorf("with the daemon: %w", err)
	}
	for ; ; turn++ {
		t := turns[turn%len(turns)]
		fmt.Println("powercut: begins", t.name)
		if err := t.do(); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		fmt.Println("powercut: done", t.name)
	}
}

// prepare has the store hold a network, in clear, and a code.
func prepare() error {
	s := credstore.Open(storeDir, credstore.Sealing{}, slog.New(slog.DiscardHandler))
	id, err := s.SaveCandidate(wifi.Credentials{SSID: wifi.SSID("home"), Security: wifi.WPA2PSK, Passphrase: wifi.NewPassphrase([]byte(password))})
	if err == nil {
		err = s.Prove(id, wifi.Hint{})
	}
	return errors.Join(err, set("none"), newCode())
}

// whole checks what the power cut has left, as it lies there.
func whole() error {
	left, err := filepath.Glob(storeDir + "/.*")
	if err != nil {
		return err
	}
	for range left {
		fmt.Println("powercut: stale file")
	}
	secrets, err := credstore.Look(storeDir)
	if err != nil || secrets.Clear+secrets.Sealed != 1 {
		return fmt.Errorf("the store has %+v, %v", secrets, err)
	}
	if inClear, sealedBy := code.Look(storeDir); inClear == (sealedBy != "") {
		return fmt.Errorf("the code is in clear: %v, sealed by %q", inClear, sealedBy)
	}
	return nil
}

// opens checks what the daemon has made of it: both are in clear, or both are sealed, nothing else lies there, and they
// are what they were.
func opens() error {
	setting, err := os.ReadFile(config)
	if err != nil {
		return err
	}
	if err := os.Setenv("CREDENTIALS_DIRECTORY", "/run/credentials/"+seal.Unit); err != nil {
		return err
	}
	key, err := seal.Handed()
	if err != nil {
		return err
	}
	want := key != nil && !strings.Contains(string(setting), "seal: none")
	form := "clear"
	if want {
		form = "sealed"
	}
	secrets, err := credstore.Look(storeDir)
	inClear, sealedBy := code.Look(storeDir)
	if err != nil || (secrets.Sealed == 1) != want || (sealedBy != "") != want || secrets.Clear+secrets.Sealed != 1 || inClear == want {
		return fmt.Errorf("a key: %v, %q, and the store has %+v, the code is in clear: %v, sealed by %q, %v",
			key != nil, setting, secrets, inClear, sealedBy, err)
	}
	dir, err := copied()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	v, err := code.Keeper{Dir: dir, Key: key, Seal: want, Log: slog.New(slog.DiscardHandler)}.Load()
	if err != nil || v == nil {
		return fmt.Errorf("the code: %v, %v", v != nil, err)
	}
	if err := errors.Join(networkIn(dir, credstore.Sealing{Key: key, Want: want}), isKnown(v)); err != nil {
		return err
	}
	if err := clean(dir, v); want && err != nil {
		return err
	}
	fmt.Println("powercut: found", hex.EncodeToString(v.Salt), form)
	return nil
}

// copied returns a copy of the store's folder: whoever opens a store may change it. The folder has the
// two files, and nothing else.
func copied() (string, error) {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		return "", err
	}
	if err := os.CopyFS(dir, os.DirFS(storeDir)); err != nil {
		return "", err
	}
	var names []string
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		names = append(names, e.Name())
		err = errors.Join(err, os.Chmod(filepath.Join(dir, e.Name()), 0o600))
	}
	if !slices.Equal(names, []string{code.FileName, "credentials.json"}) {
		err = errors.Join(err, fmt.Errorf("the folder has %q", names))
	}
	return dir, err
}

// networkIn checks that the store in dir has the network with its password.
func networkIn(dir string, sealing credstore.Sealing) error {
	s := credstore.Open(dir, sealing, slog.New(slog.DiscardHandler))
	networks, _, err := s.Networks()
	if err != nil || len(networks) != 1 {
		return fmt.Errorf("%d networks can be opened, %v", len(networks), err)
	}
	target, err := s.Target(networks[0].ID)
	if err != nil || string(target.Credentials.Passphrase.Bytes()) != password {
		return fmt.Errorf("the network has another password, %v", err)
	}
	return nil
}

// isKnown checks the verifier against the code that it is known to be of. A code that was kept when the power went, and
// never shown, is none of those.
func isKnown(v *srp.Verifier) error {
	text, err := os.ReadFile(known)
	if err != nil {
		return err
	}
	salt, secret, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	if salt == hex.EncodeToString(v.Salt) && !v.Matches([]byte(secret)) {
		return errors.New("the verifier is of another code")
	}
	return nil
}

// clean checks that no file in dir has a secret in clear.
func clean(dir string, v *srp.Verifier) error {
	secrets := []string{password, base64.StdEncoding.EncodeToString([]byte(password)), hex.EncodeToString(v.V[:16])}
	return fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		if slices.ContainsFunc(secrets, func(s string) bool { return bytes.Contains(data, []byte(s)) }) {
			err = errors.Join(err, fmt.Errorf("%s has a secret in clear", name))
		}
		return err
	})
}

// newCodes takes about as long as sealing does, to be as often what is cut off.
func newCodes() error {
	for range 8 {
		if err := newCode(); err != nil {
			return err
		}
	}
	return nil
}

// newCode makes a code, and notes which it is.
func newCode() error {
	out, err := command("wifiprovctl", "code", "new", "--print")
	if err != nil {
		return err
	}
	_, secret, _ := strings.Cut(out, "code  ")
	data, err := os.ReadFile(filepath.Join(storeDir, code.FileName))
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(string(data), `"salt":"`)
	salt, _, found := strings.Cut(rest, `"`)
	if secret == "" || !found {
		return errors.New("wifiprovctl shows no code, or its file has no salt")
	}
	fmt.Println("powercut: code", salt)
	return durable(known, salt+" "+secret)
}

// sealing does what a person does who changes store.seal.
func sealing(setting string, args ...string) error {
	err := set(setting)
	if err == nil {
		_, err = command("wifiprovctl", append([]string{"seal"}, args...)...)
	}
	return err
}

// set writes the configuration. A gateway whose window is shut is ready without Bluetooth.
func set(seal string) error {
	return durable(config, "bluetooth:\n  access: window\nstore:\n  seal: "+seal+"\n")
}

// durable writes a file in place of one that is there.
func durable(path, text string) error {
	f, err := os.Create(path + ".new")
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close(), os.Rename(path+".new", path)); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func command(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	var told bytes.Buffer
	cmd.Stderr = &told
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, told.String())
	}
	return string(out), err
}
