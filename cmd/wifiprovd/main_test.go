package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCommandLine(t *testing.T) {
	file := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, bad := file("good.yaml", "log:\n  level: debug\n"), file("bad.yaml", "log:\n  level: loud\n")
	layered := file("layered.yaml", "")
	if err := errors.Join(os.Mkdir(layered+".d", 0o700), os.WriteFile(layered+".d/1.yaml", nil, 0o600), os.WriteFile(layered+".d/2.yaml", []byte("\nwifi: {ssid: x}"), 0o600)); err != nil {
		t.Fatal(err)
	}
	alone := file("alone.yaml", "")
	if err := errors.Join(os.Mkdir(alone+".d", 0o700), os.WriteFile(alone+".d/1.yaml", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		args   []string
		status int
		stdout string
		stderr string
	}{
		{"version", []string{"-version"}, 0, "wifiprovd devel\n", ""},
		{"help", []string{"-help"}, 0, "", "-check"},
		{"valid", []string{"-check", "-config", good}, 0, "is valid", ""},
		{"former", []string{"-check", "-config", file("old.yaml", "bluetooth:\n  keep_after_connect: false\n")}, 0, "has become bluetooth.access: offline", ""},
		{"invalid", []string{"-check", "-config", bad}, 78, "", "bad.yaml:2"},
		{"valid drop-in", []string{"-check", "-config", alone}, 0, "alone.yaml is valid\n" + alone + ".d/1.yaml is valid\n", ""},
		{"invalid drop-in", []string{"-check", "-config", layered}, 78, "", "layered.yaml.d/2.yaml:2: unknown key"},
		{"missing", []string{"-check", "-config", filepath.Join(t.TempDir(), "none.yaml")}, 78, "", "none.yaml"},
		{"unknown flag", []string{"-verbose"}, 2, "", "-verbose"},
		{"argument", []string{"now"}, 2, "", `"now" is not expected`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if got := run(c.args, &stdout, &stderr); got != c.status {
				t.Errorf("status %d, want %d", got, c.status)
			}
			if !strings.Contains(stdout.String(), c.stdout) || !strings.Contains(stderr.String(), c.stderr) {
				t.Errorf("stdout %q, stderr %q", stdout.String(), stderr.String())
			}
			if c.status == 78 && strings.Count(stderr.String(), "\n") != 1 {
				t.Errorf("the error is not one line: %q", stderr.String())
			}
		})
	}
}
