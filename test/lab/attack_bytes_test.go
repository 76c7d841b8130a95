//go:build lab

package lab

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// hostile would clear a terminal, end a line, end a JSON string.
const hostile = "\x1b[2J\r\n\"},{\"\x00\x07\xff"

// TestHostileSSID joins a network with such a name. None of its control characters gets into the
// journal.
func TestHostileSSID(t *testing.T) {
	evil := AP{SSID: hostile, Security: wifi.Open}
	g := start(t, situation{aps: []AP{evil}})
	p := g.joined(evil)
	p.provision(hostile+"2", "", wifi.Open)
	p.expect(central.StatusConnecting, central.StatusFailed)
	named := 0
	for _, e := range g.journal.since(g.first) {
		if e["SYSLOG_IDENTIFIER"] == "lab" {
			continue
		}
		for field, value := range e {
			ours := field == "MESSAGE" || strings.HasPrefix(field, "WIFIPROVD_")
			if ours && strings.IndexFunc(value, unicode.IsControl) >= 0 {
				t.Errorf("%s has a control character: %q", field, value)
			}
		}
		if strings.Contains(e["MESSAGE"], `\x1b[2J\r\n`) {
			named++
		}
	}
	if named == 0 {
		t.Error("no message has the SSID, escaped")
	}
	g.stores(&evil)
}

// TestHostileName: another device pretends to be a gateway, under a name that attacks the terminal of
// whoever lists the gateways.
func TestHostileName(t *testing.T) {
	start(t, situation{})
	const name = "\x1b[2J\x1b]0;x\a\r\n\"}"
	advertise(t, secondPhoneHCI, name)
	liar := adapterAddress(t, secondPhoneHCI)
	var out string
	waitFor(t, "the name in the list", patience, func() error {
		var err error
		out, err = try("wifiprovctl", "scan", "--adapter", phoneHCI, "--timeout", "3s")
		if err == nil && !(strings.Contains(out, liar) && strings.Contains(out, "[2J")) {
			err = fmt.Errorf("the list is %q", out)
		}
		return err
	})
	t.Logf("%q", out)
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		if strings.IndexFunc(line, unicode.IsControl) >= 0 {
			t.Errorf("control characters in %q", line)
		}
	}
	if !strings.Contains(out, `\x1b[2J`) {
		t.Errorf("the name is not there, escaped: %q", out)
	}
}

// advertise makes an adapter advertise the provisioning service under a name,
// until the test ends.
func advertise(t *testing.T, adapter, name string) {
	t.Helper()
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	const path = "/lab/liar"
	properties := map[string]dbus.Variant{
		"Type": dbus.MakeVariant("peripheral"), "ServiceUUIDs": dbus.MakeVariant([]string{central.ServiceUUID}),
		"LocalName": dbus.MakeVariant(name), "Discoverable": dbus.MakeVariant(true),
	}
	err = conn.ExportMethodTable(map[string]any{
		"GetAll": func(string) (map[string]dbus.Variant, *dbus.Error) { return properties, nil },
	}, path, "org.freedesktop.DBus.Properties")
	if err != nil {
		t.Fatal(err)
	}
	err = conn.Object("org.bluez", dbus.ObjectPath("/org/bluez/"+adapter)).Call("org.bluez.LEAdvertisingManager1.RegisterAdvertisement", 0,
		dbus.ObjectPath(path), map[string]dbus.Variant{}).Err
	if err != nil {
		t.Fatalf("advertise: %v", err)
	}
}
