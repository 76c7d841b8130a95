package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/code"
	"github.com/wifiprovd/wifiprovd/internal/credstore"
	"github.com/wifiprovd/wifiprovd/internal/seal"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// sealedBox is a gateway whose systemd-creds binds keys to a board, and whose daemon does at its
// start what the real one does.
type sealedBox struct {
	t       *testing.T
	root    string
	setting string // store.seal
	board   string
	running bool
	broken  bool // what systemd-creds writes, it cannot read
	calls   []string
}

var sealHeaders = map[string]string{
	"host": "5a1c6a86df9d4096b1d5a65e0862f19a", "tpm2": "0c7cc07b117645919c4b0bea08bc20fe", "auto": "93a894094874449090caf2fc93cab553",
}

func newSealedBox(t *testing.T, setting string) *sealedBox {
	b := &sealedBox{t: t, root: t.TempDir(), setting: setting, board: "first", running: true}
	store := credstore.Open(b.dir(), credstore.Sealing{}, slog.New(slog.DiscardHandler))
	id, err := store.SaveCandidate(wifi.Credentials{SSID: "home", Passphrase: wifi.NewPassphrase([]byte(password)), Security: wifi.WPA2PSK})
	if err := errors.Join(err, store.Prove(id, wifi.Hint{})); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *sealedBox) dir() string { return filepath.Join(b.root, "store") }

func (b *sealedBox) run(_ context.Context, stdin []byte, name string, args ...string) ([]byte, error) {
	b.calls = append(b.calls, name+" "+strings.Join(args, " "))
	switch args[0] {
	case "encrypt":
		kind := strings.TrimPrefix(args[slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "--with-key=") })], "--with-key=")
		header, _ := hex.DecodeString(sealHeaders[kind])
		return []byte(base64.StdEncoding.EncodeToString(slices.Concat(header, []byte(b.board+"|"), stdin))), nil
	case "decrypt":
		data, _ := base64.StdEncoding.DecodeString(string(stdin))
		board, key, _ := bytes.Cut(data[16:], []byte("|"))
		if string(board) != b.board || b.broken {
			return nil, errors.New("integrity check failed")
		}
		return key, nil
	case "--quiet":
		if !b.running {
			return nil, errors.New("exit status 3")
		}
	case "restart", "stop":
		return nil, b.restart(args[0], args[1])
	}
	return nil, nil
}

// restart is what systemd does.
func (b *sealedBox) restart(what, unit string) error {
	handed := filepath.Join(b.root, "run/credentials", seal.Unit, seal.Credential)
	if unit == seal.Unit {
		if err := os.RemoveAll(filepath.Dir(handed)); what == "stop" || err != nil {
			return err
		}
		key, err := b.run(context.Background(), b.file(seal.File), "systemd-creds", "decrypt")
		return errors.Join(err, os.MkdirAll(filepath.Dir(handed), 0o700), os.WriteFile(handed, key, 0o400))
	}
	sealing := credstore.Sealing{Want: b.setting != "none"}
	if data, err := os.ReadFile(handed); err == nil && b.file(seal.DropIn) != nil {
		if sealing.Key, err = seal.New(data); err != nil {
			return err
		}
	}
	log := slog.New(slog.DiscardHandler)
	credstore.Open(b.dir(), sealing, log)
	_, _ = code.Keeper{Dir: b.dir(), Key: sealing.Key, Seal: sealing.Want, Log: log}.Load()
	return nil
}

func (b *sealedBox) file(path string) []byte {
	data, _ := os.ReadFile(filepath.Join(b.root, path))
	return data
}

// seal runs wifiprovctl seal and returns what it prints, and its error.
func (b *sealedBox) seal(o sealOptions) (string, error) {
	b.t.Helper()
	var out bytes.Buffer
	o.pcrs = "7"
	j := &job{options: options{localOptions: localOptions{config: "wifiprovd.yaml"}, sealOptions: o}, screen: newScreen(&out, false)}
	s := &sealer{job: j, run: b.run, root: b.root, state: seal.Read(b.root, b.setting), dir: b.dir()}
	err := s.do(context.Background())
	j.screen.idle()
	if strings.Contains(out.String(), password) || err != nil && strings.Contains(err.Error(), password) {
		b.t.Errorf("it shows the password: %s, %v", &out, err)
	}
	return out.String(), err
}

// is checks what there is afterwards.
func (b *sealedBox) is(inClear, sealed int, kind seal.Kind) {
	b.t.Helper()
	got, err := credstore.Look(b.dir())
	if err != nil || got.Clear != inClear || got.Sealed != sealed {
		b.t.Errorf("the store is %+v, %v; want %d in clear, %d sealed", got, err, inClear, sealed)
	}
	if wrapped := b.file(seal.File); kind == "" && wrapped != nil || kind != "" && seal.KindOf(wrapped) != kind {
		b.t.Errorf("the key is %s", seal.KindOf(wrapped))
	}
	if there := b.file(seal.DropIn) != nil; there != (kind != "") {
		b.t.Errorf("the drop-in is there: %v", there)
	}
	if files, _ := filepath.Glob(filepath.Join(b.root, "etc/*/*.tmp")); len(files) > 0 {
		b.t.Errorf("left behind: %q", files)
	}
}

func (b *sealedBox) refuses(o sealOptions, text, advice string) {
	b.t.Helper()
	if out, err := b.seal(o); err == nil || !strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), advice) {
		b.t.Errorf("got %q, %v", out, err)
	}
}

func (b *sealedBox) succeeds(o sealOptions, says string) {
	b.t.Helper()
	if out, err := b.seal(o); err != nil || !strings.Contains(out, says) {
		b.t.Errorf("got %q, %v", out, err)
	}
}

func TestSeal(t *testing.T) {
	b := newSealedBox(t, "none")
	b.refuses(sealOptions{}, "store.seal is none", "auto, host or tpm2")
	b.succeeds(sealOptions{undo: true}, "not sealed")
	b.is(1, 0, "")

	b.setting = "host"
	b.succeeds(sealOptions{}, "lies on the same disk")
	b.is(0, 1, seal.Host)
	b.succeeds(sealOptions{}, "there is a key")
	b.refuses(sealOptions{newKey: true}, "the key opens", "")
	key := b.file("run/credentials/" + seal.Unit + "/" + seal.Credential)
	if bytes.Contains(b.file(seal.DropIn), key) || len(key) != seal.KeySize {
		t.Errorf("the key is %d bytes", len(key))
	}
	b.setting = "tpm2" // the same key, bound to something else
	b.succeeds(sealOptions{}, "bound to tpm2")
	b.is(0, 1, seal.TPM2)
	if again := b.file("run/credentials/" + seal.Unit + "/" + seal.Credential); !bytes.Equal(again, key) {
		t.Error("it is another key")
	}
	if !slices.Contains(b.calls, "systemd-creds encrypt --name=wifiprovd.key --with-key=tpm2 --tpm2-pcrs=7 - -") {
		t.Errorf("calls %q", b.calls)
	}
	b.refuses(sealOptions{undo: true}, "store.seal is tpm2", "Set it to none")
	b.is(0, 1, seal.TPM2)
	b.setting = "none"
	b.succeeds(sealOptions{undo: true}, "in clear, and the key is gone")
	b.is(1, 0, "")
	if _, err := os.Stat(filepath.Dir(filepath.Join(b.root, seal.DropIn))); err == nil {
		t.Error("the drop-in's folder is still there")
	}
}

// TestSealTrouble: where something is wrong nothing is lost, and the error says what to do.
func TestSealTrouble(t *testing.T) {
	b := newSealedBox(t, "tpm2")
	b.broken = true
	b.refuses(sealOptions{}, "cannot be opened again, so it is not used", "integrity check failed")
	b.is(1, 0, "")
	b.broken, b.running = false, false
	b.succeeds(sealOptions{}, "at its next start")
	b.is(1, 0, seal.TPM2)
	b.running = true
	b.succeeds(sealOptions{}, "sealed by the TPM")
	b.is(0, 1, seal.TPM2)

	b.setting, b.running = "none", false
	b.refuses(sealOptions{undo: true}, "does not run", "systemctl start wifiprovd")
	b.is(0, 1, seal.TPM2)
	b.running, b.setting = true, "tpm2"

	old := b.file(seal.File)
	b.board = "second"
	b.refuses(sealOptions{}, "integrity check failed", "--new-key")
	b.succeeds(sealOptions{newKey: true}, "kept as "+seal.File+".old")
	b.is(0, 1, seal.TPM2)
	if !bytes.Equal(b.file(seal.File+".old"), old) {
		t.Error("the old key is not kept")
	}
	b.setting = "none"
	b.refuses(sealOptions{undo: true}, "sealed by a key that is not here", "provision the gateway again")
	b.is(0, 1, seal.TPM2)
}

// TestSealCode: the code is sealed and opened with the store, and its key stays as long as it is sealed.
// What wifiprovctl shows of a sealed one is no more than it knows.
func TestSealCode(t *testing.T) {
	b := newSealedBox(t, "host")
	if err := os.Remove(filepath.Join(b.dir(), "credentials.json")); err != nil {
		t.Fatal(err)
	}
	v, err := code.Verifier("owner", []byte(labelCode))
	if err = errors.Join(err, code.Save(b.dir(), v)); err != nil {
		t.Fatal(err)
	}
	b.succeeds(sealOptions{}, "lies on the same disk")
	if inClear, sealedBy := code.Look(b.dir()); inClear || sealedBy == "" {
		t.Errorf("in clear: %v, sealed by %q", inClear, sealedBy)
	}
	config := filepath.Join(b.root, "wifiprovd.yaml")
	if err := os.WriteFile(config, []byte("bluetooth: {name: PROV_A1B2C3}\nstore: {dir: "+b.dir()+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, out, stderr := ctl(true, "", "code", "status", "--config", config); status != exitOK || !strings.Contains(out, "a code of user owner") {
		t.Errorf("status: %d %s%s", status, out, stderr)
	}
	status, out, stderr := ctl(true, labelCode, "code", "label", "--config", config)
	if status != exitOK || !strings.Contains(out, "user  owner") || !strings.Contains(stderr, "not compared") || strings.Contains(stderr, labelCode) {
		t.Errorf("label: %d %s%s", status, out, stderr)
	}
	if status, out, _ := ctl(true, labelCode, "code", "label", "--user", "other", "--config", config); status != exitUsage || out != "" {
		t.Errorf("another user's label: %d %s", status, out)
	}

	b.setting, b.running = "none", false
	b.refuses(sealOptions{undo: true}, "does not run", "systemctl start wifiprovd")
	b.running, b.setting, b.board = true, "host", "second"
	b.succeeds(sealOptions{newKey: true}, "kept as "+seal.File+".old")
	b.setting = "none"
	b.refuses(sealOptions{undo: true}, "the code on the label is sealed", "wifiprovctl code set")
	if err := code.Save(b.dir(), v); err != nil {
		t.Fatal(err)
	}
	b.succeeds(sealOptions{undo: true}, "in clear, and the key is gone")
	if found, err := code.Load(b.dir()); err != nil || !found.Matches([]byte(labelCode)) {
		t.Errorf("%v, %v", found, err)
	}
}
