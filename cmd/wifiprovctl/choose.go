package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const (
	maxAnswers = 3  // to the question for a number
	maxLine    = 16 // bytes kept of an answer
)

// choose lists the networks that the gateway hears, as look tells, and asks which one to provision.
func (j *job) choose(ctx context.Context, look func(context.Context) ([]central.Heard, error)) error {
	j.screen.doing("the gateway looks for networks")
	networks, err := look(ctx)
	switch {
	case errors.Is(err, central.ErrNoCharacteristic):
		return usagef("this gateway does not tell which networks it hears: use --ssid")
	case err != nil:
		return err
	case len(networks) == 0:
		return &hint{errors.New("the gateway hears no network"), "Is the access point on, and near it? For a hidden network use --ssid."}
	}
	j.screen.step("the gateway hears %d networks", len(networks))
	fmt.Fprint(j.stdout, j.list(networks))
	for range maxAnswers {
		fmt.Fprintf(j.stderr, "Number of the network (1 to %d): ", len(networks))
		line, err := within(ctx, func() (string, error) { return readLine(j.stdin) }, func() {})
		if err != nil {
			return fmt.Errorf("choose a network: %w", err)
		}
		n, err := strconv.Atoi(strings.TrimSpace(line))
		switch {
		case err != nil || n < 1 || n > len(networks):
		case !networks[n-1].Joinable:
			fmt.Fprintln(j.stderr, "That network wants more than a password: a gateway cannot join it.")
		default:
			j.take(networks[n-1])
			return nil
		}
	}
	return usagef("no network was chosen")
}

// take selects the network to provision. For an open one the user is not asked for a password.
func (j *job) take(h central.Heard) {
	j.ssid = string(h.SSID)
	if j.security == wifi.AutoDetect && h.Security == wifi.Open {
		j.security = wifi.Open
	}
}

// list numbers and lists networks.
func (j *job) list(networks []central.Heard) string {
	var b strings.Builder
	for i, h := range networks {
		security, joined := h.Security.String(), ""
		switch {
		case !h.Joinable:
			security = "other"
		case h.Security == wifi.AutoDetect:
			security = "wpa"
		}
		if h.Joined {
			joined = "  (joined now)"
		}
		fmt.Fprintf(&b, "%3d  %4d dBm  %-11s  %s%s\n", i+1, h.SignalDBm, security, j.screen.quote(string(h.SSID)), joined)
	}
	return b.String()
}

// readLine reads up to the end of a line and no further: a password may follow.
func readLine(r io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); ; {
		if _, err := io.ReadFull(r, b); err != nil {
			return "", err
		}
		if b[0] == '\n' {
			return string(bytes.TrimSuffix(line, []byte("\r"))), nil
		}
		if line = append(line, b[0]); len(line) > maxLine {
			line = line[:maxLine]
		}
	}
}
