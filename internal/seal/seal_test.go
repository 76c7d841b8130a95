package seal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func key(t *testing.T, b []byte) *Key {
	t.Helper()
	k, err := New(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSealAndOpen(t *testing.T) {
	b := Random()
	k, again, other := key(t, b), key(t, b), key(t, Random())
	if k.ID() != again.ID() || k.ID() == other.ID() || len(k.ID()) != 16 {
		t.Errorf("IDs %q, %q, %q", k.ID(), again.ID(), other.ID())
	}
	for _, secret := range []string{"", "correct horse", strings.Repeat("x", 1000)} {
		sealed := k.Seal([]byte(secret), []byte("here"))
		if len(sealed) != len(secret)+Overhead || secret != "" && bytes.Contains(sealed, []byte(secret)) {
			t.Errorf("%d bytes of %d", len(sealed), len(secret))
		}
		if bytes.Equal(sealed, k.Seal([]byte(secret), []byte("here"))) {
			t.Error("sealed twice it is the same: a nonce was used again")
		}
		if got, err := again.Open(sealed, []byte("here")); err != nil || string(got) != secret {
			t.Errorf("got %q, %v", got, err)
		}
		refuses := func(k *Key, sealed []byte, ad string) {
			t.Helper()
			if got, err := k.Open(sealed, []byte(ad)); got != nil || !errors.Is(err, ErrNotOpened) {
				t.Errorf("got %q, %v", got, err)
			}
		}
		refuses(other, sealed, "here")
		refuses(k, sealed, "there")
		refuses(k, nil, "here")
		refuses(k, sealed[:len(sealed)-1], "here")
		for i := range sealed {
			flipped := bytes.Clone(sealed)
			flipped[i] ^= 1 << (i % 8)
			refuses(k, flipped, "here")
		}
	}
	for _, n := range []int{0, 16, KeySize - 1, KeySize + 1} {
		if _, err := New(make([]byte, n)); err == nil {
			t.Errorf("a key of %d bytes is taken", n)
		}
	}
}

func TestHanded(t *testing.T) {
	b := Random()
	for name, test := range map[string]struct {
		file      []byte // nil: none
		key, fail bool
	}{
		"no file": {}, "none to be had": {file: []byte(missing)}, "a key": {file: b, key: true},
		"too short": {file: b[1:], fail: true}, "empty": {file: []byte{}, fail: true},
	} {
		dir := t.TempDir()
		if test.file != nil {
			if err := os.WriteFile(filepath.Join(dir, Credential), test.file, 0o400); err != nil {
				t.Fatal(err)
			}
		}
		k, err := handed(dir)
		if (k != nil) != test.key || (err != nil) != test.fail {
			t.Errorf("%s: %v, %v", name, k, err)
		}
	}
	if k, err := handed(""); k != nil || err != nil {
		t.Errorf("without a folder: %v, %v", k, err)
	}
}

// TestKindOf: what systemd-creds of systemd 252 has written, but for the end.
func TestKindOf(t *testing.T) {
	for text, want := range map[string]Kind{
		"Whxqht+dQJax1aZeCGLxmiAAAAABAAAADAAAABAAAAD2o11u5tyMNNPJ8Ro\nAAAAAqvvr6HPDDBei": Host,
		"DHzAexF2RZGcSwvqCLwg/g==": TPM2,
		"k6iUCUh0RJCQyvL8k8q1Uw==": HostAndTPM2,
		"AAAAAAAAAAAAAAAAAAAAAA==": Other, "Whxqht+dQJax1aZeCGLx": Other, "": Other, "no base64": Other,
	} {
		if got := KindOf([]byte(text)); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	for _, test := range []struct {
		kind    Kind
		setting string
		fits    bool
	}{
		{Host, "host", true}, {Host, "tpm2", false}, {Host, "auto", true}, {Host, "none", false},
		{TPM2, "host", false}, {TPM2, "tpm2", true}, {HostAndTPM2, "tpm2", true}, {HostAndTPM2, "host", true},
		{Other, "auto", true}, {Other, "none", false},
	} {
		if test.kind.Fits(test.setting) != test.fits {
			t.Errorf("%s fits %s: %v", test.kind, test.setting, !test.fits)
		}
	}
}

// TestProblem: each way in which the setting and what there is may differ is told, with a fix.
func TestProblem(t *testing.T) {
	host, tpm := []byte("Whxqht+dQJax1aZeCGLxmg=="), []byte("DHzAexF2RZGcSwvqCLwg/g==")
	for _, test := range []struct {
		state State
		text  string // empty: nothing is wrong
		fix   string
	}{
		{State{Setting: "none"}, "", ""},
		{State{}, "", ""},
		{State{Wrapped: host}, "", ""},
		{State{Setting: "none", DropIn: true}, "still there", "seal --undo"},
		{State{Setting: "none", Wrapped: host, DropIn: true, KeyID: "k"}, "still there", "seal --undo"},
		{State{Setting: "auto"}, "there is no key", "wifiprovctl seal"},
		{State{Setting: "tpm2", DropIn: true}, "there is no key", "wifiprovctl seal"},
		{State{Setting: "tpm2", Wrapped: host, DropIn: true, KeyID: "k"}, "the same disk", "wifiprovctl seal"},
		{State{Setting: "host", Wrapped: tpm, DropIn: true, KeyID: "k"}, "TPM", "wifiprovctl seal"},
		{State{Setting: "host", Wrapped: host, KeyID: "k"}, "is missing", "wifiprovctl seal"},
		{State{Setting: "tpm2", Wrapped: tpm, DropIn: true}, "another board", "--new-key"},
		{State{Setting: "tpm2", Wrapped: tpm, DropIn: true, KeyID: "k"}, "", ""},
		{State{Setting: "auto", Wrapped: host, DropIn: true, KeyID: "k"}, "", ""},
	} {
		problem := test.state.Problem()
		switch {
		case test.text == "" && problem != nil:
			t.Errorf("%+v: %v", test.state, problem)
		case test.text != "" && (problem == nil || !strings.Contains(problem.Error(), test.text) || !strings.Contains(problem.Fix, test.fix)):
			t.Errorf("%+v: %+v", test.state, problem)
		}
	}
}

func TestRead(t *testing.T) {
	root := t.TempDir()
	if got := Read(root, "auto"); got.DropIn || got.KeyID != "" || got.Wrapped != nil || got.Setting != "auto" {
		t.Errorf("of nothing: %+v", got)
	}
	for _, path := range []string{File, DropIn, "run/credentials/" + Unit + "/" + Credential} {
		path = filepath.Join(root, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, bytes.Repeat([]byte("x"), KeySize), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if got := Read(root, "host"); !got.DropIn || len(got.KeyID) != 16 || len(got.Wrapped) != KeySize {
		t.Errorf("got %+v", got)
	}
}

// TestDropInText: a board that has no TPM is not waited for.
func TestDropInText(t *testing.T) {
	for kind, waits := range map[Kind]bool{Host: false, TPM2: true, HostAndTPM2: true, Other: true} {
		text := DropInText(kind)
		if strings.Contains(text, "dev-tpmrm0.device") != waits || !strings.Contains(text, "LoadCredential="+Credential+":") {
			t.Errorf("%s: %s", kind, text)
		}
	}
}
