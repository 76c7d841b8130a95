package main

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/dbustest"
)

// detailed is a gateway with the second service.
type detailed struct {
	*fakeGateway
	pages    []string
	page     int
	networks []string // what Network has at each read; the last one stays
}

func newDetailed(t *testing.T) (*detailed, string) {
	t.Helper()
	bus := dbustest.Start(t)
	d := &detailed{fakeGateway: &fakeGateway{
		Phone: dbustest.NewPhone(t, bus, central.SSIDUUID, central.PasswordUUID, central.SecurityUUID, central.ControlUUID,
			central.StatusUUID, central.ReasonUUID, central.NetworkUUID, central.ScanUUID, central.ScanPageUUID),
		statuses: []central.Status{central.StatusConnecting, central.StatusConnected},
	}}
	d.AddGateway(address, "Wi-Fi Provisioning", central.ServiceUUID, -50)
	d.networks = []string{`{"ssid":"Home"}`, `{"ssid":"Home","ipv4":"192.0.2.7","gateway":"192.0.2.1"}`}
	d.pages = []string{"\xd8\x06\x00\x04Home" + "\xce\xfe\x00\x04Corp", "\xb0\x00\x02\x0bhost\x1b[2J\"\xff\n"}
	d.Behave(dbustest.Behavior{OnWrite: d.write, OnRead: d.read})
	return d, bus
}

func (d *detailed) write(uuid string, value []byte, offset uint16) *dbus.Error {
	switch uuid {
	case central.ScanUUID:
		d.Notify(address, uuid, 1, 0)
		d.Notify(address, uuid, 2, 3)
	case central.ScanPageUUID:
		d.mu.Lock()
		defer d.mu.Unlock()
		d.page = int(value[0])
	default:
		return d.fakeGateway.write(uuid, value, offset)
	}
	return nil
}

func (d *detailed) read(uuid string) ([]byte, *dbus.Error) {
	d.mu.Lock()
	switch {
	case uuid == central.ScanPageUUID && d.page < len(d.pages):
		defer d.mu.Unlock()
		return []byte(d.pages[d.page]), nil
	case uuid == central.NetworkUUID:
		defer d.mu.Unlock()
		network := d.networks[0]
		if len(d.networks) > 1 {
			d.networks = d.networks[1:]
		}
		return []byte(network), nil
	}
	d.mu.Unlock()
	return d.fakeGateway.read(uuid)
}

// choosing runs provision without --ssid, on a terminal where a person types this.
func choosing(bus, typed string, args ...string) (status int, stdout, stderr string) {
	var out, errs strings.Builder
	w := world{
		stdin: strings.NewReader(typed), stdout: &out, stderr: &errs, bus: bus,
		askPassword: func(context.Context, string) ([]byte, error) { return []byte(password), nil },
	}
	status = run(context.Background(), w, append([]string{"provision", "--address", address}, args...))
	return status, out.String(), errs.String()
}

func TestChoose(t *testing.T) {
	const list = "  1   -40 dBm  transition   \"Home\"\n  2   -50 dBm  other        \"Corp\"\n  3   -80 dBm  open         \"host\\x1b[2J\\\"\\xff\\n\"\n"
	for name, test := range map[string]struct {
		typed  string
		status int
		say    string
		want   []string
	}{
		"the first":           {"1\n", exitOK, "", []string{"Home", password, "\xff", "\x01"}},
		"an open one":         {"3\r\n", exitOK, "", []string{"host\x1b[2J\"\xff\n", "", "\x00", "\x01"}},
		"one that cannot be":  {"2\n1\n", exitOK, "more than a password", []string{"Home", password, "\xff", "\x01"}},
		"after two mistakes":  {"0\n" + strings.Repeat("1", 99) + "\n1\n", exitOK, "", []string{"Home", password, "\xff", "\x01"}},
		"nothing but mistake": {"x\n4\n-1\n1\n", exitUsage, "no network was chosen", nil},
		"end of input":        {"", exitError, "choose a network", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, bus := newDetailed(t)
			status, stdout, stderr := choosing(bus, test.typed)
			if status != test.status || !strings.Contains(stderr, test.say) || !strings.Contains(stdout, list) || !slices.Equal(d.written(), test.want) {
				t.Errorf("exit status %d, wrote %q; it shows:\n%s%s", status, d.written(), stdout, stderr)
			}
			if strings.ContainsAny(stdout+stderr, "\x1b\r") || status == exitOK && !strings.Contains(stdout, "address is 192.0.2.7\n") {
				t.Errorf("it shows:\n%q", stdout+stderr)
			}
		})
	}
}

func TestChooseNeedsATerminal(t *testing.T) {
	if status, _, stderr := try(t, "", "provision"); status != exitUsage || !strings.Contains(stderr, "provision needs --ssid") {
		t.Errorf("exit status %d: %s", status, stderr)
	}
}

// A gateway like the Zephyr sample tells no networks and no address.
func TestChooseFromTheSample(t *testing.T) {
	g, bus := newGateway(t)
	g.start()
	if status, _, stderr := choosing(bus, "1\n"); status != exitUsage || !strings.Contains(stderr, "use --ssid") {
		t.Errorf("exit status %d: %s", status, stderr)
	}
}

func TestNoAddress(t *testing.T) {
	d, bus := newDetailed(t)
	d.mu.Lock()
	d.networks, d.reason = d.networks[:1], 5
	d.mu.Unlock()
	status, stdout, stderr := try(t, bus, "provision", "--ssid", "Home", "--address", address)
	if status != exitFailed || !strings.Contains(stderr, "CONNECTED, but the network gave it no address") {
		t.Errorf("exit status %d\n%s%s", status, stdout, stderr)
	}
}
