package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const (
	address  = "00:AA:01:00:00:00"
	password = "correct horse"
)

// fakeGateway answers like one: what it notifies when it gets CONNECT or ERASE, and
// why it fails.
type fakeGateway struct {
	*dbustest.Phone
	dbustest.Behavior
	statuses []central.Status // after CONNECT
	earlier  []central.Status // when it gets the SSID: of an attempt of its own
	reason   wifi.Failure
	refuse   map[string]*dbus.Error // by characteristic
	leave    bool                   // at CONNECT

	mu     sync.Mutex
	status central.Status
	writes []string
}

func newGateway(t *testing.T) (*fakeGateway, string) {
	t.Helper()
	bus := dbustest.Start(t)
	g := &fakeGateway{Phone: dbustest.NewPhone(t, bus,
		central.SSIDUUID, central.PasswordUUID, central.SecurityUUID, central.ControlUUID, central.StatusUUID, central.ReasonUUID)}
	g.AddGateway(address, "Wi-Fi Provisioning", central.ServiceUUID, -50)
	return g, bus
}

func (g *fakeGateway) start() {
	g.OnWrite, g.OnRead = g.write, g.read
	g.Behave(g.Behavior)
}

func (g *fakeGateway) write(uuid string, value []byte, _ uint16) *dbus.Error {
	if err := g.refuse[uuid]; err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.writes = append(g.writes, string(value))
	if uuid == central.SSIDUUID {
		for _, s := range g.earlier {
			g.Notify(address, central.StatusUUID, byte(s))
		}
	}
	if uuid != central.ControlUUID {
		return nil
	}
	if g.leave {
		g.Disconnect(address)
		return nil
	}
	statuses := g.statuses
	if central.Control(value[0]) == central.ControlErase {
		statuses = []central.Status{central.StatusIdle}
	}
	for _, g.status = range statuses {
		g.Notify(address, central.StatusUUID, byte(g.status))
	}
	return nil
}

func (g *fakeGateway) read(uuid string) ([]byte, *dbus.Error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if uuid == central.ReasonUUID {
		return []byte{byte(g.reason)}, nil
	}
	return []byte{byte(g.status)}, nil
}

// try runs the program with a person who types the passkey 012345.
func try(t *testing.T, bus string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	w := world{
		stdin: strings.NewReader(password + "\n"), stdout: &out, stderr: &errs, bus: bus,
		openTTY: func() (io.ReadWriteCloser, error) { return &tty{Reader: strings.NewReader("012345\n")}, nil },
	}
	status = run(context.Background(), w, args)
	return status, out.String(), errs.String()
}

// written returns what was written so far.
func (g *fakeGateway) written() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.writes)
}

func bluezError(name, text string) *dbus.Error {
	return dbus.NewError("org.bluez.Error."+name, []any{text})
}

// provisionCase is a gateway that behaves in some way, and how provision ends there.
type provisionCase struct {
	set    func(*fakeGateway)
	args   []string
	status int
	say    string
}

func provisionCases() map[string]provisionCase {
	const idle, provisioned, connecting, connected, failed = central.StatusIdle, central.StatusProvisioned,
		central.StatusConnecting, central.StatusConnected, central.StatusFailed
	join := []central.Status{connecting, connected}
	return map[string]provisionCase{
		"joins":                   {func(g *fakeGateway) { g.statuses = join }, nil, exitOK, ""},
		"joins after a passkey":   {func(g *fakeGateway) { g.statuses, g.Passkey = join, "012345" }, nil, exitOK, ""},
		"joins without pairing":   {func(g *fakeGateway) { g.statuses, g.RefusePairing = join, true }, []string{"--no-pairing"}, exitOK, ""},
		"an older attempt's end":  {func(g *fakeGateway) { g.earlier, g.statuses = []central.Status{connecting, failed}, join }, nil, exitOK, ""},
		"an old status is no end": {func(g *fakeGateway) { g.statuses = []central.Status{connected, idle, provisioned, connecting, failed} }, nil, exitFailed, "does not say why"},
		"wrong password":          {fails(wifi.FailureWrongPassword), nil, exitWrongPassword, "does not accept the password"},
		"not found":               {fails(wifi.FailureNotFound), nil, exitNotFound, "does not hear the network"},
		"refused":                 {fails(wifi.FailureRefused), nil, exitFailed, "refused it"},
		"not offered":             {fails(wifi.FailureSecurityNotOffered), nil, exitFailed, "--security auto"},
		"no address":              {fails(wifi.FailureNoAddress), nil, exitFailed, "DHCP"},
		"the gateway gives up":    {fails(wifi.FailureTimedOut), nil, exitTimedOut, "too long"},
		"no radio":                {fails(wifi.FailureHardware), nil, exitFailed, "rfkill"},
		"invalid":                 {fails(wifi.FailureInvalidCredentials), nil, exitFailed, "Check both"},
		"internal":                {fails(wifi.FailureInternal), nil, exitFailed, "journalctl"},
		"a reason of the future":  {fails(77), nil, exitFailed, "does not say why"},
		"silence":                 {func(*fakeGateway) {}, []string{"--timeout", "1s"}, exitTimedOut, "longer than 1s"},
		"wrong passkey":           {func(g *fakeGateway) { g.Passkey = "543210" }, nil, exitPairing, "Try again"},
		"pairing refused":         {func(g *fakeGateway) { g.RefusePairing = true }, nil, exitPairing, "--no-pairing"},
		"pairing wanted":          {refuses(bluezError("NotPermitted", "Not paired")), []string{"--no-pairing"}, exitPairing, "not paired"},
		"busy":                    {refuses(bluezError("Failed", "Operation failed with ATT error: 0xfe")), nil, exitBusy, "busy with another phone"},
		"another refusal":         {refuses(bluezError("Failed", "Operation failed with ATT error: 0x0e")), nil, exitError, "0x0e"},
		"connection lost":         {func(g *fakeGateway) { g.leave = true }, nil, exitError, "was lost"},
		"another gateway":         {func(*fakeGateway) {}, []string{"--address", "00:AA:01:00:00:09", "--timeout", "1s"}, exitTimedOut, "longer than 1s"},
		"two gateways": {func(g *fakeGateway) { g.AddGateway("00:AA:01:00:00:09", "b\x1b[2J", central.ServiceUUID, -70) }, nil,
			exitUsage, "00:AA:01:00:00:00    -50 dBm  \"Wi-Fi Provisioning\"\n00:AA:01:00:00:09    -70 dBm  \"b\\x1b[2J\"\n"},
		"no such adapter": {func(*fakeGateway) {}, []string{"--adapter", "hci9"}, exitError, "bluetoothctl list"},
	}
}

func TestProvision(t *testing.T) {
	for name, test := range provisionCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, bus := newGateway(t)
			test.set(g)
			g.start()
			args := []string{"provision", "--ssid", "Home"}
			if name != "two gateways" {
				args = append(args, "--address", address)
			}
			status, stdout, stderr := try(t, bus, append(args, test.args...)...)
			if status != test.status || !strings.Contains(stderr, test.say) || (stderr == "") != (status == exitOK) {
				t.Errorf("exit status %d, want %d; it shows:\n%s%s", status, test.status, stdout, stderr)
			}
			if strings.Contains(stdout+stderr, password) || strings.ContainsAny(stdout+stderr, "\x1b\r") {
				t.Errorf("the output has what it must not have:\n%q", stdout+stderr)
			}
			if want := []string{"Home", password, "\xff", "\x01"}; status == exitOK && !slices.Equal(g.written(), want) {
				t.Errorf("wrote %q, want %q", g.written(), want)
			}
		})
	}
}

func fails(reason wifi.Failure) func(*fakeGateway) {
	return func(g *fakeGateway) {
		g.statuses, g.reason = []central.Status{central.StatusConnecting, central.StatusFailed}, reason
	}
}

func refuses(err *dbus.Error) func(*fakeGateway) {
	return func(g *fakeGateway) { g.refuse = map[string]*dbus.Error{central.SSIDUUID: err} }
}

// A password that no network can have does not go over the air.
func TestProvisionChecksFirst(t *testing.T) {
	g, bus := newGateway(t)
	g.start()
	w := world{stdin: strings.NewReader("short\n"), stdout: io.Discard, stderr: io.Discard, bus: bus}
	if status := run(context.Background(), w, []string{"provision", "--ssid", "Home"}); status != exitUsage || len(g.written()) > 0 {
		t.Errorf("exit status %d, wrote %q", status, g.written())
	}
}

func TestScan(t *testing.T) {
	t.Parallel()
	g, bus := newGateway(t)
	g.AddGateway("00:AA:01:00:00:09", "", central.ServiceUUID, central.RSSIUnknown)
	g.start()
	status, stdout, stderr := try(t, bus, "scan", "--timeout", "1s")
	want := "00:AA:01:00:00:09      ? dBm  \"\"\n00:AA:01:00:00:00    -50 dBm  \"Wi-Fi Provisioning\"\n"
	if status != exitOK || stdout != want {
		t.Errorf("exit status %d\n%s%s", status, stdout, stderr)
	}
}

func TestScanNobody(t *testing.T) {
	t.Parallel()
	bus := dbustest.Start(t)
	dbustest.NewPhone(t, bus)
	if status, stdout, stderr := try(t, bus, "scan", "--timeout", "1s"); status != exitNoGateway {
		t.Errorf("exit status %d\n%s%s", status, stdout, stderr)
	}
}

func TestErase(t *testing.T) {
	t.Parallel()
	g, bus := newGateway(t)
	g.status = central.StatusConnected
	g.start()
	status, stdout, stderr := try(t, bus, "erase", "--address", address)
	if status != exitOK || !slices.Equal(g.written(), []string{"\x02"}) {
		t.Errorf("exit status %d, wrote %q\n%s%s", status, g.written(), stdout, stderr)
	}
	c, err := central.Open(context.Background(), central.Options{Bus: bus})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Paired(address) {
		t.Error("this machine still has its bond")
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	g, bus := newGateway(t)
	g.status, g.reason = central.StatusFailed, wifi.FailureNotFound
	g.start()
	status, stdout, stderr := try(t, bus, "watch", "--timeout", "2s", "--address", address)
	if status != exitOK || !strings.Contains(stdout, "FAILED\n") || !strings.Contains(stdout, "does not hear the network") {
		t.Errorf("exit status %d\n%s%s", status, stdout, stderr)
	}
}

func TestNoGateway(t *testing.T) {
	if got := exitStatus(&hint{errNoGateway, "Look."}); got != exitNoGateway {
		t.Errorf("exit status %d", got)
	}
	if got := exitStatus(bondTrouble(true, central.ErrNotConnected)); got != exitPairing {
		t.Errorf("a bond that the gateway does not have: exit status %d", got)
	}
	if got := exitStatus(bondTrouble(false, central.ErrNotConnected)); got != exitError {
		t.Errorf("a lost connection: exit status %d", got)
	}
	if got := exitStatus(errors.New("x")); got != exitError {
		t.Errorf("exit status %d", got)
	}
}
