//go:build lab

package lab

import (
	"errors"
	"fmt"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// gapName is the GAP Device Name (Assigned Numbers, 3.8.1), which phones keep and show.
const gapName = "2a00"

func gatewayAdapter(t testing.TB) dbus.BusObject {
	t.Helper()
	return bus(t).Object("org.bluez", dbus.ObjectPath("/org/bluez/"+gatewayHCI))
}

func adapterText(t testing.TB, property string) string {
	t.Helper()
	value, err := gatewayAdapter(t).GetProperty("org.bluez.Adapter1." + property)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := value.Value().(string)
	return text
}

// TestGAPName reads the adapter's name as a phone does: it is the advertised one as long as the daemon
// runs, also after bluetoothd has restarted, and what it was before once the daemon has ended.
func TestGAPName(t *testing.T) {
	const name = "Boiler room 7"
	g := start(t, situation{config: map[string]string{"bluetooth.name": name}})
	check := func() {
		t.Helper()
		r := dialATT(t, phoneHCI, notEncrypted)
		defer r.leave()
		if value, err := r.read(gapName); err != nil || string(value) != name {
			t.Errorf("the GAP Device Name is %q, %v; want %q", value, err, name)
		}
	}
	check()
	g.from = g.journal.mark(t, "bluetoothd restarts")
	systemctl(t, "restart", bluetoothd)
	g.event("advertising")
	check()
	systemctl(t, "stop", unit)
	if alias, want := adapterText(t, "Alias"), adapterText(t, "Name"); alias != want {
		t.Errorf("without the daemon the adapter is called %q, want the host's name, %q", alias, want)
	}

	const owners = "the owner's own name"
	if err := gatewayAdapter(t).SetProperty("org.bluez.Adapter1.Alias", dbus.MakeVariant(owners)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = gatewayAdapter(t).SetProperty("org.bluez.Adapter1.Alias", dbus.MakeVariant(""))
	})
	g.start()
	check()
	systemctl(t, "stop", unit)
	if alias := adapterText(t, "Alias"); alias != owners {
		t.Errorf("without the daemon the adapter is called %q, want %q", alias, owners)
	}
}

// TestAdapterByAddress configures the other adapter by its address.
func TestAdapterByAddress(t *testing.T) {
	start(t, situation{stopped: true})
	g := start(t, situation{config: map[string]string{"bluetooth.adapter": `"` + adapterAddress(t, phoneHCI) + `"`}})
	g.event("advertising", "MESSAGE~on "+phoneHCI)
	out, err := asNobody(busctl("get-property", "Adapter")...)
	if want := fmt.Sprintf("s %q\n", phoneHCI); err != nil || out != want {
		t.Errorf("D-Bus shows %q, %v; want %q", out, err, want)
	}
}

// TestSubscriptionAcrossRestart: BlueZ forgets what a phone has subscribed to when the daemon ends. So
// the phone is disconnected, and subscribes again; it is not left waiting.
func TestSubscriptionAcrossRestart(t *testing.T) {
	home := AP{SSID: "home", Security: wifi.WPA2PSK, Passphrase: "a passphrase to subscribe"}
	for name, restart := range map[string][]string{
		"restarted": {"restart", unit},
		"killed":    {"kill", "--signal=KILL", unit},
	} {
		t.Run(name, func(t *testing.T) {
			g := start(t, situation{aps: []AP{home}})
			p := ready(t, true)
			g.from = g.journal.mark(t, name)
			systemctl(t, restart...)
			took := waitFor(t, "the phone is disconnected", patience, func() error {
				if deviceFlag(t, phoneHCI, p.gateway, "Connected") {
					return errors.New("it is connected")
				}
				return nil
			})
			t.Logf("disconnected after %s", took)
			g.event("advertising")
			p.connect()
			p.watch()
			p.provision(home.SSID, home.Passphrase, wifi.AutoDetect)
			p.expect(central.StatusConnecting, central.StatusConnected)
		})
	}
}
