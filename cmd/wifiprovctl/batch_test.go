package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/code"
)

// A factory's day: each gateway finds the code of its label in the image, and no other one.
func TestCodeBatch(t *testing.T) {
	dir := t.TempDir()
	serials, batch := filepath.Join(dir, "serials.txt"), filepath.Join(dir, "batch")
	if err := os.WriteFile(serials, []byte("10000000a1b2c3d4\n\nSN-2\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"code", "batch", "--serials", serials, "--name", "PROV_{serial}",
		"--page", "https://example.com/setup/", "--out", batch, "--config", dir + "/none"}
	if status, out, stderr := ctl(false, "", args...); status != exitOK || out != "" && !strings.HasPrefix(out, " ") {
		t.Fatalf("%d %q %q", status, out, stderr)
	}
	data, err := os.ReadFile(batch + "/labels.csv")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(data))).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatalf("%q, %v", rows, err)
	}
	if rows[0][5] != "page" {
		t.Errorf("%q", rows[0])
	}
	for _, row := range rows[1:] {
		if want := "https://example.com/setup/#code=" + row[3] + "&name=PROV_" + row[0]; row[5] != want {
			t.Errorf("page: %q, want %q", row[5], want)
		}
		var p payload
		if err := json.Unmarshal([]byte(row[4]), &p); err != nil || p.Code != row[3] || p.Name != "PROV_"+row[0] || row[1] != p.Name {
			t.Errorf("%q: %+v, %v", row, p, err)
		}
		store := t.TempDir() // of the gateway, with the image's folder
		if err := os.CopyFS(filepath.Join(store, code.BatchFolder), os.DirFS(filepath.Join(batch, code.BatchFolder))); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{rows[1][0], rows[2][0]} {
			if err := os.Chmod(filepath.Join(store, code.BatchFolder, file+".json"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if found, err := code.Adopt(store, []string{"none", row[0]}); found != row[0] || err != nil {
			t.Fatalf("%q, %v", found, err)
		}
		if v, err := code.Load(store); err != nil || !v.Matches([]byte(row[3])) {
			t.Errorf("%s: %v", row[0], err)
		}
	}
	for _, file := range []string{"labels.csv", "codes/SN-2.json"} {
		if info, err := os.Stat(filepath.Join(batch, file)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
}

func TestCodeBatchMistakes(t *testing.T) {
	dir := t.TempDir()
	file := func(text string) string {
		path := filepath.Join(dir, "serials.txt")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, args := range map[string][]string{
		"nothing": nil, "no folder": {"--count", "2"}, "both": {"--count", "2", "--serials", file("a"), "--out", dir + "/x"},
		"many": {"--count", "100001", "--out", dir + "/x"}, "less": {"--count", "-1", "--out", dir + "/x"},
	} {
		if status, _, _ := ctl(false, "", append([]string{"code", "batch", "--name", "n"}, args...)...); status != exitUsage {
			t.Errorf("%s: %d", name, status)
		}
	}
	for _, name := range []string{"PROV_{serial}-of-a-series-with-a-name", "a\tb", " "} { // no gateway can be called so
		if status, _, stderr := ctl(false, "", "code", "batch", "--name", name, "--count", "2", "--out", dir+"/x"); status != exitUsage || !strings.Contains(stderr, "no gateway can be called") {
			t.Errorf("%q: %d %s", name, status, stderr)
		}
	}
	if err := os.Mkdir(dir+"/there", 0o700); err != nil {
		t.Fatal(err)
	}
	status, _, stderr := ctl(false, "", "code", "batch", "--name", "n", "--count", "2", "--out", dir+"/there")
	if left, err := os.ReadDir(dir + "/there"); status != exitError || !strings.HasSuffix(stderr, "there: file exists\n") || len(left) > 0 || err != nil {
		t.Errorf("a folder that is there: %d %s, %v, %v", status, stderr, left, err)
	}
	for _, text := range []string{"", "\n \n", "a\na", "../a", "a b", ".a"} {
		if status, _, _ := ctl(false, "", "code", "batch", "--name", "n", "--serials", file(text), "--out", dir+"/x"); status != exitUsage {
			t.Errorf("%q: %d", text, status)
		}
	}
	if _, err := os.Stat(dir + "/x"); err == nil {
		t.Error("something was written")
	}
}
