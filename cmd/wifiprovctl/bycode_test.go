package main

import (
	"context"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/profile"
	"github.com/wifiprovd/wifiprovd/internal/profile/espressif"
	"github.com/wifiprovd/wifiprovd/internal/protocomm"
	"github.com/wifiprovd/wifiprovd/internal/srp"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const labelCode = "K7QF2M9XWR4T"

// codeGateway is the daemon's side of Espressif's protocol, with a gateway that joins the network
// "Home" by the right password.
type codeGateway struct {
	gateway.Control // panics when it is asked for more
	protocol        *espressif.Profile
	now             *gateway.Snapshot
}

func (g *codeGateway) Busy(gateway.Requester) bool { return false }
func (g *codeGateway) Prepare(wifi.SSID)           {}

func (g *codeGateway) Scan(context.Context) ([]wifi.Offer, error) {
	return []wifi.Offer{{SSID: "Home", SignalDBm: -40, Security: wifi.WPA2PSK, Joinable: true}}, nil
}

func (g *codeGateway) change(now gateway.Snapshot) {
	before := g.now
	g.now = &now
	g.protocol.Changed(before, g.now)
}

func (g *codeGateway) Connect(r gateway.Requester, c wifi.Credentials) error {
	g.change(gateway.Snapshot{Open: true, Owner: r, Status: gateway.Connecting})
	switch {
	case c.SSID != "Home":
		g.change(gateway.Snapshot{Open: true, Status: gateway.Failed, Reason: wifi.FailureNotFound})
	case string(c.Passphrase.Bytes()) != password:
		g.change(gateway.Snapshot{Open: true, Status: gateway.Failed, Reason: wifi.FailureWrongPassword})
	default:
		addresses := wifi.Addresses{IPv4: netip.MustParseAddr("192.0.2.42")}
		g.change(gateway.Snapshot{Open: true, Status: gateway.Connected, Network: &wifi.Network{SSID: "Home"}, Addresses: addresses})
	}
	return nil
}

// newCodeGateway returns the bus of a machine that hears a gateway with a code.
func newCodeGateway(t *testing.T) string {
	t.Helper()
	bus := dbustest.Start(t)
	g := &codeGateway{now: &gateway.Snapshot{Open: true}}
	log := slog.New(slog.DiscardHandler)
	g.protocol = espressif.New(espressif.Config{Control: g, Scans: profile.NewScanner(g.Scan, log), Log: log})
	v := srp.NewVerifier("wifiprov", []byte(labelCode))
	g.protocol.SetCode(&v)
	served := map[string]*gatt.Characteristic{}
	var uuids []string
	for _, c := range g.protocol.Services()[0].Characteristics {
		served[c.UUID], uuids = c, append(uuids, c.UUID)
	}
	phone := dbustest.NewPhone(t, bus, uuids...)
	from := gatt.Request{Central: "AA:BB:CC:00:00:01"}
	phone.Behave(dbustest.Behavior{
		RefusePairing: true, // there is none
		OnWrite: func(uuid string, value []byte, _ uint16) *dbus.Error {
			if served[uuid].Write(from, value) != nil {
				return bluezError("Failed", "Operation failed with ATT error: 0x0e")
			}
			return nil
		},
		OnRead: func(uuid string) ([]byte, *dbus.Error) {
			value := make(chan []byte, 1)
			served[uuid].ReadLater(from, func(b []byte, _ error) { value <- b })
			return <-value, nil
		},
	})
	phone.AddGateway(address, "PROV_A1B2C3", protocomm.ServiceUUID, -50)
	return bus
}

func TestProvisionByCode(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"right": labelCode + "\n", "wrong": "NOTTHECODE99"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		code, ssid, user string
		status           int
		say              string
	}{
		"joins":        {"right", "Home", "", exitOK, "192.0.2.42"},
		"wrong code":   {"wrong", "Home", "", exitError, "does not take the code"},
		"wrong user":   {"right", "Home", "somebody", exitError, "does not take the code"},
		"not found":    {"right", "House", "", exitNotFound, "does not hear the network"},
		"no code file": {"none", "Home", "", exitError, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bus := newCodeGateway(t)
			status, stdout, stderr := try(t, bus, "provision", "--ssid", test.ssid, "--user", test.user, "--code-file", filepath.Join(dir, test.code))
			if status != test.status || !strings.Contains(stdout+stderr, test.say) {
				t.Errorf("exit status %d, want %d; it shows:\n%s%s", status, test.status, stdout, stderr)
			}
			if strings.Contains(stdout+stderr, labelCode) || strings.Contains(stdout+stderr, password) {
				t.Errorf("it shows a secret:\n%s%s", stdout, stderr)
			}
		})
	}
	t.Run("wrong password", func(t *testing.T) {
		file := filepath.Join(dir, "password")
		if err := os.WriteFile(file, []byte("another password"), 0o600); err != nil {
			t.Fatal(err)
		}
		status, stdout, stderr := try(t, newCodeGateway(t), "provision", "--ssid", "Home", "--password-file", file, "--code-file", filepath.Join(dir, "right"))
		if status != exitWrongPassword {
			t.Errorf("exit status %d; it shows:\n%s%s", status, stdout, stderr)
		}
	})
	t.Run("chosen from a list", func(t *testing.T) {
		var out strings.Builder
		answers := map[string]string{"Code": labelCode, "Pass": password}
		w := world{
			stdin: strings.NewReader("1\n"), stdout: &out, stderr: &out, bus: newCodeGateway(t), terminal: true,
			askPassword: func(_ context.Context, prompt string) ([]byte, error) { return []byte(answers[prompt[:4]]), nil },
		}
		if status := run(t.Context(), w, []string{"provision", "--code"}); status != exitOK || !strings.Contains(out.String(), "wpa") {
			t.Errorf("exit status %d; it shows:\n%s", status, out.String())
		}
	})
}
