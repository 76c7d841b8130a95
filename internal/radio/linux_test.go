package radio

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestReady: the kernel is not asked for its rules before it has some.
func TestReady(t *testing.T) {
	for state, want := range map[string]bool{"absent": false, "built in": true, "coming\n": false, "going\n": false, "live\n": true} {
		root := t.TempDir()
		module := filepath.Join(root, "sys/module/cfg80211")
		if state != "absent" {
			if err := os.MkdirAll(module, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if state != "absent" && state != "built in" {
			if err := os.WriteFile(filepath.Join(module, "initstate"), []byte(state), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		err := ready(root)
		if (err == nil) != want || err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", state, err)
		}
	}
}
