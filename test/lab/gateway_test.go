//go:build lab

package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/central"
	events "github.com/wifiprovd/wifiprovd/internal/journal"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const (
	configFile  = "/etc/wifiprovd/wifiprovd.yaml"
	storeDir    = "/var/lib/wifiprovd"
	storeFile   = storeDir + "/credentials.json"
	wlan        = "wlan0"
	gatewayHCI  = "hci0"
	phoneHCI    = "hci1"
	unit        = "wifiprovd.service"
	bluetoothd  = "bluetooth.service"
	supplicantd = "wpa_supplicant.service"
)

// situation is what a test starts from, beside what is always so: nothing stored, no bonds, no
// networks, no scan results.
type situation struct {
	aps []AP
	// config has settings by keys such as "bluetooth.security". log.level is debug unless it is
	// here.
	config map[string]string
	// country is the regulatory domain; empty: onlyBand24.
	country string
	// stopped leaves the daemon stopped.
	stopped bool
}

// gateway is the machine in its role as the gateway, as one test sees it.
type gateway struct {
	t       testing.TB
	begin   time.Time
	journal *journal
	first   int  // first entry of the journal in this test
	from    int  // behind the entry that was waited for last
	leaked  byte // advertisements of killed daemons that bluetoothd keeps
}

// start brings the machine into a known situation. If the test fails, it prints the journal of the
// daemon and of its neighbours since then.
func start(t testing.TB, s situation) *gateway {
	t.Helper()
	g := found(t)
	systemctl(t, "stop", unit)
	startNeighbours(t)
	if managedRun {
		manager.useAlways(t)
	}
	emptyStore(t)
	removeBonds(t)
	resetWifi(t)
	setCountry(t, s.country)
	startAPs(t, s.aps...)
	writeConfig(t, s.config)
	g.from = g.journal.mark(t, t.Name())
	g.first = g.from
	if !s.stopped {
		g.start()
	}
	return g
}

// found takes the machine as it is. If the test fails, it prints the journal of the daemon and of
// its neighbours.
func found(t testing.TB) *gateway {
	t.Helper()
	j, err := followed()
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{t: t, journal: j, begin: time.Now()}
	t.Cleanup(func() {
		noteProperties(t)
		if t.Failed() {
			g.print()
		}
	})
	return g
}

// print logs what happened on the gateway in this test.
func (g *gateway) print() {
	g.journal.mark(g.t, g.t.Name()+" failed")
	var text strings.Builder
	for _, e := range g.journal.since(g.first) {
		if e["SYSLOG_IDENTIFIER"] == "lab" {
			continue
		}
		fmt.Fprintln(&text, e)
	}
	g.t.Logf("the journal of wifiprovd in this test:\n%s", text.String())
	g.t.Logf("the neighbours:\n%s", journalText(g.begin, bluetoothd, supplicantd, "lab-ap@*", "lab-dhcp", "systemd-networkd", managerd))
}

// start starts the daemon and waits until it is ready: until it advertises.
func (g *gateway) start() {
	g.t.Helper()
	systemctl(g.t, "start", unit)
}

// logged waits for an entry of the journal that has the matches and comes after the one that was
// waited for last.
func (g *gateway) logged(limit time.Duration, matches ...string) entry {
	g.t.Helper()
	var found entry
	waitFor(g.t, fmt.Sprintf("journal entry with %q", matches), limit, func() error {
		e, i := g.journal.find(g.from, matches)
		if i < 0 {
			return errors.New("there is none")
		}
		found, g.from = e, i+1
		return nil
	})
	return found
}

// joined provisions the gateway with ap, which is on radio 1, and returns the phone that did it,
// still connected.
func (g *gateway) joined(ap AP) *phone {
	g.t.Helper()
	p := ready(g.t, true)
	p.provision(ap.SSID, ap.Passphrase, wifi.AutoDetect)
	p.expect(central.StatusConnecting, central.StatusConnected)
	waitFor(g.t, "online", patience, func() error { return g.online(1) })
	return p
}

// event waits for the event of a name that has the matches, as logged does.
func (g *gateway) event(name string, matches ...string) entry {
	g.t.Helper()
	return g.logged(patience, event(name, matches...)...)
}

// becomes waits until the journal shows this status.
func (g *gateway) becomes(status central.Status) entry {
	g.t.Helper()
	return g.logged(patience, showing(status)...)
}

// fails waits until the journal shows FAILED for this reason: one line at priority err.
func (g *gateway) fails(reason wifi.Failure, matches ...string) entry {
	g.t.Helper()
	return g.logged(patience, showing(central.StatusFailed, append(matches,
		"MESSAGE_ID="+events.MessageFailed, "WIFIPROVD_REASON="+reason.String(), "PRIORITY=3")...)...)
}

// passkey waits for the passkey that the gateway shows. It is made for newPhone.
func (g *gateway) passkey(ctx context.Context) (uint32, error) {
	for ctx.Err() == nil {
		if e, i := g.journal.find(g.from, event("passkey")); i >= 0 {
			n, err := strconv.ParseUint(e["WIFIPROVD_PASSKEY"], 10, 32)
			return uint32(n), err
		}
		time.Sleep(50 * time.Millisecond)
	}
	return 0, fmt.Errorf("wait for the passkey in the journal: %w", ctx.Err())
}

// wifiAddress returns the hardware address of the gateway's Wi-Fi interface.
func wifiAddress(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile("/sys/class/net/" + wlan + "/address")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// online returns nil if the gateway is an authorized station of the access point
// and has an address from its DHCP server.
func (g *gateway) online(r radio) error {
	if err := r.lists(wifiAddress(g.t)); err != nil {
		return err
	}
	if addresses := leased(g.t); len(addresses) == 0 {
		return errors.New("no address on " + wlan)
	}
	return nil
}

// leased returns the interface's IPv4 addresses in the network of the access
// points.
func leased(t testing.TB) []netip.Prefix {
	t.Helper()
	var found []netip.Prefix
	for _, field := range strings.Fields(run(t, "ip", "-4", "-brief", "address", "show", "dev", wlan)) {
		if p, err := netip.ParsePrefix(field); err == nil && netip.MustParsePrefix("192.0.2.0/24").Contains(p.Addr()) {
			found = append(found, p)
		}
	}
	return found
}
