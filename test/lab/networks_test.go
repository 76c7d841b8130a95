//go:build lab

package lab

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const realPassphrase = "the right passphrase 1"

// denied is a file of stations that an access point turns away.
const denied = "/var/lib/lab/denied"

// What access points do that joins or refuses in an unusual way (hostapd.conf).
var (
	noCommonGroup = []string{"wpa_key_mgmt=WPA-PSK SAE", "sae_groups=15"}
	otherSAE      = []string{"wpa_key_mgmt=WPA-PSK SAE", "sae_password=another passphrase 1"}
	filter        = []string{"macaddr_acl=0", "deny_mac_file=" + denied}
	fast          = []string{"beacon_int=20"}
	full          = []string{"max_num_sta=0"}
	fastPSK       = []string{"wpa_key_mgmt=FT-PSK", "mobility_domain=a1b2", "nas_identifier=ap.example", "ft_psk_generate_local=1"}
	fastSAE       = []string{"wpa_key_mgmt=FT-SAE", "mobility_domain=a1b2", "nas_identifier=ap.example"}
)

// realNetworks are the networks of docs/reliability.md, and what becomes of a CONNECT there.
var realNetworks = []struct {
	name     string
	security wifi.Security // of the access point
	conf     [][]string
	password string       // empty: the right one
	akm      string       // that both sides agree on
	reason   wifi.Failure // if it fails
	journal  string       // part of the journal's message, if it fails
	managed  wifi.Failure // with NetworkManager and wpa_supplicant 2.10, if that is another one
}{
	{name: "transition, no common SAE group", security: wifi.WPAAutoPersonal, conf: [][]string{noCommonGroup}, akm: akmPSK, managed: wifi.FailureRefused},
	{name: "transition, another SAE password", security: wifi.WPAAutoPersonal, conf: [][]string{otherSAE}, akm: akmPSK, managed: wifi.FailureWrongPassword},
	{name: "transition, no common SAE group, wrong password", security: wifi.WPAAutoPersonal, conf: [][]string{noCommonGroup},
		password: "the wrong passphrase 1", reason: wifi.FailureWrongPassword, journal: "status 77", managed: wifi.FailureRefused},
	{name: "WPA3 with an address filter", security: wifi.WPA3SAE, conf: [][]string{filter}, reason: wifi.FailureRefused, journal: "status 1"},
	{name: "transition with an address filter", security: wifi.WPAAutoPersonal, conf: [][]string{filter}, reason: wifi.FailureRefused, journal: "status 1"},
	{name: "WPA2 with an address filter", security: wifi.WPA2PSK, conf: [][]string{filter}, reason: wifi.FailureRefused, journal: "status 1"},
	{name: "open with an address filter", security: wifi.Open, conf: [][]string{filter}, reason: wifi.FailureRefused, journal: "status 1"},
	{name: "WPA3 with an address filter, at once", security: wifi.WPA3SAE, conf: [][]string{filter, fast}, reason: wifi.FailureRefused, journal: "status 1"},
	{name: "WPA2 with an address filter, at once", security: wifi.WPA2PSK, conf: [][]string{filter, fast}, reason: wifi.FailureRefused, journal: "status 1"},
	{name: "open with an address filter, at once", security: wifi.Open, conf: [][]string{filter, fast}, reason: wifi.FailureRefused, journal: "status 1"},
	{name: "WPA3, full", security: wifi.WPA3SAE, conf: [][]string{full}, reason: wifi.FailureRefused, journal: "status 17"},
	{name: "WPA2, full", security: wifi.WPA2PSK, conf: [][]string{full}, reason: wifi.FailureRefused, journal: "status 17"},
	{name: "open, full", security: wifi.Open, conf: [][]string{full}, reason: wifi.FailureRefused, journal: "status 17"},
	{name: "GCMP", security: wifi.WPA2PSK, conf: [][]string{{"rsn_pairwise=GCMP"}}, akm: akmPSK, managed: wifi.FailureSecurityNotOffered},
	{name: "GCMP-256", security: wifi.WPA2PSK, conf: [][]string{{"rsn_pairwise=GCMP-256"}}, akm: akmPSK, managed: wifi.FailureSecurityNotOffered},
	{name: "WPA3, GCMP-256", security: wifi.WPA3SAE, conf: [][]string{{"rsn_pairwise=GCMP-256"}}, akm: akmSAE, managed: wifi.FailureSecurityNotOffered},
	{name: "fast transition, WPA2", security: wifi.WPA2PSK, conf: [][]string{fastPSK}, akm: "00-0f-ac-4"},
	{name: "fast transition, WPA3", security: wifi.WPA3SAE, conf: [][]string{fastSAE}, akm: "00-0f-ac-9"},
	{name: "zero byte, WPA2", security: wifi.WPA2PSK, password: "a zero\x00byte", reason: wifi.FailureInvalidCredentials, journal: "zero byte"},
	{name: "zero byte, WPA3", security: wifi.WPA3SAE, password: "a zero\x00byte", reason: wifi.FailureInvalidCredentials, journal: "zero byte"},
	{name: "line end, WPA2", security: wifi.WPA2PSK, password: realPassphrase + "\n", reason: wifi.FailureWrongPassword, journal: "the password ends in a line break"},
	{name: "space, WPA3", security: wifi.WPA3SAE, password: realPassphrase + " ", reason: wifi.FailureWrongPassword, journal: "the password ends in white space"},
}

// TestRealNetworks provisions one gateway with network after network, by one phone in one
// connection.
func TestRealNetworks(t *testing.T) {
	if err := os.WriteFile(denied, []byte(wifiAddress(t)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := start(t, situation{config: map[string]string{"bluetooth.security": "none"}})
	p := ready(t, false)
	for i, c := range realNetworks {
		t.Run(c.name, func(t *testing.T) {
			g, p := g.in(t), p.in(t)
			ap := AP{SSID: fmt.Sprintf("network %d", i), Security: c.security, Conf: slices.Concat(c.conf...)}
			password := ""
			if c.security != wifi.Open {
				ap.Passphrase, password = realPassphrase, realPassphrase
			}
			if c.password != "" {
				password = c.password
			}
			if manager.on && c.managed != wifi.FailureNone {
				c.reason = c.managed
			}
			startAPs(t, ap)
			p.stage(ap.SSID, password, wifi.AutoDetect)
			p.command(central.ControlConnect)
			if c.reason == wifi.FailureNone {
				took := p.expect(central.StatusConnecting, central.StatusConnected)
				t.Logf("CONNECTED after %.1f s", took.Seconds())
				if got := radio(1).akm(t, wifiAddress(t)); got != c.akm {
					t.Errorf("the access point lists key management %q, want %q", got, c.akm)
				}
				g.becomes(central.StatusConnected)
			} else {
				p.fails(c.reason)
				g.fails(c.reason, "MESSAGE~"+c.journal)
			}
			p.command(central.ControlErase)
			p.until(central.StatusIdle)
			g.stores(nil)
		})
	}
}

// fails waits for FAILED after CONNECT, and checks its reason.
func (p *phone) fails(reason wifi.Failure) {
	p.t.Helper()
	want := []central.Status{central.StatusConnecting, central.StatusFailed}
	if reason == wifi.FailureInvalidCredentials {
		want = want[1:] // there is nothing to try
	}
	took := p.expect(want...)
	if got := p.reason(); got != reason {
		p.t.Errorf("reason %d (%s), want %d (%s)", got, got, reason, reason)
	}
	p.t.Logf("FAILED after %.1f s", took.Seconds())
}

// TestSilentWPA3: an access point that offers WPA3 and answers nothing to it. hostapd is stopped, and
// the kernel sends its beacons, until the gateway turns to WPA2.
func TestSilentWPA3(t *testing.T) {
	withoutManager(t) // its profiles cannot leave WPA3 out
	ap := AP{SSID: "silent WPA3", Security: wifi.WPAAutoPersonal, Passphrase: realPassphrase}
	g := start(t, situation{aps: []AP{ap}, config: map[string]string{"bluetooth.security": "none"}})
	p := ready(t, false)
	p.stage(ap.SSID, ap.Passphrase, wifi.AutoDetect)
	hostapd := number(t, firstLine(run(t, "systemctl", "show", "--value", "--property=MainPID", radio(1).unit())))
	signal := func(s syscall.Signal) {
		if err := syscall.Kill(hostapd, s); err != nil {
			t.Fatal(err)
		}
	}
	signal(syscall.SIGSTOP)
	t.Cleanup(func() { signal(syscall.SIGCONT) })
	end := triesEnd(t)
	p.command(central.ControlConnect)
	select {
	case <-end: // of the try with WPA3. The journal tells later than WPA2 waits for an answer.
		signal(syscall.SIGCONT)
	case <-time.After(patience):
		t.Fatal("the try with WPA3 does not end")
	}
	took := p.expect(central.StatusConnecting, central.StatusConnected)
	t.Logf("CONNECTED after %.1f s", took.Seconds())
	g.event("wpa3-failed")
	if got := radio(1).akm(t, wifiAddress(t)); got == akmSAE {
		t.Errorf("the access point lists key management %q", got)
	}
}

// triesEnd is closed when wpa_supplicant drops a network that it was given after this call.
func triesEnd(t testing.TB) <-chan struct{} {
	t.Helper()
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	const iface = "fi.w1.wpa_supplicant1.Interface"
	signals, end := make(chan *dbus.Signal, 100), make(chan struct{})
	conn.Signal(signals)
	if err := conn.AddMatchSignal(dbus.WithMatchInterface(iface)); err != nil {
		t.Fatal(err)
	}
	go func() {
		added := map[any]bool{}
		for s := range signals {
			switch {
			case s.Name == iface+".NetworkAdded":
				added[s.Body[0]] = true
			case s.Name == iface+".NetworkRemoved" && added[s.Body[0]]:
				close(end)
				return
			}
		}
	}()
	return end
}

// TestNameNotThere: a name that nobody has is told after one scan of all channels.
func TestNameNotThere(t *testing.T) {
	g := start(t, situation{country: bothBands, config: map[string]string{"bluetooth.security": "none"}})
	p := ready(t, false)
	g.event("scanned")
	whole := wholeScan(t)
	time.Sleep(15 * time.Second) // what was heard is not fresh any more
	p.stage("a name that is not there", realPassphrase, wifi.AutoDetect)
	p.command(central.ControlConnect)
	took := p.expect(central.StatusConnecting, central.StatusFailed)
	if got := p.reason(); got != wifi.FailureNotFound {
		t.Errorf("reason %d (%s), want %d", got, got, wifi.FailureNotFound)
	}
	t.Logf("FAILED after %.1f s; a scan of all channels takes %.1f s", took.Seconds(), whole.Seconds())
	if limit := whole * 2; took > limit {
		t.Errorf("FAILED came after %s, want less than two scans of %s", took, whole)
	}
}

// wholeScan returns how long wpa_supplicant takes for a scan of all channels.
func wholeScan(t testing.TB) time.Duration {
	t.Helper()
	var begin time.Time
	waitFor(t, "a scan", patience, func() error { // NetworkManager scans, too
		begin = time.Now()
		return supplicantCall(t, "Scan", []any{map[string]dbus.Variant{"Type": dbus.MakeVariant("active")}})
	})
	time.Sleep(200 * time.Millisecond)
	waitFor(t, "the scan's end", patience, func() error {
		var path dbus.ObjectPath
		const name = "fi.w1.wpa_supplicant1"
		if err := bus(t).Object(name, "/fi/w1/wpa_supplicant1").Call(name+".GetInterface", 0, wlan).Store(&path); err != nil {
			return err
		}
		scanning, err := bus(t).Object(name, path).GetProperty(name + ".Interface.Scanning")
		if err == nil && scanning.Value() != false {
			err = errors.New("it scans")
		}
		return err
	})
	return time.Since(begin)
}

// TestSeveralOfOneName: access points of one name with different passwords. Whichever is heard
// first, the password is wrong only if none of them takes it.
func TestSeveralOfOneName(t *testing.T) {
	for _, security := range []wifi.Security{wifi.WPA2PSK, wifi.WPA3SAE} {
		ours := AP{SSID: "ours and theirs", Security: security, Passphrase: realPassphrase}
		theirs := ours
		theirs.Passphrase = "their passphrase 1"
		for _, order := range [][]AP{{ours, theirs}, {theirs, ours}} {
			name := security.String() + ", ours first"
			if order[0].Passphrase == theirs.Passphrase {
				name = security.String() + ", theirs first"
			}
			t.Run(name, func(t *testing.T) {
				aps := slices.Clone(order)
				aps[0].Channel, aps[1].Channel = 1, 6
				g := start(t, situation{aps: aps, config: map[string]string{"bluetooth.security": "none"}})
				p := ready(t, false)
				p.provision(ours.SSID, "the wrong passphrase 1", wifi.AutoDetect)
				p.fails(wifi.FailureWrongPassword)
				g.fails(wifi.FailureWrongPassword, "MESSAGE~2 access points of this name were tried")
				p.provision(ours.SSID, ours.Passphrase, wifi.AutoDetect)
				took := p.expect(central.StatusConnecting, central.StatusConnected)
				t.Logf("CONNECTED after %.1f s", took.Seconds())
				g.stores(&ours)
			})
		}
	}
}

// TestWPA3Memory: where WPA3 failed and WPA2 worked, WPA2 is what the gateway joins with from then
// on. Where WPA3 worked, it never goes down to WPA2 by itself.
func TestWPA3Memory(t *testing.T) {
	withoutManager(t) // its profiles cannot leave WPA3 out
	home := AP{SSID: "transition home", Security: wifi.WPAAutoPersonal, Passphrase: realPassphrase}
	broken := home
	broken.Conf = noCommonGroup
	restart := func(g *gateway) {
		systemctl(g.t, "stop", unit)
		resetWifi(g.t)
		g.from = g.journal.mark(g.t, "starts again")
		g.start()
	}

	t.Run("failed", func(t *testing.T) {
		g := start(t, situation{aps: []AP{broken}})
		g.joined(broken)
		g.event("wpa3-failed")
		g.stores(&broken)
		restart(g)
		g.becomes(central.StatusConnected)
		if e, i := g.journal.find(g.from-1, event("wpa3-failed")); i >= 0 {
			t.Errorf("WPA3 was tried again: %s", e)
		}
	})

	t.Run("worked", func(t *testing.T) {
		g := start(t, situation{aps: []AP{home}})
		p := g.joined(home)
		systemctl(t, "stop", unit)
		startAPs(t, broken)
		restart(g)
		g.fails(wifi.FailureRefused, "MESSAGE~WPA2 is not tried")
		p.leave()
		p.connect()
		p.watch()
		p.stage(home.SSID, home.Passphrase, wifi.AutoDetect)
		p.command(central.ControlConnect)
		p.until(central.StatusConnected)
		if got := radio(1).akm(t, wifiAddress(t)); got != akmPSK {
			t.Errorf("the access point lists key management %q, want %q", got, akmPSK)
		}
	})
}
