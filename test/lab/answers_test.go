//go:build lab

package lab

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// attWriteNotPermitted and the rest are the codes of the contract's table "What
// a write answers" as they are on the air.
const (
	attReadNotPermitted  central.ATTError = 0x02
	attWriteNotPermitted central.ATTError = 0x03
	attInvalidOffset     central.ATTError = 0x07
	attInvalidLength     central.ATTError = 0x0D
	attUnknownSecurity   central.ATTError = 0x81
	attUnknownControl    central.ATTError = 0x82
	attUnknownScan       central.ATTError = 0x83
	attUnknownCountry    central.ATTError = 0x84
	attConfiguredCountry central.ATTError = 0x85
	attUnknownCustom     central.ATTError = 0x86
	attCustomOrder       central.ATTError = 0x87
	attCustomHash        central.ATTError = 0x88
	attBusy              central.ATTError = 0xFE
)

const clientFeaturesUUID = "2b29" // Client Supported Features

// is checks an answer; nil is "accepted".
func is(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: answered %v, want %v", what, got, want)
	}
}

// writeAnswers has values of every length that matters, and what a write of each
// is answered.
var writeAnswers = []struct {
	what, uuid string
	value      []byte
	want       error
}{
	{"an SSID of 0 bytes", central.SSIDUUID, nil, attInvalidLength},
	{"an SSID of 1 byte", central.SSIDUUID, []byte{0}, nil},
	{"an SSID of 32 bytes", central.SSIDUUID, bytes.Repeat([]byte{0xFF}, 32), nil},
	{"an SSID of 33 bytes", central.SSIDUUID, bytes.Repeat([]byte{'a'}, 33), attInvalidLength},
	{"a Password of 0 bytes", central.PasswordUUID, nil, nil},
	{"a Password of 64 bytes", central.PasswordUUID, bytes.Repeat([]byte{'a'}, 64), nil},
	{"a Password of 65 bytes", central.PasswordUUID, bytes.Repeat([]byte{'a'}, 65), attInvalidLength},
	{"a Security of 0 bytes", central.SecurityUUID, nil, attInvalidLength},
	{"a Security of 2 bytes", central.SecurityUUID, []byte{1, 0}, attInvalidLength},
	{"a Control of 0 bytes", central.ControlUUID, nil, attInvalidLength},
	{"a Control of 2 bytes", central.ControlUUID, []byte{1, 0}, attInvalidLength},
	{"a Status", central.StatusUUID, []byte{0}, attWriteNotPermitted},
	{"a Reason", central.ReasonUUID, []byte{0}, attWriteNotPermitted},
	{"a Network", central.NetworkUUID, []byte{0}, attWriteNotPermitted},
	{"a Device", central.DeviceUUID, []byte{0}, attWriteNotPermitted},
	{"a Scan of 0 bytes", central.ScanUUID, nil, attInvalidLength},
	{"a Scan of 2 bytes", central.ScanUUID, []byte{1, 0}, attInvalidLength},
	{"a Scan of 0", central.ScanUUID, []byte{0}, attUnknownScan},
	{"a Scan page of 0 bytes", central.ScanPageUUID, nil, attInvalidLength},
	{"a Scan page of 2 bytes", central.ScanPageUUID, []byte{0, 0}, attInvalidLength},
	{"a Scan page past the end", central.ScanPageUUID, []byte{255}, nil},
	{"a Custom of 0 bytes", central.CustomUUID, nil, attInvalidLength},
	{"a Custom without an operation", central.CustomUUID, []byte{0}, attUnknownCustom},
	{"a Custom that begins nothing", central.CustomUUID, []byte{1}, attInvalidLength},
	{"a Custom of a name that is none", central.CustomUUID, announced("A", nil), attUnknownCustom},
	{"a Custom of 4097 bytes", central.CustomUUID, announced("a", make([]byte, 4097)), attUnknownCustom},
	{"a Custom's piece of nothing", central.CustomUUID, []byte{2, 0, 0, 1}, attCustomOrder},
	{"a Custom's commit of nothing", central.CustomUUID, []byte{3}, attCustomOrder},
	{"a Custom's page of nothing", central.CustomUUID, []byte{4, 0, 0}, attCustomOrder},
}

// TestAnswers writes what the contract allows and what it does not.
func TestAnswers(t *testing.T) {
	g := start(t, situation{})
	r := dialATT(t, phoneHCI, encrypted)
	r.exchangeMTU(200)
	for _, c := range writeAnswers {
		is(t, c.what, r.write(c.uuid, c.value...), c.want)
		is(t, c.what+", long", r.writeLong(c.uuid, 0, c.value), longAnswer(c.value, c.want))
	}
	for value := range 256 {
		security, control := error(attUnknownSecurity), error(attUnknownControl)
		if wifi.Security(value).Valid() {
			security = nil
		}
		is(t, fmt.Sprintf("Security 0x%02x", value), r.write(central.SecurityUUID, byte(value)), security)
		if value != int(central.ControlConnect) && value != int(central.ControlErase) {
			is(t, fmt.Sprintf("Control 0x%02x", value), r.write(central.ControlUUID, byte(value)), control)
		}
	}
	for _, uuid := range written {
		is(t, uuid+" at offset 1", r.writeLong(uuid, 1, []byte{1}), attInvalidOffset)
		_, err := r.read(uuid)
		is(t, "a read of "+uuid, err, attReadNotPermitted)
	}
	if status, err := r.read(central.StatusUUID); err != nil || !bytes.Equal(status, []byte{byte(central.StatusIdle)}) {
		t.Errorf("Status is % x, %v after all this, want IDLE", status, err)
	}
	g.stores(nil)
}

// longAnswer returns the answer to a long write of a value: an empty one has nothing to prepare, so
// nothing is written.
func longAnswer(value []byte, want error) error {
	if len(value) == 0 {
		return nil
	}
	return want
}

// TestImpossibleCredentials writes CONNECT with credentials that no network can have: it is accepted,
// and fails. Nothing is tried or stored.
func TestImpossibleCredentials(t *testing.T) {
	g := start(t, situation{})
	r := dialATT(t, phoneHCI, encrypted)
	is(t, "subscribe", r.subscribe(central.StatusUUID), nil)
	type attempt struct{ what, ssid, password, security string }
	attempts := []attempt{
		{"nothing", "", "", ""},
		{"no SSID", "", "password without SSID", ""},
		{"a password of 1 byte", "net", "1", ""},
		{"a password of 7 bytes", "net", "1234567", ""},
		{"64 bytes that are not hex digits", "net", strings.Repeat("0123456789abcdeg", 4), ""},
		{"a raw PSK with SAE", "net", strings.Repeat("0123456789ABCDEF", 4), "\x03"},
	}
	for _, security := range []string{"\x01", "\x02", "\x03", "\x06"} {
		attempts = append(attempts, attempt{fmt.Sprintf("security %d without a password", security[0]), "net", "", security})
	}
	for _, a := range attempts {
		t.Run(a.what, func(t *testing.T) {
			g, r := g.in(t), r.in(t)
			g.from = g.journal.mark(t, a.what)
			secret(t, a.ssid, a.password)
			for uuid, value := range map[string]string{
				central.SSIDUUID: a.ssid, central.PasswordUUID: a.password, central.SecurityUUID: a.security,
			} {
				if value != "" {
					is(t, "write "+uuid, r.writeLong(uuid, 0, []byte(value)), nil)
				}
			}
			is(t, "CONNECT", r.write(central.ControlUUID, byte(central.ControlConnect)), nil)
			r.expect(central.StatusFailed)
			reason, err := r.read(central.ReasonUUID)
			if want := byte(wifi.FailureInvalidCredentials); err != nil || !bytes.Equal(reason, []byte{want}) {
				t.Errorf("reason % x, %v; want %d", reason, err, want)
			}
			g.fails(wifi.FailureInvalidCredentials)
			g.stores(nil)
		})
	}
}

// in returns the phone for a subtest.
func (r *rawATT) in(t testing.TB) *rawATT {
	c := *r
	c.t = t
	return &c
}

// TestNotifiesSeveralValues: a phone that knows notifications of several values (volume
// 3, part G, 7.2, bit 2) gets Reason and FAILED that way, Reason first.
func TestNotifiesSeveralValues(t *testing.T) {
	start(t, situation{})
	r := dialATT(t, phoneHCI, encrypted)
	is(t, "Client Supported Features", r.write(clientFeaturesUUID, 1<<2), nil)
	is(t, "subscribe to Status", r.subscribe(central.StatusUUID), nil)
	is(t, "subscribe to Reason", r.subscribe(central.ReasonUUID), nil)
	is(t, "CONNECT without an SSID", r.write(central.ControlUUID, byte(central.ControlConnect)), nil)
	r.expectValue("Reason", central.ReasonUUID, byte(wifi.FailureInvalidCredentials))
	r.expect(central.StatusFailed)
	if r.several.Load() == 0 {
		t.Error("each was notified by itself")
	}
}

// TestPasswordForOpenNetwork: security 0 with a password drops the password.
func TestPasswordForOpenNetwork(t *testing.T) {
	open := AP{SSID: "needs no password", Security: wifi.Open}
	g := start(t, situation{aps: []AP{open}})
	p := ready(t, true)
	p.provision(open.SSID, "a password for nothing", wifi.Open)
	p.expect(central.StatusConnecting, central.StatusConnected)
	g.event("password-ignored", "PRIORITY=4")
	g.stores(&open)
}

// TestLongWrite provisions at the smallest MTU, with an SSID and a raw PSK that
// are longer than a write.
func TestLongWrite(t *testing.T) {
	home := AP{SSID: "32 bytes are two pieces, 64 four", Security: wifi.WPA2PSK, Passphrase: strings.Repeat("5eC0dE700aB1c9dF", 4)}
	g := start(t, situation{aps: []AP{home}})
	r := dialATT(t, phoneHCI, encrypted)
	is(t, "subscribe", r.subscribe(central.StatusUUID), nil)
	is(t, "a password of 65 bytes", r.writeLong(central.PasswordUUID, 0, bytes.Repeat([]byte{'a'}, 65)), attInvalidLength)
	is(t, "the SSID", r.writeLong(central.SSIDUUID, 0, []byte(home.SSID)), nil)
	is(t, "the password", r.writeLong(central.PasswordUUID, 0, []byte(home.Passphrase)), nil)
	is(t, "CONNECT", r.write(central.ControlUUID, byte(central.ControlConnect)), nil)
	r.expect(central.StatusConnecting, central.StatusConnected)
	waitFor(t, "online", patience, func() error { return g.online(1) })
	g.stores(&home)
	if r.mtu != defaultMTU {
		t.Errorf("the MTU was %d, want %d", r.mtu, defaultMTU)
	}
}
