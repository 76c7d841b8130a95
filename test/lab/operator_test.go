//go:build lab

package lab

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// TestWhatAnOperatorSees follows one gateway through systemctl and journalctl:
// passkey, failure, success, erase.
func TestWhatAnOperatorSees(t *testing.T) {
	home := AP{SSID: "office", Security: wifi.WPA2PSK, Passphrase: "operator's passphrase"}
	g := start(t, situation{aps: []AP{home}, config: map[string]string{"bluetooth.security": "authenticated"}})
	g.becomes(central.StatusIdle)
	showsStatus(t, "IDLE")

	p := newPhone(t, "", g.passkey)
	p.find()
	p.pair()
	p.connect()
	p.watch()
	explained(t, g, "The phone "+adapterAddress(t, phoneHCI)+" needs a passkey", "Type this passkey on the phone: ")

	p.provision(home.SSID, "not the operator's passphrase", wifi.AutoDetect)
	p.expect(central.StatusConnecting, central.StatusFailed)
	g.becomes(central.StatusFailed)
	explained(t, g, `Joining "office" failed: wrong-password`, "wrong-password: provision again")

	p.provision(home.SSID, home.Passphrase, wifi.AutoDetect)
	p.expect(central.StatusConnecting, central.StatusConnected)
	g.becomes(central.StatusConnected)
	showsStatus(t, "CONNECTED")
	explained(t, g, `Wi-Fi is connected to "office"`, "The gateway has joined the network")

	p.command(central.ControlErase)
	p.expect(central.StatusIdle)
	g.becomes(central.StatusIdle)
	showsStatus(t, "IDLE")
	explained(t, g, "The gateway has been erased", "asked the gateway to forget")

	for _, status := range []central.Status{central.StatusConnected, central.StatusFailed, central.StatusIdle} {
		filter := "WIFIPROVD_STATUS=" + status.String()
		out := run(t, "journalctl", "--unit="+unit, "--output=cat", "--since="+journalTime(g.begin), filter)
		lines, named := strings.Count(out, "\n"), strings.Count(out, fmt.Sprintf("%s (%d)", status, status))
		if named == 0 || named != lines {
			t.Errorf("journalctl -u wifiprovd %s shows %q", filter, out)
		}
	}
	if errs := g.journal.all(g.first, []string{"PRIORITY=3"}); len(errs) != 1 {
		t.Errorf("a wrong password is not one line at priority err: %q", errs)
	}
}

// showsStatus checks the line of systemctl status that tells the status.
func showsStatus(t *testing.T, status string) {
	t.Helper()
	line := regexp.MustCompile(`(?m)^\s*Status: "(.*)"$`)
	var out string
	waitFor(t, "systemctl status with "+status, patience, func() error {
		out = run(t, "systemctl", "status", "--no-pager", "--full", unit)
		found := line.FindStringSubmatch(out)
		if found == nil || !strings.HasPrefix(found[1], status+": ") {
			return errorString(out)
		}
		return nil
	})
}

type errorString string

func (e errorString) Error() string { return string(e) }

// explained checks that journalctl -x explains an event of this test.
func explained(t *testing.T, g *gateway, subject, text string) {
	t.Helper()
	out := run(t, "journalctl", "--unit="+unit, "--catalog", "--no-pager", "--since="+journalTime(g.begin))
	for _, want := range []string{"Subject: " + subject, text} {
		if !strings.Contains(out, want) {
			t.Errorf("journalctl -x has no %q:\n%s", want, out)
		}
	}
}

// TestUnitIsHardened holds the unit to the exposure that systemd computes.
func TestUnitIsHardened(t *testing.T) {
	const most = 1.5
	out := run(t, "systemd-analyze", "security", "--no-pager", unit)
	level := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindStringSubmatch(out)
	if level == nil {
		t.Fatalf("systemd-analyze gives no level:\n%s", out)
	}
	got, err := strconv.ParseFloat(level[1], 64)
	if err != nil || got > most {
		t.Errorf("exposure %s, want at most %.1f:\n%s", level[1], most, out)
	}
	t.Logf("exposure %s", level[1])
}
