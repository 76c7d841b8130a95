package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/wifiprovd/wifiprovd/internal/control"
	"github.com/wifiprovd/wifiprovd/internal/doctor"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// errWrong says that doctor found something.
var errWrong = errors.New("something is wrong; each line above says what mends it (as root)")

// statusJSON is what status --json prints.
type statusJSON struct {
	Running     bool         `json:"running"`
	State       string       `json:"state,omitempty"`
	Phase       string       `json:"phase,omitempty"`
	Why         string       `json:"why,omitempty"`
	Next        string       `json:"next,omitempty"`
	Since       string       `json:"since,omitempty"` // RFC 3339
	ForSeconds  float64      `json:"for_seconds"`     // right even if the clock was set since
	Reason      string       `json:"reason,omitempty"`
	ReasonCode  byte         `json:"reason_code"`
	Network     *networkJSON `json:"network"` // null: none is joined or tried
	Centrals    []string     `json:"centrals"`
	Advertising bool         `json:"advertising"`
	Adapter     string       `json:"adapter,omitempty"`
	NotAdvWhy   string       `json:"not_advertising_why,omitempty"`
	Version     string       `json:"version,omitempty"`
	Security    string       `json:"security,omitempty"`
}

type networkJSON struct {
	Joined       bool       `json:"joined"`
	SSID         string     `json:"ssid"`     // escaped
	SSIDHex      string     `json:"ssid_hex"` // its bytes
	BSSID        string     `json:"bssid,omitempty"`
	FrequencyMHz int        `json:"frequency_mhz,omitempty"`
	SignalDBm    int        `json:"signal_dbm,omitempty"` // when it was joined
	KeyMgmt      string     `json:"key_management,omitempty"`
	IPv4         netip.Addr `json:"ipv4,omitzero"`
	IPv6         netip.Addr `json:"ipv6,omitzero"`
	Gateway      netip.Addr `json:"gateway,omitzero"`
}

// status shows what the daemon on this machine is doing.
func status(ctx context.Context, j *job) error {
	s, err := control.Read(ctx, j.bus)
	if errors.Is(err, control.ErrNotRunning) {
		if j.json {
			_ = printJSON(j.stdout, statusJSON{Centrals: []string{}})
		}
		return &hint{err, "Start it: 'systemctl start wifiprovd'. If that does not help: 'wifiprovctl doctor'"}
	}
	if err != nil {
		return err
	}
	if j.json {
		return printJSON(j.stdout, asJSON(&s))
	}
	_, err = io.WriteString(j.stdout, j.inLines(&s))
	return err
}

func asJSON(s *control.Status) statusJSON {
	out := statusJSON{
		Running: true, State: s.Name, Phase: s.Phase, Why: s.Why, Next: s.Next,
		Since: s.Since.Format(time.RFC3339), ForSeconds: s.For().Round(time.Millisecond).Seconds(),
		Reason: s.Reason.String(), ReasonCode: byte(s.Reason),
		Centrals: append([]string{}, s.Centrals...), Advertising: s.Advertising, Adapter: s.Adapter, NotAdvWhy: s.Trouble,
		Version: s.Version, Security: s.Security,
	}
	if s.SSID != "" {
		quoted := s.SSID.String()
		n := s.Network
		out.Network = &networkJSON{
			Joined: n.BSSID != "", SSID: quoted[1 : len(quoted)-1], SSIDHex: hex.EncodeToString([]byte(s.SSID)),
			BSSID: n.BSSID, FrequencyMHz: n.FrequencyMHz, SignalDBm: n.SignalDBm, KeyMgmt: n.KeyMgmt,
			IPv4: s.IPv4, IPv6: s.IPv6, Gateway: s.Gateway,
		}
	}
	return out
}

// inLines returns the status for a person.
func (j *job) inLines(s *control.Status) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s %s\n", name, printable(fmt.Sprintf(format, args...)))
	}
	line("State", "%s", s.Name)
	line("Why", "%s", s.Why)
	line("Since", "%s (%s)", s.Since.Format("2006-01-02 15:04:05 MST"), s.For().Round(time.Second))
	line("Next", "%s", s.Next)
	if s.Reason != wifi.FailureNone {
		line("Reason", "%s (%d)", s.Reason, byte(s.Reason))
	}
	switch n := s.Network; {
	case n.BSSID != "":
		line("Network", "%s by access point %s at %d MHz, %d dBm when it was joined, %s", j.screen.quote(string(n.SSID)), n.BSSID, n.FrequencyMHz, n.SignalDBm, n.KeyMgmt)
		line("Address", "%s", addresses(s))
	case s.SSID != "":
		line("Network", "%s, not joined", j.screen.quote(string(s.SSID)))
	default:
		line("Network", "none")
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
		line("Advertising", "no: %s", s.Trouble)
	}
	line("Version", "%s, security %s", s.Version, s.Security)
	return b.String()
}

// addresses lists what the network gave.
func addresses(s *control.Status) string {
	var list []string
	for _, a := range []netip.Addr{s.IPv4, s.IPv6} {
		if a.IsValid() {
			list = append(list, a.String())
		}
	}
	switch {
	case len(list) == 0:
		return "none"
	case s.Gateway.IsValid():
		list = append(list, "gateway "+s.Gateway.String())
	}
	return strings.Join(list, ", ")
}

// printable returns text with everything escaped that cannot be seen: some of it
// comes from other programs.
func printable(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
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
	text := fmt.Sprintf("%-6s %-15s %s\n", sign, r.Check, printable(r.Says))
	if r.Mend != "" {
		text += fmt.Sprintf("%-6s %-15s -> %s\n", "", "", printable(r.Mend))
	}
	return text
}
