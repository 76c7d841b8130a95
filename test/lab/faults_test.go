//go:build lab

package lab

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// fault is something that happens to a neighbour of the daemon, or to the daemon itself.
type fault struct {
	name  string
	do    func(*gateway)
	mend  func(*gateway) // nil: there is nothing to mend
	after func(*gateway) // cleans up; may be nil

	// broken matches the one journal line that tells what has happened, over the one that tells that
	// it is over. Nil: there is nothing to tell.
	broken, over []string

	lasts  time.Duration    // before it is mended; the gateway stays as it was all the while
	frozen bool             // the access point of CONNECTING stays frozen: that is part of the fault
	drops  bool             // it ends the gateway's connection, if there is one
	ends   bool             // it ends the daemon, which systemd starts again
	many   bool             // several things happen: there may be more lines
	states []central.Status // in which it is tried; nil: all
	short  []central.Status // and in the short form; nil: CONNECTED
	long   bool             // only in the long form
}

const (
	idle       = central.StatusIdle
	connecting = central.StatusConnecting
	connected  = central.StatusConnected
)

// elsewhere is for faults that other tests cause as well: the short form leaves them out.
var elsewhere = []central.Status{}

// timesEach is how often the long form ("make faults") tries each fault in each state; 0: the short
// form.
var timesEach, _ = strconv.Atoi(os.Getenv("LAB_FULL"))

// faultHome is the network. Some faults put a second access point of the same name on radio 2.
var faultHome = AP{SSID: "faults", Security: wifi.WPA2PSK, Passphrase: "faults passphrase"}

// TestFaults makes every neighbour fail, in each state. Each time the gateway then advertises and is
// on its network by itself; one line of the journal tells what happened and one that it is over;
// the daemon is the same process unless the fault is its end; and it holds no more than before.
func TestFaults(t *testing.T) {
	all := slices.Concat(systemFaults, bluetoothFaults, wifiFaults, apFaults)
	withoutManager(t)
	for _, state := range []central.Status{connected, connecting, idle} {
		t.Run(state.String(), func(t *testing.T) {
			g := start(t, situation{aps: []AP{faultHome}, config: map[string]string{"wifi.connect_timeout": "3m", "wifi.backend": "wpa_supplicant"}})
			if state != idle {
				g.joined(faultHome).leave()
			}
			var before usage
			for _, f := range all {
				if !f.wanted(state) {
					continue
				}
				t.Run(f.name, func(t *testing.T) { g.in(t).tryFault(f, state) })
				if before.pid == "" || f.ends && g.pid() != before.pid {
					before = g.usage() // after the first fault, when all buffers have grown
				}
			}
			g.grown(before)
		})
	}
}

func (f fault) wanted(state central.Status) bool {
	if timesEach > 0 {
		return f.states == nil || slices.Contains(f.states, state)
	}
	return !f.long && (slices.Contains(f.short, state) || f.short == nil && state == connected)
}

// tryFault tries a fault and writes its line of the table in docs/reliability.md.
func (g *gateway) tryFault(f fault, state central.Status) {
	g.t.Helper()
	times, recovered, slowest := 1, 0, time.Duration(0)
	if !f.long {
		times = max(times, timesEach)
	}
	defer func() { reportFault(g.t, f.name, state, times, recovered, slowest) }()
	for range times {
		slowest = max(slowest, g.suffer(f, state))
		if g.t.Failed() {
			return
		}
		recovered++
	}
}

// reportFault appends to the results of this run.
func reportFault(t testing.TB, name string, state central.Status, times, recovered int, slowest time.Duration) {
	line := fmt.Sprintf("| %s | %s | %d | %d | %.1f |\n", name, state, times, recovered, slowest.Seconds())
	file, err := os.OpenFile("/lab/out/faults.md", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = file.WriteString(line)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		t.Error(err)
	}
}

// suffer brings the gateway into a state, causes a fault, mends it, and returns how long it then
// takes until everything is well.
func (g *gateway) suffer(f fault, state central.Status) time.Duration {
	g.t.Helper()
	g.enter(state)
	from, pid := g.journal.mark(g.t, g.t.Name()), g.pid()
	defer func() {
		if f.after != nil {
			f.after(g)
		}
	}()
	f.do(g)
	begin := time.Now()
	if f.broken != nil {
		waitFor(g.t, fmt.Sprintf("journal entry with %q", f.broken), patience, func() error { return g.tells(from, f.broken) })
	}
	g.staysWell(f.lasts, state, from)
	if f.mend != nil {
		f.mend(g)
		begin = time.Now()
	}
	if !f.frozen {
		thaw(g.t)
	}
	waitFor(g.t, "all is well again", 2*patience, func() error { return g.isWell(f, state, from) })
	took := time.Since(begin)
	waitAdvertising(g.t)
	if now := g.pid(); (now != pid) != f.ends {
		g.t.Errorf("the daemon was process %s and is process %s; does the fault end it: %v", pid, now, f.ends)
	}
	for _, matches := range [][]string{f.broken, f.over} {
		if told := g.journal.all(from, matches); matches != nil && len(told) != 1 && !f.many {
			g.t.Errorf("%d entries of the journal have %q, want one: %q", len(told), matches, told)
		}
	}
	g.t.Logf("well again after %s", took)
	return took
}

// staysWell checks for a time that the gateway stays in a state, advertises, and shows no status.
func (g *gateway) staysWell(limit time.Duration, state central.Status, from int) {
	g.t.Helper()
	for begin := time.Now(); time.Since(begin) < limit; {
		time.Sleep(min(5*time.Second, limit))
		err := errors.Join(g.statusIs(state), g.advertises(1))
		if err == nil && state == connected {
			err = g.onNetwork()
		}
		entries := g.journal.since(from)
		if i := slices.IndexFunc(entries, entry.showsStatus); err == nil && state != connecting && i >= 0 {
			err = fmt.Errorf("the journal tells: %s", entries[i])
		}
		if err != nil {
			g.t.Errorf("%s into the fault: %v", time.Since(begin), err)
			return // it is to be mended
		}
		waitAdvertising(g.t)
	}
}

// isWell returns nil if all is as it should be after a fault.
func (g *gateway) isWell(f fault, state central.Status, from int) error {
	if err := g.tellsOver(f, from); err != nil {
		return err
	}
	if err := g.advertises(1 + g.leaked); err != nil {
		return err
	}
	if state == idle {
		return g.statusIs(idle)
	}
	if state == connecting || f.drops {
		if err := g.tells(from, back); err != nil {
			return err
		}
	}
	return g.onNetwork()
}

// onNetwork returns nil if the gateway is CONNECTED, and online by one of the
// access points.
func (g *gateway) onNetwork() error {
	if err := g.statusIs(connected); err != nil {
		return err
	}
	if g.online(1) == nil {
		return nil
	}
	return g.online(2)
}

// enter brings the gateway into a state from which a fault is tried.
func (g *gateway) enter(state central.Status) {
	g.t.Helper()
	if state == idle {
		waitFor(g.t, "IDLE", patience, func() error { return errors.Join(g.statusIs(idle), g.advertises(1)) })
		return
	}
	thaw(g.t) // a fault before may have failed
	waitFor(g.t, "CONNECTED", 2*patience, func() error { return errors.Join(g.onNetwork(), g.advertises(1)) })
	if state == connecting {
		freeze(g.t)
		supplicant(g.t, "Disconnect", nil)
		waitFor(g.t, "CONNECTING", patience, func() error { return g.statusIs(connecting) })
	}
}

// freeze makes the access point on radio 1 deaf: it answers nobody and still sends beacons, which
// are the kernel's work. So an attempt to join it lasts.
func freeze(t testing.TB) {
	t.Helper()
	systemctl(t, "kill", "--signal=STOP", radio(1).unit())
}

func thaw(t testing.TB) {
	t.Helper()
	_, _ = try("systemctl", "kill", "--signal=CONT", radio(1).unit()) // it may be off
}

// statusIs returns nil if that is the last status that the journal shows.
func (g *gateway) statusIs(want central.Status) error {
	entries := g.journal.since(g.first)
	for i := len(entries) - 1; i >= 0; i-- {
		if e := entries[i]; e.showsStatus() {
			if e["WIFIPROVD_STATUS"] == want.String() {
				return nil
			}
			return fmt.Errorf("%s, want %s", e["MESSAGE"], want)
		}
	}
	return fmt.Errorf("no status was shown, want %s", want)
}

// tells returns nil if the journal has an entry with the matches from an index on.
func (g *gateway) tells(from int, matches []string) error {
	if _, i := g.journal.find(from, matches); i < 0 {
		return fmt.Errorf("no entry of the journal has %q", matches)
	}
	return nil
}

// tellsOver returns nil if the journal tells, from an index on, that the fault is over, and not
// later that it is there again.
func (g *gateway) tellsOver(f fault, from int) error {
	if f.over == nil {
		return nil
	}
	err := g.tells(from, f.over)
	for _, e := range g.journal.since(from) {
		switch {
		case e.has(f.over):
			err = nil
		case f.broken != nil && e.has(f.broken):
			err = fmt.Errorf("no entry of the journal has %q after %q", f.over, e["MESSAGE"])
		}
	}
	return err
}
