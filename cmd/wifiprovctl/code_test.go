package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/code"
)

// ctl runs the program, with stdin, and returns its exit status and what it has printed.
func ctl(terminal bool, stdin string, args ...string) (status int, stdout, stderr string) {
	var out, errors strings.Builder
	w := world{stdin: strings.NewReader(stdin), stdout: &out, stderr: &errors, terminal: terminal}
	if terminal {
		w.askPassword = func(context.Context, string) ([]byte, error) { return []byte(stdin), nil }
	}
	status = run(context.Background(), w, args)
	return status, out.String(), errors.String()
}

func TestCode(t *testing.T) {
	dir := t.TempDir()
	config, store := filepath.Join(dir, "wifiprovd.yaml"), filepath.Join(dir, "store")
	if err := os.WriteFile(config, []byte("bluetooth: {protocols: [native, espressif]}\nstore: {dir: "+store+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	says := func(want, stdin string, args ...string) string {
		t.Helper()
		status, out, stderr := ctl(true, stdin, append(args, "--config", config)...)
		if status != exitOK || !strings.Contains(out, want) {
			t.Fatalf("%q: %d %q %q", args, status, out, stderr)
		}
		return out
	}
	says("no code: Espressif's protocol is off", "", "code", "status")
	shown := regexp.MustCompile(`^user  wifiprov\ncode  ([2-9A-Z]{12})\n$`).FindStringSubmatch(says("code  ", "", "code", "new"))
	v, err := code.Load(store)
	if shown == nil || err != nil || v == nil || !v.Matches([]byte(shown[1])) {
		t.Fatalf("%q, %v, %v", shown, v, err)
	}
	if out := says("whoever provisions must prove it", "", "code", "status"); strings.Contains(out, shown[1]) {
		t.Errorf("the status shows the code: %s", out)
	}
	file := filepath.Join(dir, "code")
	if err := os.WriteFile(file, []byte("CHOSEN-ELSEWHERE\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{"CHOSEN-ELSEWHERE": {"--code-file", file}, "ASKED-FOR-ONE": nil} {
		says("", "ASKED-FOR-ONE", append([]string{"code", "set", "--user", "factory"}, args...)...)
		if v, err := code.Load(store); err != nil || v.User != "factory" || !v.Matches([]byte(name)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	says("", "", "code", "remove")
	says("no code", "", "code", "status")
}

// What is wrong is said before anything is kept, and never shows the code.
func TestCodeMistakes(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "wifiprovd.yaml")
	if err := os.WriteFile(config, []byte("store: {dir: "+dir+"/store}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		terminal bool
		stdin    string
		args     []string
	}{
		"no terminal":     {false, "", []string{"code", "new"}},
		"a bad user":      {true, "", []string{"code", "new", "--user", "a b"}},
		"short":           {true, "short", []string{"code", "set"}},
		"spaces":          {true, "not a secret", []string{"code", "set"}},
		"nothing to ask":  {false, "SECRET-CODE", []string{"code", "set"}},
		"an argument":     {true, "", []string{"code", "set", "SECRET-CODE"}},
		"what":            {true, "", []string{"code"}},
		"unknown":         {true, "", []string{"code", "show"}},
		"with pairing":    {true, "", []string{"provision", "--code", "--forget", "--address", address}},
		"with a country":  {true, "", []string{"provision", "--code", "--country", "DE"}},
		"no code to give": {false, "", []string{"provision", "--code", "--ssid", "x"}},
	} {
		args := c.args
		if c.args[0] == "code" && len(c.args) > 1 && c.args[1] != "show" && name != "an argument" {
			args = append(args, "--config", config)
		}
		status, out, stderr := ctl(c.terminal, c.stdin, args...)
		if status != exitUsage || out != "" || c.stdin != "" && strings.Contains(stderr, c.stdin) || strings.Contains(stderr, "SECRET-CODE") {
			t.Errorf("%s: %d %q %q", name, status, out, stderr)
		}
	}
	if v, err := code.Load(dir + "/store"); v != nil || err != nil {
		t.Errorf("something was kept: %v", err)
	}
	if status, out, _ := ctl(false, "", "code", "new", "--print", "--config", config); status != exitOK || !strings.Contains(out, "code  ") {
		t.Errorf("--print: %d %q", status, out)
	}
}
