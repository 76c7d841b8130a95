//go:build lab

package lab

import (
	"errors"
	"fmt"
	"time"
)

// What systemd logs about a daemon that was killed (systemd src/core/unit.c,
// unit_log_process_exit), and about one that its watchdog ended (unit_log_failure).
var (
	processKilled = []string{"UNIT=" + unit, "EXIT_CODE=killed", "EXIT_STATUS=9"}
	watchdogEnded = []string{"UNIT=" + unit, "UNIT_RESULT=watchdog"}
)

var systemFaults = []fault{
	{name: "daemon killed", do: kill(unit), broken: processKilled, over: advertising, drops: true, ends: true, short: elsewhere},
	{name: "daemon killed 10 times in a row", do: killDaemonAgain, after: freeLeaked, broken: processKilled, over: advertising,
		drops: true, ends: true, many: true, long: true},
	{name: "daemon hangs until the watchdog", do: func(g *gateway) { systemctl(g.t, "kill", "--signal=STOP", unit) },
		broken: watchdogEnded, over: advertising, drops: true, ends: true, long: true},
	{name: "message bus restarted", do: restartBus, after: restartNetworkd, broken: event("ended", "PRIORITY=3", "MESSAGE~message bus"),
		over: advertising, drops: true, ends: true, long: true},
	{name: "clock 20 years ahead and back", do: jump(20), lasts: wrongClock, mend: jumpBack(20)},
	{name: "clock 20 years back and ahead", do: jump(-20), lasts: wrongClock, mend: jumpBack(-20), short: elsewhere},
}

// killDaemonAgain kills the daemon more often than systemd's default start limit allows, each time
// as soon as it runs. It counts the advertisements that bluetoothd keeps of these daemons: BlueZ
// watches a program only once its advertisement is registered (src/advertising.c,
// add_adv_callback), so it does not free that of a program that ends before.
func killDaemonAgain(g *gateway) {
	last := ""
	for range 10 {
		last = runsAnew(g.t, unit, last, false)
		kill(unit)(g)
	}
	waitFor(g.t, "systemd's pause before the next daemon", patience, func() error {
		if pid := g.pid(); pid != "0" {
			return fmt.Errorf("main process %s", pid)
		}
		return nil
	})
	time.Sleep(500 * time.Millisecond) // bluetoothd hears of the daemon's end, too
	leaked, err := instances(g.t)
	if err != nil {
		g.t.Fatal(err)
	}
	if pid := g.pid(); pid != "0" {
		g.t.Fatalf("process %s may have registered one of %d advertisements", pid, leaked)
	}
	g.leaked = leaked
	g.t.Logf("bluetoothd keeps %d advertisements of killed daemons", leaked)
}

// freeLeaked makes bluetoothd free what it keeps of killed daemons, for the faults that follow.
func freeLeaked(g *gateway) {
	if g.leaked == 0 {
		return
	}
	g.leaked = 0
	from := g.journal.mark(g.t, "bluetoothd is restarted, for its leak")
	systemctl(g.t, "restart", bluetoothd)
	waitFor(g.t, "advertising", patience, func() error { return errors.Join(g.tells(from, advertising), g.advertises(1)) })
}

// restartBus restarts dbus-daemon, with which all of its clients lose their connections, and then
// the lab's own client that does not come back by itself.
func restartBus(g *gateway) {
	systemctl(g.t, "restart", "dbus.service")
	systemctl(g.t, "restart", "lab-bus.service")
}

// restartNetworkd brings systemd-networkd back to the bus, for the tests that follow: it does not
// reconnect by itself.
func restartNetworkd(g *gateway) { systemctl(g.t, "restart", "systemd-networkd.service") }

// wrongClock is how long the clock is wrong: longer than the watchdog's 30 s and several of its
// beats.
const wrongClock = 45 * time.Second

func jump(years int) func(*gateway) {
	return func(g *gateway) {
		run(g.t, "date", "--set", time.Now().AddDate(years, 0, 0).UTC().Format("2006-01-02 15:04:05 UTC"))
	}
}

// jumpBack corrects the clock after a jump, if the jump has lasted until now.
func jumpBack(years int) func(*gateway) {
	return func(g *gateway) {
		// Round strips the monotonic clock, which Since uses.
		off := time.Now().Round(0).Sub(g.begin.Round(0)) - time.Since(g.begin)
		if year := 365 * 24 * time.Hour; (off / year).Abs() < 19 {
			g.t.Fatalf("the clock is off by %s only: somebody has corrected it", off)
		}
		jump(-years)(g)
	}
}
