package main

import (
	"bytes"
	"encoding/xml"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/code"
)

func TestLabel(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "wifiprovd.yaml")
	if err := os.WriteFile(config, []byte("bluetooth: {name: PROV_A1B2C3}\nstore: {dir: "+dir+"/store}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := code.Verifier("wifiprov", []byte(labelCode))
	if err != nil {
		t.Fatal(err)
	}
	for _, kept := range []bool{false, true} { // a label can be made before the gateway has its code
		if kept {
			if err := code.Save(dir+"/store", v); err != nil {
				t.Fatal(err)
			}
		}
		status, text, stderr := ctl(true, labelCode, "code", "label", "--config", config)
		if status != exitOK || !strings.Contains(text, "name  PROV_A1B2C3\nuser  wifiprov\ncode  "+labelCode+"\n") || !strings.Contains(text, "█") {
			t.Fatalf("%d %s%s", status, text, stderr)
		}
	}
	if status, out, _ := ctl(true, labelCode, "code", "show-qr", "--config", config); status != exitOK || strings.Contains(out, labelCode) || !strings.Contains(out, "█") {
		t.Errorf("show-qr: %d %s", status, out)
	}
	l, err := newLabel("PROV_A1B2C3", "wifiprov", labelCode, testPage)
	if err != nil {
		t.Fatal(err)
	}
	want := l.codes[0].blocks() + "app\n\n" + l.codes[1].blocks() + "browser\n\n"
	if status, out, stderr := ctl(true, labelCode, "code", "show-qr", "--page", testPage, "--config", config); status != exitOK || out != want {
		t.Errorf("show-qr --page: %d %s\n%s", status, stderr, out)
	}
	if status, out, stderr := ctl(true, "ANOTHERCODE99", "code", "label", "--config", config); status != exitUsage || out != "" || strings.Contains(stderr, "ANOTHER") {
		t.Errorf("another code: %d %s %s", status, out, stderr)
	}
	for form, check := range map[string]func(io.Reader) error{
		"svg": func(r io.Reader) error { return xml.NewDecoder(r).Decode(new(struct{ XMLName xml.Name })) },
		"png": func(r io.Reader) error { _, err := png.Decode(r); return err },
		"pdf": checkPDF,
	} {
		file := filepath.Join(dir, "label."+form)
		args := []string{"code", "label", "--" + form, "--out", file, "--name", `a<"b`, "--config", config}
		if status, _, stderr := ctl(true, labelCode, args...); status != exitOK {
			t.Fatalf("%s: %s", form, stderr)
		}
		data, err := os.ReadFile(file)
		if err != nil || check(bytes.NewReader(data)) != nil {
			t.Errorf("%s: %v, %v", form, err, check(bytes.NewReader(data)))
		}
		if info, _ := os.Stat(file); info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v", form, info.Mode())
		}
		if status, _, _ := ctl(true, labelCode, args...); status != exitError {
			t.Errorf("%s: an existing file was replaced", form)
		}
	}
}
