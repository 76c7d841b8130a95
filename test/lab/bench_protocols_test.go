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

// protocolsFile is where BenchmarkProtocols leaves its table.
const protocolsFile = "/lab/out/bench-protocols.md"

// BenchmarkProtocols compares, once, a daemon that speaks every protocol with one that speaks its own alone,
// and a phone behind the code with one that is not, in turns. bench.sh runs it.
func BenchmarkProtocols(b *testing.B) {
	var alone, among, native, coded, proof []time.Duration
	for range benchJoins {
		alone = append(alone, typedJoin(b, quiet()))
		among = append(among, typedJoin(b, everyProtocol("false")))
		native = append(native, stagedJoin(b))
		proved, joined := codedJoin(b)
		proof, coded = append(proof, proved), append(coded, joined)
	}
	var table strings.Builder
	fmt.Fprintf(&table, "%s\n\n| Measure | every protocol on | Beside it | Ratio |\n|---|---|---|---|\n", machineKind(b))
	for _, r := range []result{
		{"CONNECT to CONNECTED, the owner types for 10 s", "", among, "the native protocol alone", alone},
		{"First write of the credentials to CONNECTED in the journal, by the code", "", coded, "by the native protocol", native},
	} {
		fmt.Fprintln(&table, r.row())
	}
	fmt.Fprintf(&table, "| The code's handshake, four messages, as the phone sees it | %s | | |\n", spread(proof))
	dropIn(b, "WatchdogSec=0")
	lone, every := restCost(b, quiet()), restCost(b, everyProtocol("false"))
	fmt.Fprintf(&table, "| Wake-ups in %.0f s idle, without the watchdog | %d | the native protocol alone: %d | |\n", benchIdle.Seconds(), every.woken, lone.woken)
	fmt.Fprintf(&table, "| PSS, idle after a pairing and a join | %.1f MiB | the native protocol alone: %.1f MiB | |\n", every.pss, lone.pss)
	fmt.Print(table.String())
	if err := os.WriteFile(protocolsFile, []byte(table.String()), 0o644); err != nil {
		b.Fatal(err)
	}
}

// cost is what a daemon at rest costs.
type cost struct {
	woken int
	pss   float64 // MiB
}

func restCost(b *testing.B, config map[string]string) cost {
	pid := benchRest(b, config)
	before := wakeups(b, pid)
	time.Sleep(benchIdle)
	return cost{wakeups(b, pid) - before, float64(procField(b, "/proc/"+pid+"/smaps_rollup")("Pss")) / 1024}
}

// everyProtocol is the configuration as shipped, but for the protocols.
func everyProtocol(requireCode string) map[string]string {
	config := quiet()
	config["bluetooth.protocols"], config["bluetooth.require_code"] = "[native, improv, espressif]", requireCode
	return config
}

// stagedJoin measures from a phone's first write of the credentials until the gateway's journal says CONNECTED.
func stagedJoin(b *testing.B) time.Duration {
	g := start(b, situation{aps: []AP{benchNet}, country: bothBands, config: everyProtocol("false")})
	p := ready(b, true)
	time.Sleep(benchTyping)
	begin := time.Now()
	p.provision(benchNet.SSID, benchNet.Passphrase, wifi.AutoDetect)
	p.expect(central.StatusConnecting, central.StatusConnected)
	took := g.becomes(central.StatusConnected).when().Sub(begin)
	p.leave()
	p.central.Close()
	return took
}

// codedJoin measures how long a phone takes to prove the code, and then, when its owner has typed, what
// stagedJoin does. Such a phone asks for the status, every few seconds.
func codedJoin(b *testing.B) (proved, joined time.Duration) {
	g := start(b, situation{aps: []AP{benchNet}, country: bothBands, config: everyProtocol("auto")})
	code := g.newCode()
	p := near(b)
	begin := time.Now()
	session := p.prove(code)
	proved = time.Since(begin)
	time.Sleep(benchTyping)
	begin = time.Now()
	credentials := wifi.Credentials{SSID: wifi.SSID(benchNet.SSID), Passphrase: wifi.NewPassphrase([]byte(benchNet.Passphrase))}
	if err := session.Provision(p.deadline(), credentials); err != nil {
		b.Fatal(err)
	}
	joined = g.becomes(central.StatusConnected).when().Sub(begin)
	if status, err := session.Status(p.deadline()); err != nil || !status.Joined {
		b.Fatalf("%+v, %v", status, err)
	}
	p.leave()
	p.central.Close()
	return proved, joined
}
