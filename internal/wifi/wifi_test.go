package wifi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const canary = "canary-Passw0rd"

func TestValidate(t *testing.T) {
	hex64 := strings.Repeat("0123456789abcdef", 4)
	for _, c := range []struct {
		name, ssid, password string
		security             Security
		ok                   bool
	}{
		{"personal, auto", "home", "12345678", AutoDetect, true},
		{"open, auto", "home", "", AutoDetect, true},
		{"open", "home", "", Open, true},
		{"32 bytes of SSID", strings.Repeat("\xff", 32), "12345678", WPA2PSK, true},
		{"63 bytes of passphrase", "home", strings.Repeat("x", 63), WPA3SAE, true},
		{"raw PSK", "home", hex64, WPA2PSK, true},
		{"raw PSK, auto", "home", strings.ToUpper(hex64), AutoDetect, true},
		{"no SSID", "", "12345678", WPA2PSK, false},
		{"33 bytes of SSID", strings.Repeat("a", 33), "12345678", WPA2PSK, false},
		{"no password", "home", "", WPA2PSK, false},
		{"7 bytes", "home", "1234567", AutoDetect, false},
		{"open with a password", "home", "12345678", Open, false},
		{"64 bytes, no hex", "home", hex64[:63] + "g", WPA2PSK, false},
		{"65 bytes", "home", hex64 + "0", WPA2PSK, false},
		{"raw PSK with SAE", "home", hex64, WPA3SAE, false},
		{"zero byte, WPA2", "home", "1234\x005678", WPA2PSK, false},
		{"zero byte, WPA3", "home", "1234\x005678", WPA3SAE, false},
		{"zero byte, auto", "home", "\x0012345678", AutoDetect, false},
		{"white space at the ends", "home", " \t1234567\r\n", WPA2PSK, true},
		{"unknown security", "home", "12345678", 4, false},
	} {
		creds := Credentials{SSID: SSID(c.ssid), Passphrase: NewPassphrase([]byte(c.password)), Security: c.security}
		err := creds.Validate()
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil && (FailureOf(err) != FailureInvalidCredentials || c.password != "" && strings.Contains(err.Error(), c.password)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestDoubt(t *testing.T) {
	for password, want := range map[string]string{
		"12345678": "", "1234 5678": "", "": "", "pass\nword": "",
		"12345678\n": "ends in a line break", "12345678\r\n": "ends in a line break", "12345678\r": "ends in a line break",
		"12345678 ": "ends in white space", "12345678\t": "ends in white space", "12345678\u00a0": "ends in white space",
		" 12345678": "begins with white space", "\n12345678": "begins with white space",
	} {
		got := Credentials{Passphrase: NewPassphrase([]byte(password))}.Doubt()
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", password, got, want)
		}
	}
}

func TestPassphraseNeverShows(t *testing.T) {
	creds := Credentials{SSID: "home", Passphrase: NewPassphrase([]byte(canary)), Security: WPA2PSK}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb+verb, creds, &creds, creds.Passphrase)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "c", creds, "p", creds.Passphrase)
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "c", creds, "p", creds.Passphrase)
	if err := json.NewEncoder(&out).Encode(creds); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprint([]byte(canary))} {
		if strings.Contains(strings.ToLower(out.String()), strings.ToLower(secret)) {
			t.Errorf("%q shows in %s", secret, out.String())
		}
	}
}

func TestWipeAndClone(t *testing.T) {
	creds := Credentials{Passphrase: NewPassphrase([]byte(canary))}
	kept := creds.Clone()
	creds.Wipe()
	if bytes.ContainsAny(creds.Passphrase.Bytes(), canary) || string(kept.Passphrase.Bytes()) != canary {
		t.Error("Wipe left something, or reached the clone")
	}
}

func TestSSIDIsEscaped(t *testing.T) {
	if got := SSID("a\"\n\x1b[31m\u202e\xff").String(); got != `"a\"\n\x1b[31m\u202e\xff"` {
		t.Error(got)
	}
}

func TestSecurityNames(t *testing.T) {
	for b := range 256 {
		s := Security(b)
		parsed, err := ParseSecurity(s.String())
		if s.Valid() != (err == nil) || s.Valid() && parsed != s {
			t.Errorf("0x%02x: %s parses to %s, %v", b, s, parsed, err)
		}
	}
}

func TestFailureOf(t *testing.T) {
	wrapped := fmt.Errorf("join: %w", &Error{Failure: FailureNotFound, Err: errors.New("cause")})
	if FailureOf(wrapped) != FailureNotFound || FailureOf(nil) != FailureNone || FailureOf(errors.New("x")) != FailureInternal {
		t.Error("FailureOf")
	}
	if got := wrapped.Error(); got != "join: not-found: cause" {
		t.Error(got)
	}
	if Failure(10).String() != "unknown (10)" {
		t.Error(Failure(10))
	}
}
