//go:build lab

package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/daemon"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// onlyBand24 is a country that allows Wi-Fi on the 2.4 GHz band only. With it the
// gateway's radio scans as that of a Raspberry Pi 3 or Zero does, in a quarter of
// the time. world, with both bands, is for what is measured.
const (
	onlyBand24 = "YE"
	world      = "00"
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

// situation is what a test starts from, beside what is always so: nothing
// stored, no bonds, no networks, nothing found in a scan yet.
type situation struct {
	aps []AP
	// config are settings as in "bluetooth.security". log.level is debug unless
	// it is here.
	config map[string]string
	// country is what the system's radio rules are; empty: onlyBand24.
	country string
	// stopped leaves the daemon stopped.
	stopped bool
}

// gateway is the machine in its role as the gateway, as one test sees it.
type gateway struct {
	t       testing.TB
	begin   time.Time
	journal *journal
	first   int // entry of the journal in this test
	from    int // entries before it were waited for already
}

// start brings the machine to a known situation. If the test fails, the journal
// of the daemon and of its neighbours since then is printed.
func start(t testing.TB, s situation) *gateway {
	t.Helper()
	g := found(t)
	g.from = g.journal.mark(t, t.Name())
	g.first = g.from
	systemctl(t, "stop", unit)
	_, _ = try("systemctl", "reset-failed", unit)
	systemctl(t, "start", bluetoothd, supplicantd)
	emptyStore(t)
	removeBonds(t)
	resetWifi(t)
	setCountry(t, s.country)
	startAPs(t, s.aps...)
	writeConfig(t, s.config)
	g.from = g.journal.mark(t, t.Name()+" starts")
	if !s.stopped {
		g.start()
	}
	return g
}

// found takes the machine as it is after a boot. If the test fails, the journal
// of the daemon and of its neighbours is printed.
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

// print shows what happened on the gateway in this test.
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
	g.t.Logf("the neighbours:\n%s", journalText(g.begin, bluetoothd, supplicantd, "lab-ap@*", "lab-dhcp", "systemd-networkd"))
}

// start starts the daemon and waits until it is ready, which is when it
// advertises.
func (g *gateway) start() {
	g.t.Helper()
	systemctl(g.t, "start", unit)
}

// logged waits for an entry of the journal that has each FIELD=value of matches
// and comes after those that were waited for before.
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

// joined provisions the gateway with ap, which is on radio 1, and returns the
// phone that did it, still connected.
func (g *gateway) joined(ap AP) *phone {
	g.t.Helper()
	p := ready(g.t, true)
	p.provision(ap.SSID, ap.Passphrase, wifi.AutoDetect)
	p.expect(central.StatusConnecting, central.StatusConnected)
	waitFor(g.t, "online", patience, func() error { return g.online(1) })
	return p
}

// becomes waits until the journal says that the status is this one.
func (g *gateway) becomes(status central.Status) entry {
	g.t.Helper()
	return g.logged(patience, fmt.Sprintf("MESSAGE=status -> %s (%d)*", status, byte(status)), "WIFIPROVD_STATE="+status.String())
}

// passkey waits for the passkey that the gateway shows, for newPhone.
func (g *gateway) passkey(ctx context.Context) (uint32, error) {
	for ctx.Err() == nil {
		if e, i := g.journal.find(g.from, []string{"MESSAGE_ID=" + daemon.MessagePasskey}); i >= 0 {
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

func emptyStore(t testing.TB) {
	t.Helper()
	files, err := filepath.Glob(storeDir + "/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if err := os.RemoveAll(file); err != nil {
			t.Fatal(err)
		}
	}
}

// removeBonds makes bluetoothd forget every device on every adapter.
func removeBonds(t testing.TB) {
	t.Helper()
	waitFor(t, "all adapters without devices", patience, func() error {
		all, err := objects(t, "org.bluez", "/")
		if err != nil {
			return err
		}
		adapters, devices := 0, 0
		for path, interfaces := range all {
			if _, ok := interfaces["org.bluez.Adapter1"]; ok {
				adapters++
			}
			if _, ok := interfaces["org.bluez.Device1"]; ok {
				devices++
				adapter := dbus.ObjectPath(filepath.Dir(string(path)))
				bus(t).Object("org.bluez", adapter).Call("org.bluez.Adapter1.RemoveDevice", 0, path)
			}
		}
		if adapters != 3 || devices != 0 {
			return fmt.Errorf("%d adapters, %d devices", adapters, devices)
		}
		return nil
	})
}

// resetWifi makes wpa_supplicant forget the interface, its networks and what it
// has found, and waits until the interface has no address any more.
func resetWifi(t testing.TB) {
	t.Helper()
	supplicant := bus(t).Object("fi.w1.wpa_supplicant1", "/fi/w1/wpa_supplicant1")
	var path dbus.ObjectPath
	if supplicant.Call("fi.w1.wpa_supplicant1.GetInterface", 0, wlan).Store(&path) == nil {
		if err := supplicant.Call("fi.w1.wpa_supplicant1.RemoveInterface", 0, path).Err; err != nil {
			t.Fatalf("remove %s from wpa_supplicant: %v", wlan, err)
		}
	}
	if len(leased(t)) == 0 {
		return
	}
	// Without it systemd-networkd would keep the address for its IgnoreCarrierLoss.
	run(t, "networkctl", "reconfigure", wlan)
	waitFor(t, "no address on "+wlan, patience, func() error {
		if a := leased(t); len(a) > 0 {
			return fmt.Errorf("it has %v", a)
		}
		return nil
	})
}

// writeConfig writes the daemon's configuration.
func writeConfig(t testing.TB, settings map[string]string) {
	t.Helper()
	sections := map[string][]string{"log": {"level: debug"}}
	for key, value := range settings {
		section, name, _ := strings.Cut(key, ".")
		if key == "log.level" {
			sections["log"] = nil
		}
		sections[section] = append(sections[section], name+": "+value)
	}
	var text strings.Builder
	for section, lines := range sections {
		sort.Strings(lines)
		fmt.Fprintf(&text, "%s:\n  %s\n", section, strings.Join(lines, "\n  "))
	}
	if err := os.WriteFile(configFile, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// setCountry sets the system's radio rules.
func setCountry(t testing.TB, country string) {
	t.Helper()
	if country == "" {
		country = onlyBand24
	}
	current := func() error {
		if global := run(t, "iw", "reg", "get"); !strings.Contains(global, "country "+country+":") {
			return fmt.Errorf("the rules are %s", global)
		}
		return nil
	}
	if current() == nil {
		return
	}
	run(t, "iw", "reg", "set", country)
	waitFor(t, "radio rules of "+country, patience, current)
}
