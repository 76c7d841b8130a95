//go:build lab

package lab

import (
	"fmt"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/central"
)

var (
	lost   = showing(central.StatusProvisioned)
	apLost = showing(central.StatusProvisioned, "MESSAGE~access point")
	back   = showing(central.StatusConnected)
)

var onlyConnected = []central.Status{connected}

var apFaults = []fault{
	{name: "access point off and on", do: func(g *gateway) { radio(1).off(g.t) }, mend: func(g *gateway) { radio(1).on(g.t) }, short: elsewhere,
		broken: apLost, over: back, drops: true, states: onlyConnected},
	{name: "access point moves to another channel", do: moveAP, broken: apLost, over: back, drops: true, states: onlyConnected},
	{name: "access point gone in the middle of the handshake", do: goneMidHandshake, mend: func(g *gateway) { playHome(g.t, faultHome) },
		broken: apLost, over: back, drops: true, states: onlyConnected, long: true},
	{name: "password changed while connected, and back", do: otherPassword, mend: func(g *gateway) { playHome(g.t, faultHome) }, short: elsewhere,
		broken: showing(central.StatusFailed, "WIFIPROVD_REASON=wrong-password"), over: back, drops: true, states: onlyConnected},
	{name: "one of two access points of the name falls silent", do: oneOfTwoDies, frozen: true, after: otherOff,
		broken: lost, over: back, drops: true, states: onlyConnected},
}

// playHome restarts radio 1 as this access point.
func playHome(t testing.TB, ap AP) {
	t.Helper()
	radio(1).off(t)
	radio(1).play(t, ap)
	radio(1).on(t)
}

func otherOff(g *gateway) {
	thaw(g.t)
	radio(2).off(g.t)
}

func moveAP(g *gateway) {
	moved := faultHome
	if out, err := radio(1).hostapd("status"); err != nil {
		g.t.Fatal(err)
	} else if strings.Contains(out, "\nchannel=1\n") {
		moved.Channel = 11
	}
	playHome(g.t, moved)
}

func otherPassword(g *gateway) {
	changed := faultHome
	changed.Passphrase = "another faults passphrase"
	playHome(g.t, changed)
}

// goneMidHandshake takes the access point away while the gateway waits for its next message of the
// WPA2 handshake. The handshake lasts long enough only because the password is another one, to
// which the access point reacts after seconds.
func goneMidHandshake(g *gateway) {
	otherPassword(g)
	waitFor(g.t, "handshake", patience, func() error {
		if state := supplicantState(g.t); state != "4way_handshake" {
			return fmt.Errorf("wpa_supplicant is %q", state)
		}
		return nil
	})
	systemctl(g.t, "kill", "--signal=KILL", radio(1).unit())
}

func supplicantState(t testing.TB) string {
	var path dbus.ObjectPath
	conn := bus(t)
	const name = "fi.w1.wpa_supplicant1"
	if err := conn.Object(name, "/fi/w1/wpa_supplicant1").Call(name+".GetInterface", 0, wlan).Store(&path); err != nil {
		return err.Error()
	}
	value, err := conn.Object(name, path).GetProperty(name + ".Interface.State")
	if err != nil {
		return err.Error()
	}
	state, _ := value.Value().(string)
	return state
}

// oneOfTwoDies silences the gateway's access point while there is another one of the same name.
func oneOfTwoDies(g *gateway) {
	twin := faultHome
	twin.Channel = 6
	radio(2).play(g.t, twin)
	radio(2).on(g.t)
	freeze(g.t)
	supplicant(g.t, "Disconnect", nil)
}
