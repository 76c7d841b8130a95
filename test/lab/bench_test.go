//go:build lab

package lab

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// benchFile is where BenchmarkGateway leaves its table. docs/performance.md says
// what each row means.
const benchFile = "/lab/out/bench.md"

// benchPicture is where it leaves the picture of the joins.
const benchPicture = "/lab/out/bench.svg"

const (
	benchJoins  = 7           // of each kind
	benchStarts = 9           // of the daemon
	benchWrites = 500         // of each kind
	benchSettle = time.Minute // after the phone has left
	benchIdle   = time.Minute
)

var benchNet = AP{SSID: "bench net", Security: wifi.WPA2PSK, Passphrase: "passphrase of the bench", Channel: 6}

// BenchmarkGateway measures, once, how long a phone and an operator have to wait and what the daemon
// costs. bench.sh runs it.
func BenchmarkGateway(b *testing.B) {
	file, err := os.Create(benchFile)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	table := io.MultiWriter(file, os.Stdout)
	fmt.Fprintf(table, "%s\n\n| Measure | wifiprovd | Beside it | Ratio |\n|---|---|---|---|\n", machineKind(b))
	joins := benchJoin(b)
	for _, r := range append(joins, benchWrite(b)) {
		fmt.Fprintln(table, r.row())
	}
	for _, measure := range []func(*testing.B) string{benchStart, benchResources} {
		fmt.Fprintln(table, measure(b))
	}
	if err := os.WriteFile(benchPicture, []byte(picture("Onto a WPA2 network: "+machineKind(b), joins)), 0o644); err != nil {
		b.Fatal(err)
	}
}

// quiet is the configuration as shipped, without the tests' log level.
func quiet() map[string]string { return map[string]string{"log.level": "info"} }

// benchWrite compares the write of an SSID with one of the same value to an application that does
// nothing, alternately on one encrypted connection.
func benchWrite(b *testing.B) result {
	start(b, situation{config: quiet()})
	registerNoop(b)
	p := ready(b, true)
	defer p.central.Close()
	defer p.leave()
	value := []byte(benchNet.SSID)
	write := func(uuid string) time.Duration {
		begin := time.Now()
		if err := p.session.Write(context.Background(), uuid, value); err != nil {
			b.Fatal(err)
		}
		return time.Since(begin)
	}
	write(noopUUID)
	write(central.SSIDUUID)
	var daemon, noop []time.Duration
	for range benchWrites {
		noop = append(noop, write(noopUUID))
		daemon = append(daemon, write(central.SSIDUUID))
	}
	return result{"Write round trip, encrypted", "wifiprovd", daemon, "do-nothing GATT application", noop}
}

// benchStart measures from the daemon's start to its READY, by systemd's clock.
func benchStart(b *testing.B) string {
	g := start(b, situation{config: quiet()})
	var times []time.Duration
	for range benchStarts {
		systemctl(b, "stop", unit)
		g.start()
		show := func(property string) time.Duration {
			text := strings.TrimSpace(run(b, "systemctl", "show", "--value", "--property="+property, unit))
			return time.Duration(number(b, text)) * time.Microsecond
		}
		times = append(times, show("ActiveEnterTimestampMonotonic")-show("ExecMainStartTimestampMonotonic"))
	}
	return fmt.Sprintf("| Start to READY | %s | | |", spread(times))
}

// benchResources measures what the daemon costs while it is CONNECTED, advertises,
// and no phone is there: with systemd's watchdog, and without.
func benchResources(b *testing.B) string {
	var woken []int
	var memory func(string) int
	for _, watchdog := range []string{"30s", "0"} {
		dropIn(b, "WatchdogSec="+watchdog)
		pid := benchRest(b, quiet())
		before := wakeups(b, pid)
		time.Sleep(benchIdle)
		woken = append(woken, wakeups(b, pid)-before)
		memory = procField(b, "/proc/"+pid+"/smaps_rollup")
	}
	return fmt.Sprintf("| Wake-ups in %.0f s idle | %d | the same without the watchdog: %d | |\n| RSS, idle after a pairing and a join | %.1f MiB | | |\n| PSS, the same | %.1f MiB | | |",
		benchIdle.Seconds(), woken[0], woken[1], float64(memory("Rss"))/1024, float64(memory("Pss"))/1024)
}

// benchRest returns the process of a daemon at rest, after a pairing and a join.
func benchRest(b *testing.B, config map[string]string) (pid string) {
	g := start(b, situation{aps: []AP{benchNet}, config: config})
	p := g.joined(benchNet)
	p.leave()
	p.central.Close()
	g.event("central-disconnected")
	time.Sleep(benchSettle)
	return g.pid()
}

// wakeups returns how often the threads of a process have waited for something
// (proc_pid_status(5), voluntary_ctxt_switches).
func wakeups(b *testing.B, pid string) int {
	files, err := filepath.Glob("/proc/" + pid + "/task/*/status")
	if err != nil || len(files) == 0 {
		b.Fatalf("the threads of process %s: %d, %v", pid, len(files), err)
	}
	sum := 0
	for _, file := range files {
		sum += procField(b, file)("voluntary_ctxt_switches")
	}
	return sum
}

// procField returns a function that reads fields such as "Rss: 9 kB" of a file in /proc.
func procField(b testing.TB, file string) func(name string) int {
	text, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	return func(name string) int {
		for _, line := range strings.Split(string(text), "\n") {
			if value, ok := strings.CutPrefix(line, name+":"); ok {
				return number(b, strings.TrimSpace(strings.TrimSuffix(value, "kB")))
			}
		}
		b.Fatalf("%s has no %s", file, name)
		return 0
	}
}

func number(b testing.TB, text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

// spread returns the median, and where nine tenths of the times lie.
func spread(times []time.Duration) string {
	middle, margin := median(times), len(times)/20
	unit, name := time.Second, "s"
	if middle < time.Second {
		unit, name = time.Millisecond, "ms"
	}
	in := func(d time.Duration) string { return strconv.FormatFloat(float64(d)/float64(unit), 'f', 2, 64) }
	return fmt.Sprintf("%s %s (%s to %s, n=%d)", in(middle), name, in(times[margin]), in(times[len(times)-1-margin]), len(times))
}

// machineKind describes the machine.
func machineKind(b testing.TB) string {
	suite := osRelease(b, "VERSION_CODENAME")
	_, supplicant, _ := strings.Cut(firstLine(run(b, "wpa_supplicant", "-v")), " ")
	virt, _ := exec.Command("systemd-detect-virt").Output() // its status is 1 for none
	return fmt.Sprintf("Debian %s, %s, Linux %s, %d cores (%s), BlueZ %s, wpa_supplicant %s.",
		suite, runtime.GOARCH, firstLine(run(b, "uname", "-r")), runtime.NumCPU(), firstLine(string(virt)),
		firstLine(run(b, "/usr/libexec/bluetooth/bluetoothd", "--version")), supplicant)
}

func osRelease(b testing.TB, name string) string {
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		b.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if value, ok := strings.CutPrefix(line, name+"="); ok {
			return value
		}
	}
	return "of unknown version"
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
