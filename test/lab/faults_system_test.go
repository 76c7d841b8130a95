//go:build lab

package lab

import (
	"fmt"
	"testing"
	"time"
)

const processEnded = unit + ": Main process exited, code=killed, status=9/KILL"

var systemFaults = []fault{
	{name: "daemon killed", do: kill(unit), broken: processEnded, over: advertising, drops: true, short: elsewhere},
	{name: "daemon killed 10 times in a row", do: killDaemonAgain, broken: processEnded, over: advertising, drops: true, many: true, long: true},
	{name: "daemon hangs until the watchdog", do: func(g *gateway) { systemctl(g.t, "kill", "--signal=STOP", unit) },
		broken: unit + ": Watchdog timeout", over: advertising, drops: true, long: true},
	{name: "message bus restarted", do: restartBus, after: restartNetworkd, broken: "wifiprovd ends: the connection to the message bus is lost", over: advertising, drops: true, long: true},
	{name: "clock 20 years ahead and back", do: func(g *gateway) { jump(g.t, 20) }, mend: func(g *gateway) { jump(g.t, -20) }},
	{name: "clock 20 years back and ahead", do: func(g *gateway) { jump(g.t, -20) }, mend: func(g *gateway) { jump(g.t, 20) }, short: elsewhere},
}

// killDaemonAgain kills the daemon more often than systemd's usual limit of starts
// allows, each time as soon as it runs. It returns when systemd has it up again.
func killDaemonAgain(g *gateway) {
	last := ""
	for range 10 {
		waitFor(g.t, "the daemon runs", patience, func() error {
			if pid := g.pid(); pid == "0" || pid == last {
				return fmt.Errorf("main process %s", pid)
			}
			return nil
		})
		last = g.pid()
		systemctl(g.t, "kill", "--signal=KILL", unit)
	}
	waitFor(g.t, "the daemon is up", patience, func() error {
		state, err := try("systemctl", "is-active", unit)
		if pid := g.pid(); err == nil && (pid == "0" || pid == last) {
			err = fmt.Errorf("%s, main process %s", state, pid)
		}
		return err
	})
	for left := byte(2); left <= 5; left++ {
		if g.advertises(left) == nil {
			// BlueZ watches a program only once it has registered (src/advertising.c, add_adv_callback): the instance
			// of one that ends before is not freed.
			g.t.Logf("BlueZ keeps %d instances of daemons that were killed as they registered", left-1)
			systemctl(g.t, "restart", bluetoothd)
			return
		}
	}
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

// jump sets the clock.
func jump(t testing.TB, years int) {
	t.Helper()
	run(t, "date", "--set", time.Now().AddDate(years, 0, 0).UTC().Format("2006-01-02 15:04:05 UTC"))
}
