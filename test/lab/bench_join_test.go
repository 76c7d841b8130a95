//go:build lab

package lab

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// benchTyping is how long the owner takes to choose a network and type its password, with the phone
// connected.
const benchTyping = 10 * time.Second

// benchJoin compares four ways onto a WPA2 network, in turns: CONNECT as a phone
// sees it, the daemon's start with stored credentials, NetworkManager told to
// connect, and a bare join. wpa_supplicant has no scan results when the phone
// connects, when the daemon starts, and when the bare join begins.
func benchJoin(b *testing.B) string {
	var connect, boot, manager, bare []time.Duration
	for range benchJoins {
		start(b, situation{aps: []AP{benchNet}, country: bothBands, config: quiet()})
		p := ready(b, true)
		time.Sleep(benchTyping)
		p.stage(benchNet.SSID, benchNet.Passphrase, wifi.AutoDetect)
		begin := time.Now()
		p.command(central.ControlConnect)
		p.expect(central.StatusConnecting, central.StatusConnected)
		connect = append(connect, time.Since(begin))
		p.leave()
		p.central.Close()

		boot = append(boot, bootJoin(b))
		manager = append(manager, managerJoin(b))
		start(b, situation{aps: []AP{benchNet}, country: bothBands, stopped: true})
		bare = append(bare, bareJoin(b, benchNet))
	}
	const beside = "AddNetwork and SelectNetwork to `completed`"
	return compared("CONNECT to CONNECTED", beside, connect, bare) + "\n" +
		compared("Start with stored credentials to CONNECTED", beside, boot, bare) + "\n" +
		fmt.Sprintf("| | | `nmcli device wifi connect` to `completed`: %s | |", spread(manager))
}

// bootJoin starts the daemon with stored credentials, on an interface that wpa_supplicant does not
// know, as after a boot.
func bootJoin(b *testing.B) time.Duration {
	systemctl(b, "stop", unit)
	resetWifi(b)
	g := found(b)
	g.from = g.journal.mark(b, "boot")
	g.start()
	connected := g.becomes(central.StatusConnected)
	began := number(b, firstLine(run(b, "systemctl", "show", "--value", "--property=ExecMainStartTimestampMonotonic", unit)))
	return connected.sinceBoot() - time.Duration(began)*time.Microsecond
}

// Where NetworkManager is told to leave an interface alone, by the daemon's
// installation and for this measurement.
const (
	managerLeaves = "/usr/lib/NetworkManager/conf.d/wifiprovd.conf"
	managerTakes  = "/etc/NetworkManager/conf.d/bench.conf"
	networkd      = "systemd-networkd"
)

// managerJoin makes NetworkManager join the network, after it has been running for as long as an owner
// types.
func managerJoin(b *testing.B) time.Duration {
	start(b, situation{aps: []AP{benchNet}, country: bothBands, stopped: true})
	if err := os.WriteFile(managerTakes, []byte("[keyfile]\nunmanaged-devices=*,except:interface-name:"+wlan+"\n"), 0o644); err != nil {
		b.Fatal(err)
	}
	_ = os.Remove(managerLeaves)
	systemctl(b, "stop", networkd, networkd+".socket") // one of the two brings the address
	defer systemctl(b, "start", networkd)
	systemctl(b, "start", "NetworkManager")
	defer systemctl(b, "stop", "NetworkManager")
	time.Sleep(benchTyping)
	done := make(chan error, 1)
	go func() {
		_, err := try("nmcli", "--wait", "60", "device", "wifi", "connect", benchNet.SSID, "password", benchNet.Passphrase, "ifname", wlan)
		done <- err
	}()
	took := waitFor(b, "wpa_supplicant's completed", patience, func() error {
		return wpaCompleted(b)
	})
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	run(b, "nmcli", "connection", "delete", "id", benchNet.SSID)
	return took
}
