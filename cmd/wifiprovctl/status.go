package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/wifiprovd/wifiprovd/internal/control"
	"github.com/wifiprovd/wifiprovd/internal/doctor"
	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// errWrong says that doctor found something.
var errWrong = errors.New("something is wrong; each line above has the fix (as root)")

// status shows what the daemon on this machine is doing.
func status(ctx context.Context, j *job) error {
	s, err := control.Read(ctx, j.bus)
	if errors.Is(err, control.ErrNotRunning) && j.json {
		_ = printJSON(j.stdout, map[string]any{"running": false})
	}
	if err != nil {
		return withHint(err)
	}
	if j.json {
		return printJSON(j.stdout, statusJSON(&s))
	}
	_, err = io.WriteString(j.stdout, j.inLines(&s))
	return err
}

// withHint says what to do if the daemon does not run.
func withHint(err error) error {
	if errors.Is(err, control.ErrNotRunning) {
		return &hint{err, "Start it: 'systemctl start wifiprovd'. If that does not help: 'wifiprovctl doctor'"}
	}
	return err
}

// open has the daemon on this machine open a window.
func open(ctx context.Context, j *job) error {
	return withHint(control.Open(ctx, j.bus, j.window))
}

// closeWindow has the daemon on this machine end the window.
func closeWindow(ctx context.Context, j *job) error {
	return withHint(control.Close(ctx, j.bus))
}

// statusJSON is what status --json prints of a daemon that runs.
func statusJSON(s *control.Status) map[string]any {
	out := s.JSON()
	out["running"] = true
	return out
}

// inLines returns the status for a person.
func (j *job) inLines(s *control.Status) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s %s\n", name, printable(fmt.Sprintf(format, args...)))
	}
	line("Status", "%s", s.Status)
	line("Message", "%s", s.Message)
	line("Since", "%s (%s)", s.SinceTime().Format("2006-01-02 15:04:05 MST"), s.For().Round(time.Second))
	line("Next", "%s", s.Next)
	if s.ReasonCode != byte(wifi.FailureNone) {
		line("Reason", "%s (%d)", s.Reason, s.ReasonCode)
	}
	switch ssid := j.screen.quote(string(s.SSID)); {
	case s.Joined():
		line("Network", "%s by access point %s at %d MHz, %d dBm, %s", ssid, s.BSSID, s.Frequency, s.Signal, s.AKM)
		line("Address", "%s", addresses(s))
	case len(s.SSID) > 0:
		line("Network", "%s, not joined", ssid)
	default:
		line("Network", "none")
	}
	if s.WifiBackend != "" && s.WifiInterface != "" {
		line("Wi-Fi", "through %s on %s", s.WifiBackend, s.WifiInterface)
	}
	if s.Country != "" {
		line("Country", "%s", s.Country)
	}
	if len(s.Centrals) == 0 {
		line("Phones", "none connected")
	}
	for _, c := range s.Centrals {
		line("Phone", "%s", c)
	}
	if s.Advertising {
		line("Advertising", "on %s", s.Adapter)
	} else {
		line("Advertising", "no: %s", s.AdvertisingMessage)
	}
	if left := s.WindowLeft(); left > 0 {
		line("Window", "open for another %s", left.Round(time.Second))
	}
	if code := codeLine(s); code != "" {
		line("Code", "%s", code)
	}
	line("Version", "%s, security %s", s.Version, s.Security)
	return b.String()
}

// codeLine says for a person what there is of the code on the label; empty: not known.
func codeLine(s *control.Status) string {
	switch required := s.CodeRequired; {
	case s.Code == gateway.CodeNone.String() && required:
		return "none, so nobody can provision the gateway (bluetooth.require_code)"
	case s.Code == gateway.CodeSet.String() && required:
		return "set: phones must prove it"
	case s.Code == gateway.CodeSet.String():
		return "set, but phones may provision without it"
	case s.Code == gateway.CodeUnreadable.String() && required:
		return "cannot be used, so nobody can provision the gateway: see 'sudo wifiprovctl doctor'"
	case s.Code == gateway.CodeUnreadable.String():
		return "cannot be used: see 'sudo wifiprovctl doctor'"
	}
	return s.Code // none, or one of another version's
}

// addresses lists what the network gave.
func addresses(s *control.Status) string {
	var list []string
	for _, a := range []string{s.IPv4, s.IPv6} {
		if a != "" {
			list = append(list, a)
		}
	}
	switch {
	case len(list) == 0:
		return "none"
	case s.Gateway != "":
		list = append(list, "gateway "+s.Gateway)
	}
	return strings.Join(list, ", ")
}

// printable returns text with everything escaped that cannot be seen: some of it
// comes from other programs.
func printable(text string) string { return escape(text, unicode.IsPrint) }

// escape returns text with everything escaped that shown does not tell can be shown.
func escape(text string, shown func(rune) bool) string {
	var b strings.Builder
	for _, r := range text {
		if shown(r) {
			b.WriteRune(r)
			continue
		}
		b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
	}
	return b.String()
}

// printJSON prints v as JSON in which everything is escaped that cannot be seen,
// which encoding/json does only with some of it.
func printJSON(out io.Writer, v any) error {
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err
	}
	var b strings.Builder
	for _, r := range encoded.String() {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// examine looks for what is wrong on this machine.
func examine(ctx context.Context, j *job) error {
	m := doctor.ThisMachine(j.config)
	m.Bus = j.bus
	results := doctor.Examine(ctx, m, func(check string) {
		if !j.json {
			j.screen.doing("looking at %s", check)
		}
	})
	j.screen.idle()
	found := false
	for _, r := range results {
		found = found || r.Verdict == doctor.Wrong
	}
	if j.json {
		if err := printJSON(j.stdout, map[string]any{"ok": !found, "checks": results}); err != nil {
			return err
		}
	} else {
		for _, r := range results {
			_, _ = io.WriteString(j.stdout, resultLines(r))
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case found:
		return errWrong
	}
	return nil
}

// resultLines returns a result for a person.
func resultLines(r doctor.Result) string {
	sign := map[doctor.Verdict]string{doctor.OK: "OK", doctor.Wrong: "WRONG"}[r.Verdict]
	if sign == "" {
		sign = "?"
	}
	text := fmt.Sprintf("%-6s %-15s %s\n", sign, r.Check, printable(r.Message))
	if r.Fix != "" {
		text += fmt.Sprintf("%-6s %-15s -> %s\n", "", "", printable(r.Fix))
	}
	return text
}
