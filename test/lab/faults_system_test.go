//go:build lab

package lab

import (
	"errors"
	"fmt"
	"time"
)

const processEnded = unit + ": Main process exited, code=killed, status=9/KILL"

var systemFaults = []fault{
	{name: "daemon killed", do: kill(unit), broken: processEnded, over: advertising, drops: true, ends: true, short: elsewhere},
	{name: "daemon killed 10 times in a row", do: killDaemonAgain, after: freeLeaked, broken: processEnded, over: advertising,
		drops: true, ends: true, many: true, long: true},
	{name: "daemon hangs until the watchdog", do: func(g *gateway) { systemctl(g.t, "kill", "--signal=STOP", unit) },
		broken: unit + ": Watchdog timeout", over: advertising, drops: true, ends: true, long: true},
	{name: "message bus restarted", do: restartBus, after: restartNetworkd, broken: "wifiprovd ends: the connection to the message bus is lost",
		over: advertising, drops: true, ends: true, long: true},
	{name: "clock 20 years ahead and back", do: jump(20), lasts: wrongClock, mend: jumpBack(20)},
	{name: "clock 20 years back and ahead", do: jump(-20), lasts: wrongClock, mend: jumpBack(-20), short: elsewhere},
}

// killDaemonAgain kills the daemon more often than systemd's usual limit of starts
// allows, each time as soon as it runs. It counts what bluetoothd keeps of these
// daemons: BlueZ watches a program only once it has registered (src/advertising.c,
// add_adv_callback), so the advertisement of one that ends before is not freed.
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

// freeLeaked makes bluetoothd forget what it keeps of killed daemons, for the faults
// that follow.
func freeLeaked(g *gateway) {
	if g.leaked == 0 {
		return
	}
	g.leaked = 0
	from := g.journal.mark(g.t, "bluetoothd is restarted, for its leak")
	systemctl(g.t, "restart", bluetoothd)
	waitFor(g.t, "advertising", patience, func() error { return errors.Join(g.tells(from, advertising), g.advertises(1)) })
}

// restartBus restarts dbus-daemon, with which all of its clients lose their
// connections; what the lab needs is started again.
func restartBus(g *gateway) {
	systemctl(g.t, "restart", "dbus.service")
	systemctl(g.t, "restart", "lab-bus.service")
}

// restartNetworkd brings systemd-networkd back to the bus, for the tests that follow: it
// does not connect again by itself.
func restartNetworkd(g *gateway) { systemctl(g.t, "restart", "systemd-networkd.service") }

// wrongClock is how long the clock is wrong: longer than the watchdog's limit of
// 30 s and several of its beats.
const wrongClock = 45 * time.Second

func jump(years int) func(*gateway) {
	return func(g *gateway) {
		run(g.t, "date", "--set", time.Now().AddDate(years, 0, 0).UTC().Format("2006-01-02 15:04:05 UTC"))
	}
}

// jumpBack sets the clock right after a jump, which must have lasted.
func jumpBack(years int) func(*gateway) {
	return func(g *gateway) {
		// Round takes the monotonic clock away, by which Since goes.
		off := time.Now().Round(0).Sub(g.begin.Round(0)) - time.Since(g.begin)
		if year := 365 * 24 * time.Hour; (off / year).Abs() < 19 {
			g.t.Fatalf("the clock is off by %s only: somebody has set it right", off)
		}
		jump(-years)(g)
	}
}
