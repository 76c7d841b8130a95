//go:build lab

package lab

import (
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// benchTyping is how long the owner takes to choose a network and type its password, with the phone
// connected.
const benchTyping = 10 * time.Second

// benchIdleFor is how long a gateway without a network has been waiting when a phone comes.
const benchIdleFor = time.Minute

// benchJoin compares the daemon's ways onto a WPA2 network with what wpa_supplicant alone takes, in
// turns.
func benchJoin(b *testing.B) []result {
	var typed, atOnce, boot, back, cold, fresh, channel []time.Duration
	for range benchJoins {
		typed = append(typed, typedJoin(b, quiet()))
		boot = append(boot, bootJoin(b))
		back = append(back, backJoin(b))
		atOnce = append(atOnce, atOnceJoin(b))
		cold = append(cold, bareTimed(b, benchNet, bareCold))
		fresh = append(fresh, bareTimed(b, benchNet, bareFresh))
		channel = append(channel, bareTimed(b, benchNet, bareChannel))
	}
	const withFresh, withChannel = "bare join, fresh scan results", "bare join, the channel known"
	return []result{
		{"CONNECT to CONNECTED, the owner types for 10 s", "wifiprovd", typed, withFresh, fresh},
		{"CONNECT to CONNECTED, all written at once after a minute idle", "wifiprovd", atOnce, withFresh, fresh},
		{"Start with stored credentials to CONNECTED", "wifiprovd", boot, withChannel, channel},
		{"FAILED with a wrong password to CONNECTED on the network before", "wifiprovd", back, withChannel, channel},
		{"bare join, no scan results", "wpa_supplicant", cold, withFresh, fresh},
	}
}

// typedJoin measures CONNECT as a phone sees it whose owner has typed.
func typedJoin(b *testing.B, config map[string]string) time.Duration {
	start(b, situation{aps: []AP{benchNet}, country: bothBands, config: config})
	p := ready(b, true)
	time.Sleep(benchTyping)
	return p.timedConnect()
}

// atOnceJoin measures CONNECT as a phone sees it that was bonded before, comes back to a gateway that
// has waited, and writes all at once.
func atOnceJoin(b *testing.B) time.Duration {
	start(b, situation{aps: []AP{benchNet}, country: bothBands, config: quiet()})
	p := ready(b, true)
	p.leave()
	time.Sleep(benchIdleFor)
	p.connect()
	p.watch()
	return p.timedConnect()
}

// timedConnect provisions the network and returns how long CONNECT took to CONNECTED.
func (p *phone) timedConnect() time.Duration {
	p.stage(benchNet.SSID, benchNet.Passphrase, wifi.AutoDetect)
	begin := time.Now()
	p.command(central.ControlConnect)
	p.expect(central.StatusConnecting, central.StatusConnected)
	took := time.Since(begin)
	p.leave()
	p.central.Close()
	return took
}

// backJoin measures how long the gateway takes back to its network after a wrong password for it.
func backJoin(b *testing.B) time.Duration {
	g := start(b, situation{aps: []AP{benchNet}, country: bothBands, config: quiet()})
	p := g.joined(benchNet)
	time.Sleep(benchTyping)
	p.provision(benchNet.SSID, "not the passphrase", wifi.AutoDetect)
	p.expect(central.StatusConnecting, central.StatusFailed)
	took := p.expect(central.StatusConnecting, central.StatusConnected)
	p.leave()
	p.central.Close()
	return took
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
