//go:build lab

package lab

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// benchWPA3 is a network whose wrong password NetworkManager alone does not tell from one that is
// not there.
var benchWPA3 = AP{SSID: "bench SAE net", Security: wifi.WPA3SAE, Passphrase: "passphrase of the bench", Channel: 6}

// managedFile is where BenchmarkManaged leaves its table.
const managedFile = "/lab/out/bench-managed.md"

// BenchmarkManaged compares, once, the daemon while NetworkManager keeps the network with
// NetworkManager alone, in turns. bench.sh runs it.
func BenchmarkManaged(b *testing.B) {
	manager.use(b)
	var typed, wrong, wrong3, boot, back []time.Duration
	var nmTyped, nmWrong, nmWrong3, nmBoot, nmBack []time.Duration
	for range benchJoins {
		typed = append(typed, typedJoin(b, quiet()))
		boot = append(boot, bootJoin(b))
		back = append(back, backJoin(b))
		wrong = append(wrong, wrongJoin(b, benchNet))
		wrong3 = append(wrong3, wrongJoin(b, benchWPA3))
		nmTyped = append(nmTyped, managerJoin(b))
		nmBoot = append(nmBoot, managerBoot(b))
		verdict, home := managerWrong(b, benchNet)
		nmWrong, nmBack = append(nmWrong, verdict), append(nmBack, home)
		verdict, _ = managerWrong(b, benchWPA3)
		nmWrong3 = append(nmWrong3, verdict)
	}
	var table strings.Builder
	fmt.Fprintf(&table, "%s NetworkManager %s.\n\n| Measure | wifiprovd, through NetworkManager | NetworkManager alone | Ratio |\n|---|---|---|---|\n",
		machineKind(b), firstLine(run(b, "nmcli", "-g", "VERSION", "general")))
	for _, r := range []result{
		{"CONNECT to CONNECTED, the owner types for 10 s", "", typed, "`nmcli`, results as it has them", nmTyped},
		{"Wrong WPA2 password, CONNECT to FAILED", "", wrong, "`nmcli`, until it ends", nmWrong},
		{"Wrong WPA3 password, CONNECT to FAILED", "", wrong3, "`nmcli`, until it ends", nmWrong3},
		{"FAILED with a wrong password to CONNECTED on the network before", "", back, "after `nmcli` has ended", nmBack},
		{"Start with stored credentials to CONNECTED", "", boot, "its own start, with a stored profile", nmBoot},
	} {
		fmt.Fprintln(&table, r.row())
	}
	pss := procField(b, "/proc/"+benchRest(b, quiet())+"/smaps_rollup")("Pss")
	fmt.Fprintf(&table, "| PSS, idle after a pairing and a join | %.1f MiB | | |\n", float64(pss)/1024)
	fmt.Print(table.String())
	if err := os.WriteFile(managedFile, []byte(table.String()), 0o644); err != nil {
		b.Fatal(err)
	}
}

// wrongJoin measures CONNECT with a wrong password as a phone sees it whose owner has typed.
func wrongJoin(b *testing.B, ap AP) time.Duration {
	start(b, situation{aps: []AP{ap}, country: bothBands, config: quiet()})
	p := ready(b, true)
	time.Sleep(benchTyping)
	p.stage(ap.SSID, "not the passphrase", wifi.AutoDetect)
	begin := time.Now()
	p.command(central.ControlConnect)
	p.expect(central.StatusConnecting, central.StatusFailed)
	took := time.Since(begin)
	p.leave()
	p.central.Close()
	return took
}

// managerJoin makes NetworkManager join the network, after it has been running for as long as an owner
// types.
func managerJoin(b *testing.B) time.Duration {
	benchAlone(b, benchNet)
	return managerConnects(b, benchNet)
}

// benchAlone leaves NetworkManager alone with an access point, newly started.
func benchAlone(b *testing.B, aps ...AP) {
	start(b, situation{aps: aps, country: bothBands, stopped: true})
	systemctl(b, "restart", managerd)
	time.Sleep(benchTyping)
}

// managerConnects returns how long nmcli takes onto a network.
func managerConnects(b *testing.B, ap AP) time.Duration {
	done := make(chan error, 1)
	go func() {
		_, err := managerConnect(ap.SSID, ap.Passphrase)
		done <- err
	}()
	took := waitFor(b, "wpa_supplicant's completed", patience, func() error { return wpaCompleted(b) })
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	return took
}

func managerConnect(ssid, passphrase string) (string, error) {
	return try("nmcli", "--wait", "60", "device", "wifi", "connect", ssid, "password", passphrase, "ifname", wlan)
}

// managerWrong gives nmcli a wrong password while NetworkManager is on a network of another name. It
// returns how long it takes until nmcli says so, and from then until that network is joined again.
func managerWrong(b *testing.B, ap AP) (verdict, back time.Duration) {
	home := AP{SSID: "bench home", Security: wifi.WPA2PSK, Passphrase: "passphrase at home", Channel: 1}
	benchAlone(b, home, ap)
	managerConnects(b, home)
	managerOn(b, home.SSID)
	begin := time.Now()
	if out, err := managerConnect(ap.SSID, "not the passphrase"); err == nil {
		b.Fatalf("nmcli has joined: %s", out)
	}
	verdict, begin = time.Since(begin), time.Now()
	managerOn(b, home.SSID)
	waitFor(b, "wpa_supplicant's completed", patience, func() error { return wpaCompleted(b) })
	return verdict, time.Since(begin)
}

// managerBoot starts NetworkManager with a profile that it has stored.
func managerBoot(b *testing.B) time.Duration {
	benchAlone(b, benchNet)
	managerConnects(b, benchNet)
	systemctl(b, "stop", managerd)
	run(b, "ip", "link", "set", wlan, "down")
	begin := time.Now()
	systemctl(b, "start", managerd)
	waitFor(b, "wpa_supplicant's completed", patience, func() error { return wpaCompleted(b) })
	return time.Since(begin)
}
