package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// file returns the name of a file with that content.
func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestPassword(t *testing.T) {
	asked := func(secret string) func(context.Context, string) ([]byte, error) {
		return func(context.Context, string) ([]byte, error) { return []byte(secret), nil }
	}
	for name, test := range map[string]struct {
		world   world
		options options
		want    string
	}{
		"standard input":              {world{stdin: strings.NewReader("pass word\n")}, options{}, "pass word"},
		"standard input, no newline":  {world{stdin: strings.NewReader("password")}, options{}, "password"},
		"standard input, DOS":         {world{stdin: strings.NewReader("password\r\n")}, options{}, "password"},
		"spaces and newlines stay":    {world{stdin: strings.NewReader(" pass\nword \n\n")}, options{}, " pass\nword \n"},
		"nothing":                     {world{stdin: strings.NewReader("")}, options{}, ""},
		"the terminal":                {world{stdin: strings.NewReader("no"), askPassword: asked("password")}, options{}, "password"},
		"a file before the terminal":  {world{askPassword: asked("no")}, options{passwordFile: file(t, "password\n")}, "password"},
		"none for an open network":    {world{stdin: strings.NewReader("no"), askPassword: asked("no")}, options{security: wifi.Open}, ""},
		"a raw PSK fills what can be": {world{stdin: strings.NewReader(strings.Repeat("f", 64) + "\r\n")}, options{}, strings.Repeat("f", 64)},
	} {
		t.Run(name, func(t *testing.T) {
			if name != "none for an open network" {
				test.options.security = wifi.AutoDetect
			}
			j := &job{world: test.world, options: test.options, screen: newScreen(io.Discard, false)}
			if got, err := j.password(context.Background()); err != nil || string(got.Bytes()) != test.want {
				t.Errorf("%q, %v, want %q", got.Bytes(), err, test.want)
			}
		})
	}
}

func TestPasswordMistakes(t *testing.T) {
	tooLong := strings.Repeat("hunter22", 9)
	for name, test := range map[string]struct {
		world   world
		options options
	}{
		"too long":      {world{stdin: strings.NewReader(tooLong)}, options{}},
		"too long file": {world{}, options{passwordFile: file(t, tooLong)}},
		"no such file":  {world{}, options{passwordFile: "/nonexistent/file"}},
		"a folder":      {world{}, options{passwordFile: t.TempDir()}},
		"no terminal":   {world{askPassword: func(context.Context, string) ([]byte, error) { return nil, io.ErrUnexpectedEOF }}, options{}},
	} {
		t.Run(name, func(t *testing.T) {
			test.options.security = wifi.AutoDetect
			j := &job{world: test.world, options: test.options, screen: newScreen(io.Discard, false)}
			_, err := j.password(context.Background())
			if err == nil || strings.Contains(err.Error(), "hunter22") {
				t.Errorf("%v", err)
			}
		})
	}
}

// tty is a terminal on which someone types.
type tty struct {
	io.Reader
	shown strings.Builder
}

func (t *tty) Write(b []byte) (int, error) { return t.shown.Write(b) }
func (t *tty) Close() error                { return nil }

func TestPasskey(t *testing.T) {
	noTTY := func() (io.ReadWriteCloser, error) { return nil, errors.New("no such device") }
	typed := func(text string) func() (io.ReadWriteCloser, error) {
		return func() (io.ReadWriteCloser, error) { return &tty{Reader: strings.NewReader(text)}, nil }
	}
	for name, test := range map[string]struct {
		file string
		tty  func() (io.ReadWriteCloser, error)
		want uint32
		ok   bool
	}{
		"typed":              {tty: typed("012345\n"), want: 12345, ok: true},
		"a file":             {file: "999999\n", tty: noTTY, want: 999999, ok: true},
		"a file, no newline": {file: "000000", tty: noTTY, ok: true},
		"five digits":        {tty: typed("12345\n")},
		"seven digits":       {tty: typed("1234567\n")},
		"a sign":             {tty: typed("-12345\n")},
		"no digits":          {tty: typed("passke\n")},
		"nothing":            {tty: typed("")},
		"very long":          {tty: typed(strings.Repeat("1", 1000))},
		"no terminal":        {tty: noTTY},
	} {
		t.Run(name, func(t *testing.T) {
			o := options{}
			if test.file != "" {
				o.passkeyFile = file(t, test.file)
			}
			j := &job{world: world{openTTY: test.tty}, options: o, screen: newScreen(io.Discard, false)}
			defer j.screen.idle()
			got, err := j.passkey(context.Background())
			if got != test.want || (err == nil) != test.ok {
				t.Errorf("%d, %v", got, err)
			}
		})
	}
}

// A FIFO that nobody writes to does not outlive the pairing, nor the program's time.
func TestSecretsEndInTime(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	silent, writer := io.Pipe()
	defer writer.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for name, options := range map[string]options{
		"a file":         {passkeyFile: fifo, passwordFile: fifo, security: wifi.AutoDetect},
		"standard input": {passkeyFile: fifo, security: wifi.AutoDetect},
	} {
		j := &job{world: world{stdin: silent}, options: options, screen: newScreen(io.Discard, false)}
		if _, err := j.passkey(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: passkey: %v", name, err)
		}
		if _, err := j.password(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: password: %v", name, err)
		}
	}
}
