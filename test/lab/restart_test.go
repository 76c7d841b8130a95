//go:build lab

package lab

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// backWithin is how soon after a neighbour's restart everything works again.
const backWithin = 5 * time.Second

// managerPause is how long NetworkManager leaves a wpa_supplicant alone that was restarted.
const managerPause = 10 * time.Second

// TestDaemonRestart stops and starts the daemon, and kills it, on a network.
func TestDaemonRestart(t *testing.T) {
	home := AP{SSID: "home", Security: wifi.WPA2PSK, Passphrase: "daemon restart passphrase"}
	for name, restart := range map[string][]string{
		"restarted": {"restart", unit},
		"killed":    {"kill", "--signal=KILL", unit},
	} {
		t.Run(name, func(t *testing.T) {
			g := start(t, situation{aps: []AP{home}})
			g.joined(home).leave()
			g.becomes(central.StatusConnected)
			begin := time.Now()
			systemctl(t, restart...)
			g.becomes(central.StatusConnected)
			t.Logf("CONNECTED after %s", time.Since(begin))
			waitFor(t, "online", patience, func() error { return g.online(1) })
			p := newPhone(t, "", nil)
			p.find()
		})
	}
}

// TestNoCore crashes the daemon while it holds a password: it leaves no core file, although the
// machine writes them and GOTRACEBACK asks for one.
func TestNoCore(t *testing.T) {
	const cores = "/var/crash/"
	if err := os.MkdirAll(cores, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("/proc/sys/kernel/core_pattern", []byte(cores+"core.%e"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _ = try("bash", "-c", "ulimit -c unlimited; kill -SEGV $$")
	if _, err := os.Stat(cores + "core.bash"); err != nil {
		t.Fatalf("this machine writes no cores at all: %v", err)
	}
	dropIn(t, "Environment=GOTRACEBACK=crash")
	home := AP{SSID: "home", Security: wifi.WPA2PSK, Passphrase: "no core passphrase"}
	g := start(t, situation{aps: []AP{home}})
	g.joined(home).leave()
	g.becomes(central.StatusConnected)
	systemctl(t, "kill", "--signal=ABRT", unit)
	if e := g.logged(patience, "UNIT="+unit, "EXIT_CODE="); e["EXIT_CODE"] != "killed" {
		t.Errorf("the daemon ended so: %s", e["MESSAGE"])
	}
	g.becomes(central.StatusConnected)
	files, err := os.ReadDir(cores)
	if err != nil || len(files) != 1 {
		t.Errorf("cores: %v, %v; want only that of bash", files, err)
	}
}

// TestNeighbourRestart restarts bluetoothd and wpa_supplicant while the gateway
// waits for a phone, and while it is on a network.
func TestNeighbourRestart(t *testing.T) {
	home := AP{SSID: "home", Security: wifi.WPA2PSK, Passphrase: "neighbour restart passphrase"}
	for _, neighbour := range []string{bluetoothd, supplicantd} {
		for _, state := range []central.Status{central.StatusIdle, central.StatusConnected} {
			name, _, _ := strings.Cut(neighbour, ".")
			t.Run(name+" while "+state.String(), func(t *testing.T) {
				g := start(t, situation{aps: []AP{home}})
				if state == central.StatusConnected {
					g.joined(home).leave()
				}
				g.becomes(state)
				systemctl(t, "restart", neighbour)
				took := waitFor(t, "all is back", patience, func() error { return g.works(state, neighbour == supplicantd) })
				t.Logf("back after %s", took)
				limit := backWithin
				if manager.on && neighbour == supplicantd {
					limit += managerPause
				}
				if took > limit {
					t.Errorf("it took %s, want at most %s", took, limit)
				}
				g.serves(home, state)
			})
		}
	}
}

// works returns nil if the gateway advertises and, if CONNECTED, is online: after a new join if
// rejoin is set.
func (g *gateway) works(state central.Status, rejoin bool) error {
	value, err := bus(g.t).Object("org.bluez", "/org/bluez/"+gatewayHCI).GetProperty("org.bluez.LEAdvertisingManager1.ActiveInstances")
	switch {
	case err != nil:
		return err
	case value.Value() != byte(1):
		return fmt.Errorf("%v advertisements", value)
	case state != central.StatusConnected:
		return nil
	}
	if _, i := g.journal.find(g.from, showing(central.StatusConnected)); rejoin && i < 0 {
		return errors.New("not CONNECTED again")
	}
	return g.online(1)
}

// serves checks with a phone that the gateway shows a status and, if IDLE, that it can be provisioned.
func (g *gateway) serves(home AP, state central.Status) {
	g.t.Helper()
	if state == central.StatusIdle {
		g.joined(home)
		return
	}
	p := newPhone(g.t, "", nil)
	p.find()
	p.connect()
	if s := p.status(); s != state {
		g.t.Errorf("status %s, want %s", s, state)
	}
}
