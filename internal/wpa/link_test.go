package wpa

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

func state(name string) dbustest.Step { return dbustest.Step{"State": name} }

func TestLost(t *testing.T) {
	for _, test := range []struct {
		name   string
		steps  []dbustest.Step
		detail string
	}{
		{"access point ends it", []dbustest.Step{{"DisconnectReason": int32(2)}, state("disconnected")}, "reason 2, authentication no longer valid"},
		{"out of reach", []dbustest.Step{{"DisconnectReason": int32(-4)}, state("disconnected"), state("scanning")}, "out of reach"},
		{"tries in vain to come back", []dbustest.Step{state("disconnected"), state("authenticating"), state("disconnected")}, "out of reach"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			r.Air(lab())
			r.joined(t)
			for _, step := range test.steps {
				r.Change(step)
			}
			if why := r.loss(t); !strings.Contains(why, test.detail) {
				t.Errorf("lost: %s, want %s", why, test.detail)
			}
			// Its network does not stay, and the loss is told once.
			if err := r.until(t, func() bool { return r.Networks() == 0 }); err != nil {
				t.Error(err)
			}
			r.Change(state("scanning"))
			r.joined(t)
			r.isQuiet(t)
		})
	}
}

// until waits until cond is true.
func (r *rig) until(t *testing.T, cond func() bool) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return ctx.Err()
		case <-tick.C:
			if cond() {
				tick.Stop()
				return nil
			}
		}
	}
}

// Rekeying and roaming are not a loss. What would tell of one is that the state
// stays away from completed; so each ends in a real loss, the only one told.
func TestNotLost(t *testing.T) {
	for name, steps := range map[string][]dbustest.Step{
		"group rekey":    {state("group_handshake"), state("completed")},
		"pairwise rekey": {state("4way_handshake"), state("completed")},
		"roaming":        {state("authenticating"), state("associating"), state("associated"), state("4way_handshake"), state("completed")},
		"back at once":   {{"DisconnectReason": int32(2)}, state("disconnected"), state("scanning"), state("completed")},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.Air(lab())
			r.joined(t)
			for range 10 {
				for _, step := range steps {
					r.Change(step)
				}
			}
			r.Change(dbustest.Step{"DisconnectReason": int32(23)})
			r.Change(state("disconnected"))
			if why := r.loss(t); !strings.Contains(why, "reason 23") {
				t.Errorf("lost: %s", why)
			}
			r.isQuiet(t)
		})
	}
}

// A rekeying that takes long does not count either: the connection stands.
func TestSlowRekey(t *testing.T) {
	now := time.Now()
	s, l := &station{state: "completed"}, &Link{}
	for _, state := range []string{"group_handshake", "4way_handshake", "associated"} {
		s.state = state
		if l.observe(s, now); !l.downSince.IsZero() {
			t.Errorf("down in state %s", state)
		}
	}
	s.state = "disconnected"
	l.observe(s, now)
	s.state = "4way_handshake"
	l.observe(s, now.Add(time.Hour))
	if !l.downSince.Equal(now) {
		t.Errorf("down since %v, want %v", l.downSince, now)
	}
}

// A Join or a Leave is not a loss of the connection before it.
func TestNotLostByLeaving(t *testing.T) {
	r := newRig(t)
	r.Air(lab())
	r.joined(t)
	r.joined(t)
	r.isOver(t, r.links[0])
	if err := r.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.isOver(t, r.links[1])
	r.joined(t)
	r.Change(dbustest.Step{"DisconnectReason": int32(23)})
	r.Change(state("disconnected"))
	if why := r.loss(t); !strings.Contains(why, "reason 23") {
		t.Errorf("lost: %s", why)
	}
	r.isQuiet(t)
}

func TestAdopt(t *testing.T) {
	for _, test := range []struct {
		name   string
		ssid   string
		proven bool
		before bool // the Client has joined before
		want   bool
	}{
		{"daemon restarted", "lab", true, false, true},
		{"not proven", "lab", false, false, false},
		{"another network", "other", true, false, false},
		{"not the first Join", "lab", true, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			address := dbustest.Start(t)
			r := &rig{WPA: dbustest.StartWPA(t, address, "wlan0")}
			r.Air(lab(), dbustest.AP{SSID: "other", Frequency: 2412})
			r.run(t, address)
			r.isAvailable(t, "")
			security, passphrase := wifi.AutoDetect, testPassphrase
			if test.ssid == "other" {
				passphrase = ""
			}
			cred := credentials(passphrase, security)
			cred.SSID = wifi.SSID(test.ssid)
			if _, err := r.join(t, cred, 0); err != nil {
				t.Fatal(err)
			}
			if !test.before {
				r.stop()
				r.run(t, address) // a second one, as after a restart
				r.isAvailable(t, "")
			}
			earlier := len(r.Requests())
			l, err := r.try(t, wifi.Target{Credentials: credentials(testPassphrase, wifi.AutoDetect), Proven: test.proven})
			if err != nil {
				t.Fatal(err)
			}
			if adopted := len(r.Requests()) == earlier; adopted != test.want {
				t.Errorf("adopted: %v, by %v", adopted, methods(r.Requests()[earlier:]))
			}
			if n, err := l.Network(t.Context()); err != nil || n.SSID != "lab" || n.FrequencyMHz != 2437 {
				t.Error(n, err)
			}
			r.Change(dbustest.Step{"DisconnectReason": int32(23)})
			r.Change(state("disconnected"))
			r.loss(t)
		})
	}
}

// Another program that selects its own network is named, not mistaken for success.
func TestOtherMaster(t *testing.T) {
	r := newRig(t)
	ap := lab()
	ap.Steps = append(steps(toHandshake), dbustest.Step{"State": "completed", "CurrentNetwork": dbus.ObjectPath("/fi/w1/wpa_supplicant1/Interfaces/0/Networks/9")})
	r.Air(ap)
	r.fails(t, credentials(testPassphrase, wifi.AutoDetect), wifi.FailureInternal, "another program")
}

// TestRoaming: the access point is another one, and the connection stands.
func TestRoaming(t *testing.T) {
	r := newRig(t)
	r.Air(lab())
	r.joined(t)
	l := r.links[0]
	other := lab()
	other.BSSID, other.Frequency = [6]byte{2, 0, 0, 0, 1, 1}, 5180
	for range 2 {
		r.Roam(other)
		select {
		case <-l.Roamed():
		case <-time.After(10 * time.Second):
			t.Fatal("roaming is not told")
		}
		if n, err := l.Network(t.Context()); err != nil || n.BSSID != formatMAC(other.BSSID[:]) || n.FrequencyMHz != 5180 {
			t.Errorf("the network is %+v, %v", n, err)
		}
		other.BSSID[5]++
	}
	other.BSSID[5]-- // where it is
	r.Roam(other)
	r.InterfaceSignal("ScanDone", false) // when it has arrived, so have those before
	r.sees(t, func(o *owner) bool { return !o.station.scanOK })
	if len(l.Roamed()) > 0 {
		t.Error("roaming is told of a connection that stayed where it was")
	}
	r.isQuiet(t)
}

// TestJoinedBy: where the network allows WPA and WPA2, the access point decides.
func TestJoinedBy(t *testing.T) {
	psk := element{akms: []string{akmPSK}}
	for _, c := range []struct {
		says wifi.AKM
		bss  bss
		want wifi.AKM
	}{
		{"WPA2-PSK+WPA-PSK", bss{rsn: psk, wpa: psk}, wifi.AKMPSK},
		{"WPA2-PSK+WPA-PSK", bss{wpa: psk}, wifi.AKMWPAPSK},
		{"SAE", bss{rsn: psk}, wifi.AKMSAE},
	} {
		if got := joinedBy(c.says, c.bss); got != c.want {
			t.Errorf("%s with %+v: %s, want %s", c.says, c.bss, got, c.want)
		}
	}
}
