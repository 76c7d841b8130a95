//go:build lab

package lab

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// soakPause is the longest pause between two steps of a cycle.
const soakPause = 500 * time.Millisecond

// TestSoak runs SOAK_CYCLES cycles of provisioning, a check, a wrong password and ERASE, in an order
// and with pauses drawn from SOAK_SEED. It measures what the daemon uses at the end of each cycle.
// soak.sh runs it.
func TestSoak(t *testing.T) {
	cycles, err := strconv.Atoi(os.Getenv("SOAK_CYCLES"))
	if err != nil {
		t.Skip("SOAK_CYCLES is not set; make soak runs this")
	}
	seed, err := strconv.ParseUint(os.Getenv("SOAK_SEED"), 10, 64)
	if err != nil {
		t.Fatalf("SOAK_SEED: %v", err)
	}
	aps := []AP{
		{SSID: "soaked WPA2", Security: wifi.WPA2PSK, Passphrase: "the password of the soak", Channel: 1},
		{SSID: "soaked WPA3", Security: wifi.WPA3SAE, Passphrase: "another password of the soak", Channel: 6},
		{SSID: "soaked transition", Security: wifi.WPAAutoPersonal, Passphrase: "the third password", Channel: 11},
	}
	s := &soak{gateway: start(t, situation{aps: aps, config: quiet()}), aps: aps, random: rand.New(rand.NewPCG(seed, 0))}
	s.phone = newPhone(t, "", nil)
	s.meet()
	pid := s.pid()
	var used []sample
	for n := range cycles {
		s.cycle(n)
		used = append(used, s.sample())
		if used[n].pid != pid {
			t.Fatalf("cycle %d: the daemon was started again", n)
		}
		if n%10 == 9 {
			t.Logf("%d cycles: %v, PSS %d KiB", n+1, used[n].usage, used[n].pss)
		}
	}
	s.report(cycles, seed, used)
}

// soak is a gateway and a phone that never rest.
type soak struct {
	*gateway
	phone   *phone
	aps     []AP
	random  *rand.Rand
	joined  int // radio of the network that is stored; 0: none
	slowest map[string]time.Duration
}

// cycle takes each step once, in any order.
func (s *soak) cycle(n int) {
	s.t.Helper()
	steps := []struct {
		name string
		take func()
	}{
		{"provision", s.provision}, {"verify", s.verify}, {"wrong password", s.mistype}, {"erase", s.erase},
	}
	s.random.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
	for _, step := range steps {
		time.Sleep(time.Duration(s.random.Int64N(int64(soakPause))))
		s.from = s.journal.mark(s.t, fmt.Sprintf("cycle %d: %s", n, step.name))
		begin := time.Now()
		step.take()
		if s.slowest == nil {
			s.slowest = map[string]time.Duration{}
		}
		s.slowest[step.name] = max(s.slowest[step.name], time.Since(begin))
	}
}

// meet finds the gateway, pairs, connects and follows Status.
func (s *soak) meet() {
	s.t.Helper()
	s.phone.find()
	s.phone.pair()
	s.phone.connect()
	s.phone.watch()
}

// drain forgets the notifications that have come.
func (s *soak) drain() {
	for {
		select {
		case <-s.phone.statuses:
		default:
			return
		}
	}
}

func (s *soak) provision() {
	s.t.Helper()
	s.joined = 1 + s.random.IntN(len(s.aps))
	ap := s.aps[s.joined-1]
	s.drain()
	s.phone.provision(ap.SSID, ap.Passphrase, wifi.AutoDetect)
	s.phone.until(central.StatusConnecting)
	s.phone.until(central.StatusConnected)
}

// verify checks that the gateway is where the previous steps have left it.
func (s *soak) verify() {
	s.t.Helper()
	if s.joined == 0 {
		s.stores(nil)
		return
	}
	s.stores(&s.aps[s.joined-1])
	waitFor(s.t, "online", patience, func() error { return s.online(radio(s.joined)) })
}

func (s *soak) mistype() {
	s.t.Helper()
	ap := s.aps[s.random.IntN(len(s.aps))]
	s.drain()
	s.phone.provision(ap.SSID, "not this password", wifi.AutoDetect)
	s.phone.until(central.StatusConnecting)
	s.phone.until(central.StatusFailed)
	if got := s.phone.reason(); got != wifi.FailureWrongPassword {
		s.t.Errorf("reason %s, want a wrong password", got)
	}
}

func (s *soak) erase() {
	s.t.Helper()
	s.joined = 0
	s.drain()
	s.phone.command(central.ControlErase)
	s.phone.until(central.StatusIdle)
	s.phone.isCut() // the bond goes, and the connection with it
	waitGone(s.t, adapterAddress(s.t, phoneHCI))
	if err := s.phone.central.RemoveBond(s.phone.deadline(), s.phone.gateway); err != nil {
		s.t.Fatal(err)
	}
	s.meet()
}

// sample is what the daemon uses at the end of a cycle.
type sample struct {
	usage
	pss int // KiB
}

func (s *soak) sample() sample {
	s.t.Helper()
	u := s.usage()
	return sample{u, procField(s.t, "/proc/"+u.pid+"/smaps_rollup")("Pss")}
}

// report prints what docs/reliability.md takes over, and fails the test if the
// daemon uses more and more.
func (s *soak) report(cycles int, seed uint64, used []sample) {
	s.t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "%s %d cycles, seed %d.\n\n", machineKind(s.t), cycles, seed)
	fmt.Fprint(&text, "| Step | Slowest |\n|---|---|\n")
	for _, name := range []string{"provision", "verify", "wrong password", "erase"} {
		fmt.Fprintf(&text, "| %s | %.1f s |\n", name, s.slowest[name].Seconds())
	}
	fmt.Fprint(&text, "\n| Used by the daemon | After 1 cycle | At the end | Slope per 100 cycles |\n|---|---|---|---|\n")
	for _, row := range []struct {
		name  string
		limit float64 // of the slope, per 100 cycles
		value func(sample) float64
	}{
		{"Goroutines", 0.5, func(u sample) float64 { return float64(u.goroutines) }},
		{"Descriptors", 0.5, func(u sample) float64 { return float64(u.descriptors) }},
		{"Heap, MiB", 0.1, func(u sample) float64 { return float64(u.heap) / (1 << 20) }},
		{"PSS, MiB", 0.25, func(u sample) float64 { return float64(u.pss) / 1024 }},
	} {
		// The first tenth warms up: the heap and the pool of threads reach their size.
		slope := 100 * slope(used[len(used)/10:], row.value)
		fmt.Fprintf(&text, "| %s | %.1f | %.1f | %+.2f |\n", row.name, row.value(used[0]), row.value(used[len(used)-1]), slope)
		if cycles >= 100 && slope > row.limit {
			s.t.Errorf("%s grow by %.2f in 100 cycles", row.name, slope)
		}
	}
	fmt.Print(text.String())
	if err := os.WriteFile("/lab/out/soak.md", []byte(text.String()), 0o644); err != nil {
		s.t.Error(err)
	}
}

// slope returns the slope of the line of least squares through the values.
func slope(used []sample, value func(sample) float64) float64 {
	n := float64(len(used))
	var sx, sy, sxx, sxy float64
	for i, u := range used {
		x, y := float64(i), value(u)
		sx, sy, sxx, sxy = sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	if d := n*sxx - sx*sx; d != 0 {
		return (n*sxy - sx*sy) / d
	}
	return 0
}
