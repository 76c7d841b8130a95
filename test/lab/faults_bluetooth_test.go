//go:build lab

package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/central"
)

const (
	hangs = 20 * time.Second // how long a neighbour hangs
	rows  = 20               // how often one restarts in a row
)

var (
	advertising  = event("advertising")
	noBluetoothd = notAdvertising("bluetoothd")
)

// notAdvertising matches the line that names what keeps the gateway from advertising.
func notAdvertising(culprit string) []string {
	return event("not-advertising", "PRIORITY=4", "MESSAGE~"+culprit)
}

var bluetoothFaults = []fault{
	{name: "bluetoothd restarted", do: restart(bluetoothd), broken: noBluetoothd, over: advertising, short: elsewhere},
	{name: "bluetoothd killed", do: kill(bluetoothd), broken: noBluetoothd, over: advertising,
		short: []central.Status{idle, connecting, connected}},
	{name: "bluetoothd hangs for 20 s", do: hang(bluetoothd), mend: resume(bluetoothd),
		broken: event("bluetoothd-silent", "PRIORITY=4"), over: event("bluetoothd-answers"), long: true},
	{name: "bluetoothd restarted 20 times in a row", do: inARow(bluetoothd, restart), broken: noBluetoothd, over: advertising, many: true, long: true},
	{name: "bluetoothd killed 20 times in a row", do: inARow(bluetoothd, kill), broken: noBluetoothd, over: advertising, many: true, long: true, states: onlyConnected},
	{name: "Bluetooth adapter unplugged and plugged in", do: func(g *gateway) { systemctl(g.t, "stop", "lab-btvirt") },
		mend: func(g *gateway) { systemctl(g.t, "start", "lab-btvirt") }, broken: notAdvertising("adapter"), over: advertising},
	{name: "Bluetooth adapter powered off by another program", do: powerOff, broken: notAdvertising(gatewayHCI), over: advertising},
	{name: "Bluetooth blocked by rfkill", do: func(g *gateway) { rfkill(g.t, bluetoothSwitch, true) },
		mend: func(g *gateway) { rfkill(g.t, bluetoothSwitch, false) }, broken: notAdvertising("rfkill"), over: advertising},
}

func restart(unit string) func(*gateway) { return func(g *gateway) { systemctl(g.t, "restart", unit) } }

func kill(unit string) func(*gateway) {
	return func(g *gateway) { systemctl(g.t, "kill", "--signal=KILL", unit) }
}

// hang stops a neighbour's process and waits for as long as it is to hang; resume lets it go on.
func hang(unit string) func(*gateway) {
	return func(g *gateway) {
		systemctl(g.t, "kill", "--signal=STOP", unit)
		time.Sleep(hangs)
	}
}

func resume(unit string) func(*gateway) {
	return func(g *gateway) { systemctl(g.t, "kill", "--signal=CONT", unit) }
}

// inARow makes a neighbour fail again and again, each time as soon as its next process is up.
func inARow(neighbour string, once func(unit string) func(*gateway)) func(*gateway) {
	return func(g *gateway) {
		last := ""
		for range rows {
			last = runsAnew(g.t, neighbour, last, true)
			once(neighbour)(g)
		}
		waitFor(g.t, neighbour+" has ended once more", patience, func() error {
			if mainPID(g.t, neighbour) == last {
				return errors.New("process " + last + " runs")
			}
			return nil
		})
	}
}

func powerOff(g *gateway) {
	err := bus(g.t).Object("org.bluez", "/org/bluez/"+gatewayHCI).SetProperty("org.bluez.Adapter1.Powered", dbus.MakeVariant(false))
	if err != nil {
		g.t.Fatal(err)
	}
}

// bluetoothSwitch and wifiSwitch are the radios' soft blocks (Linux,
// Documentation/ABI/stable/sysfs-class-rfkill).
const (
	bluetoothSwitch = "/sys/class/bluetooth/" + gatewayHCI + "/rfkill*/soft"
	wifiSwitch      = "/sys/class/net/" + wlan + "/phy80211/rfkill*/soft"
)

// rfkill blocks or unblocks a radio.
func rfkill(t testing.TB, pattern string, block bool) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err == nil && len(files) != 1 {
		err = fmt.Errorf("%s is %d files", pattern, len(files))
	}
	if err == nil {
		value := "0"
		if block {
			value = "1"
		}
		err = os.WriteFile(files[0], []byte(value), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestInstancesTaken: another program takes every advertising instance while the daemon is stopped,
// and later gives them back.
func TestInstancesTaken(t *testing.T) {
	g := start(t, situation{})
	g.enter(idle)
	from := g.journal.mark(t, t.Name())
	systemctl(t, "stop", unit)
	other, err := dbus.ConnectSystemBus()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	taken := 0
	for ; ; taken++ {
		path := dbus.ObjectPath(fmt.Sprintf("/other/advertisement%d", taken))
		if err := registerOther(other, path); err != nil {
			var e dbus.Error
			if !errors.As(err, &e) || e.Name != "org.bluez.Error.NotPermitted" {
				t.Fatal(err)
			}
			break
		}
	}
	t.Logf("another program has %d advertisements", taken)
	systemctl(t, "start", "--no-block", unit)
	broken := notAdvertising("advertisement")
	waitFor(t, fmt.Sprint(broken), patience, func() error { return g.tells(from, broken) })
	begin := time.Now()
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "advertising", patience, func() error { return errors.Join(g.tells(from, advertising), g.advertises(1)) })
	took := time.Since(begin)
	if n := len(g.journal.all(from, broken)); n != 1 {
		t.Errorf("%d lines say that it is broken", n)
	}
	reportFault(t, "all advertising instances taken by another program", idle, 1, 1, took)
	newPhone(t, "", nil).find()
}

// registerOther registers an advertisement of another program.
func registerOther(conn *dbus.Conn, path dbus.ObjectPath) error {
	properties := map[string]dbus.Variant{"Type": dbus.MakeVariant("peripheral"), "LocalName": dbus.MakeVariant("other")}
	all := func(string) (map[string]dbus.Variant, *dbus.Error) { return properties, nil }
	if err := conn.ExportMethodTable(map[string]any{"GetAll": all}, path, "org.freedesktop.DBus.Properties"); err != nil {
		return err
	}
	return conn.Object("org.bluez", "/org/bluez/"+gatewayHCI).
		Call("org.bluez.LEAdvertisingManager1.RegisterAdvertisement", 0, path, map[string]dbus.Variant{}).Err
}

// TestOtherAgent: another program makes its agent the default one, which BlueZ announces to nobody.
// A phone pairs with the daemon's passkey all the same: at its first try if the daemon has checked
// since, which it does every 15 s, and at its second try if not.
func TestOtherAgent(t *testing.T) {
	for _, c := range []struct {
		name  string
		wait  time.Duration
		tries int
	}{
		{"another program's agent made the default", 20 * time.Second, 1},
		{"another program's agent made the default as a phone pairs", 0, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := start(t, situation{config: map[string]string{"bluetooth.security": "authenticated"}})
			g.enter(idle)
			p := newPhone(t, "KeyboardOnly", g.passkey)
			p.find()
			makeOtherDefault(t)
			begin, from, tries := time.Now(), g.journal.mark(t, "another default agent"), 1
			time.Sleep(c.wait)
			p.find()
			p.mayConnect()
			for err := p.central.Pair(p.deadline(), p.gateway); err != nil; tries++ {
				if tries == c.tries {
					t.Fatalf("try %d: %v", tries, err)
				}
				t.Logf("try %d: %v", tries, err)
				waitGone(t, adapterAddress(t, phoneHCI))
				p.mayConnect()
				err = p.central.Pair(p.deadline(), p.gateway)
			}
			reportFault(t, c.name, idle, 1, 1, time.Since(begin))
			g.showedPasskey(from, adapterAddress(t, phoneHCI))
			g.event("bonded")
			p.connect()
			p.status()
		})
	}
}

// makeOtherDefault makes another program's agent the default one until the test ends.
func makeOtherDefault(t testing.TB) {
	t.Helper()
	other, err := dbus.ConnectSystemBus()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	const path = dbus.ObjectPath("/other/agent")
	manager := other.Object("org.bluez", "/org/bluez")
	err = errors.Join(
		manager.Call("org.bluez.AgentManager1.RegisterAgent", 0, path, "NoInputNoOutput").Err,
		manager.Call("org.bluez.AgentManager1.RequestDefaultAgent", 0, path).Err)
	if err != nil {
		t.Fatal(err)
	}
}
