package rfkill

import (
	"os"
	"path/filepath"
	"testing"
)

func TestBlocked(t *testing.T) {
	for name, test := range map[string]struct {
		files      map[string]string
		soft, hard bool
	}{
		"no rfkill":  {nil, false, false},
		"free":       {map[string]string{"rfkill0/soft": "0\n", "rfkill0/hard": "0\n"}, false, false},
		"software":   {map[string]string{"rfkill3/soft": "1\n", "rfkill3/hard": "0\n"}, true, false},
		"hardware":   {map[string]string{"rfkill0/soft": "0\n", "rfkill0/hard": "1\n"}, false, true},
		"one of two": {map[string]string{"rfkill0/soft": "1\n", "rfkill0/hard": "0\n", "rfkill1/soft": "0\n", "rfkill1/hard": "1\n"}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			radio := t.TempDir()
			for file, text := range test.files {
				path := filepath.Join(radio, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if soft, hard := Blocked(radio); soft != test.soft || hard != test.hard {
				t.Errorf("got soft %t, hard %t", soft, hard)
			}
		})
	}
}
