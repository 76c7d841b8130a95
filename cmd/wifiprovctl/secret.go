package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// maxSecretFile is enough for a password and the end of its line.
const maxSecretFile = wifi.RawPSKLen + 2

// password returns the network's password, from where the options say. It is never an argument:
// every user can see those in the list of processes.
func (j *job) password(ctx context.Context) (wifi.Passphrase, error) {
	if j.security == wifi.Open {
		return wifi.Passphrase{}, nil
	}
	secret, err := j.readPassword(ctx)
	if err != nil {
		return wifi.Passphrase{}, err
	}
	defer clear(secret)
	return wifi.NewPassphrase(trimNewline(secret)), nil
}

func (j *job) readPassword(ctx context.Context) ([]byte, error) {
	switch {
	case j.passwordFile != "":
		return within(ctx, func() ([]byte, error) { return readSecretFile(j.passwordFile) }, func() {})
	case j.askPassword != nil:
		prompt := "Password of " + j.screen.quote(j.ssid) + " (empty: an open network): "
		secret, err := j.askPassword(ctx, prompt)
		if err != nil {
			return nil, fmt.Errorf("ask for the password: %w", err)
		}
		return secret, nil
	}
	return within(ctx, func() ([]byte, error) { return readSecret(j.stdin) }, func() {})
}

func readSecretFile(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read the password: %w", err)
	}
	defer file.Close()
	return readSecret(file)
}

// readSecret reads a password up to the end of r. Reading stops at the longest one there can be.
func readSecret(r io.Reader) ([]byte, error) {
	secret := make([]byte, maxSecretFile+1)
	n, err := io.ReadFull(r, secret)
	switch {
	case err == nil:
		clear(secret)
		return nil, usagef("the password is longer than %d bytes", wifi.RawPSKLen)
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("read the password: %w", err)
	}
	return secret[:n], nil
}

// trimNewline removes one end of line and nothing else: a password may begin and end with spaces.
func trimNewline(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\n' {
		b = b[:n-1]
		if n := len(b); n > 0 && b[n-1] == '\r' {
			b = b[:n-1]
		}
	}
	return b
}

// passkey asks for the six digits that the gateway shows, or reads them from --passkey-file.
func (j *job) passkey(ctx context.Context) (uint32, error) {
	j.screen.step("the gateway shows a passkey in its journal: journalctl -u wifiprovd")
	line, err := within(ctx, j.readPasskey, func() {})
	if err != nil {
		return 0, fmt.Errorf("no passkey was given: %w", err)
	}
	j.screen.doing("pairing")
	return parsePasskey(line)
}

func (j *job) readPasskey() (string, error) {
	var from io.ReadWriteCloser
	var err error
	if j.passkeyFile != "" {
		if from, err = os.Open(j.passkeyFile); err != nil {
			return "", fmt.Errorf("read the passkey: %w", err)
		}
	} else {
		if from, err = j.openTTY(); err != nil {
			return "", fmt.Errorf("there is no terminal to ask for the passkey on; use --passkey-file: %w", err)
		}
		_, _ = io.WriteString(from, "Passkey: ")
	}
	defer from.Close()
	line, err := bufio.NewReader(io.LimitReader(from, 16)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the passkey: %w", err)
	}
	return line, nil
}

// parsePasskey parses a passkey of six digits (Core Specification, volume 3, part H, 2.3.5.3).
func parsePasskey(line string) (uint32, error) {
	digits := string(trimNewline([]byte(line)))
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || len(digits) != 6 {
		return 0, errors.New("a passkey has six digits")
	}
	return uint32(n), nil
}
