package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/config"
	"github.com/wifiprovd/wifiprovd/internal/seal"
)

// TestSealing: the setting and the key decide together, and a configuration that is broken opens
// nothing that was sealed.
func TestSealing(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, seal.Credential), seal.Random(), 0o400); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		setting   string
		key, want bool
		says      string // empty: nothing
	}{
		{"none", false, false, ""},
		{"none", true, false, ""}, // here is no file of the key
		{"auto", false, true, "there is no key"},
		{"tpm2", true, true, "there is no key"},
		{config.Strict().Store.Seal, false, false, ""},
		{config.Strict().Store.Seal, true, true, ""},
	} {
		t.Setenv("CREDENTIALS_DIRECTORY", "")
		if test.key {
			t.Setenv("CREDENTIALS_DIRECTORY", dir)
		}
		var log bytes.Buffer
		got := sealing(test.setting, slog.New(slog.NewTextHandler(&log, nil)))
		if (got.Key != nil) != test.key || got.Want != test.want {
			t.Errorf("%q, key %v: %+v", test.setting, test.key, got)
		}
		if says := log.String(); test.says == "" && says != "" || !strings.Contains(says, test.says) {
			t.Errorf("%q, key %v: log %s", test.setting, test.key, says)
		}
	}
}
