//go:build lab

package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/central"
)

// hangs is how long a neighbour hangs, and rows how often one restarts in a row.
const (
	hangs = 20 * time.Second
	rows  = 20
)

const (
	noBluetoothd = "not advertising: bluetoothd is not running"
	advertising  = "advertising as "
)

var bluetoothFaults = []fault{
	{name: "bluetoothd restarted", do: restart(bluetoothd), broken: noBluetoothd, over: advertising, short: elsewhere},
	{name: "bluetoothd killed", do: kill(bluetoothd), broken: noBluetoothd, over: advertising,
		short: []central.Status{idle, connecting, connected}},
	{name: "bluetoothd hangs for 20 s", do: hang(bluetoothd), mend: resume(bluetoothd),
		broken: "bluetoothd does not answer", over: "bluetoothd answers again", long: true},
	{name: "bluetoothd restarted 20 times in a row", do: inARow(restart(bluetoothd)), broken: noBluetoothd, over: advertising, many: true, long: true},
	{name: "bluetoothd killed 20 times in a row", do: inARow(kill(bluetoothd)), broken: noBluetoothd, over: advertising, many: true, long: true, states: onlyConnected},
	{name: "Bluetooth adapter unplugged and plugged in", do: func(g *gateway) { systemctl(g.t, "stop", "lab-btvirt") },
		mend: func(g *gateway) { systemctl(g.t, "start", "lab-btvirt") }, broken: "not advertising: there is no Bluetooth adapter", over: advertising},
	{name: "Bluetooth adapter powered off by another program", do: powerOff, broken: "not advertising: adapter hci0 was powered off", over: advertising},
	{name: "Bluetooth blocked by rfkill", do: func(g *gateway) { rfkill(g.t, bluetoothSwitch, true) },
		mend: func(g *gateway) { rfkill(g.t, bluetoothSwitch, false) }, broken: "not advertising: %srfkill", over: advertising},
}

func restart(unit string) func(*gateway) { return func(g *gateway) { systemctl(g.t, "restart", unit) } }

func kill(unit string) func(*gateway) {
	return func(g *gateway) { systemctl(g.t, "kill", "--signal=KILL", unit) }
}

// hang stops a neighbour's process for a time that is the fault itself; resume
// lets it go on.
func hang(unit string) func(*gateway) {
	return func(g *gateway) {
		systemctl(g.t, "kill", "--signal=STOP", unit)
		time.Sleep(hangs)
	}
}

func resume(unit string) func(*gateway) {
	return func(g *gateway) { systemctl(g.t, "kill", "--signal=CONT", unit) }
}

// inARow makes a neighbour fail again and again, each time as soon as it is up.
func inARow(once func(*gateway)) func(*gateway) {
	return func(g *gateway) {
		for range rows {
			waitFor(g.t, "the neighbours are up", patience, func() error {
				_, err := try("systemctl", "is-active", bluetoothd, supplicantd)
				return err
			})
			once(g)
		}
	}
}

func powerOff(g *gateway) {
	err := bus(g.t).Object("org.bluez", "/org/bluez/"+gatewayHCI).SetProperty("org.bluez.Adapter1.Powered", dbus.MakeVariant(false))
	if err != nil {
		g.t.Fatal(err)
	}
}

// bluetoothSwitch and wifiSwitch are where sysfs has what blocks a radio
// (Documentation/ABI/stable/sysfs-class-rfkill of the kernel).
const (
	bluetoothSwitch = "/sys/class/bluetooth/" + gatewayHCI + "/rfkill*/soft"
	wifiSwitch      = "/sys/class/net/" + wlan + "/phy80211/rfkill*/soft"
)

// rfkill blocks a radio, or unblocks it.
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

// TestInstancesTaken has another program take every advertising instance while
// the daemon is away for a moment, and give them back.
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
	const broken = "not advertising: register the advertisement: "
	waitFor(t, broken, patience, func() error { return g.tells(from, broken) })
	begin := time.Now()
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "advertising", patience, func() error { return errors.Join(g.tells(from, advertising), g.advertises(1)) })
	took := time.Since(begin)
	if n := len(g.linesLike(from, broken)); n != 1 {
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

// TestOtherAgent has another program make its agent the default one, which BlueZ
// tells nobody: a phone is paired with the daemon's passkey all the same, at its
// second try at the latest. When the first one begins, the daemon may not know yet
// that there is a phone.
func TestOtherAgent(t *testing.T) {
	g := start(t, situation{config: map[string]string{"bluetooth.security": "authenticated"}})
	g.enter(idle)
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
	p := newPhone(t, "KeyboardOnly", g.passkey)
	p.find()
	begin := time.Now()
	p.mayConnect()
	if err := p.central.Pair(p.deadline(), p.gateway); err != nil {
		t.Logf("the first try: %v", err)
		waitGone(t, adapterAddress(t, phoneHCI))
		p.pair()
	}
	reportFault(t, "another program's agent made the default", idle, 1, 1, time.Since(begin))
	if !strings.HasPrefix(g.logged(patience, "MESSAGE=bonded with *")["MESSAGE"], "bonded") {
		t.Error("no bond")
	}
}
