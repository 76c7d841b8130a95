package wpa

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// TestManyAccessPoints: there are more of them than calls of one program may wait for
// an answer (dbus-daemon, max_replies_per_connection: 128), and ours is the last one.
func TestManyAccessPoints(t *testing.T) {
	r := newRig(t)
	for i := range 190 {
		r.Hear(time.Second, dbustest.AP{SSID: fmt.Sprintf("n%d", i), BSSID: [6]byte{2, 9, 0, 0, 1, byte(i)}, Frequency: 2412})
	}
	r.Hear(time.Second, lab())
	dev := r.view.Load().dev
	for range 5 {
		found, err := dev.heard(t.Context(), func(bss) bool { return true })
		if err != nil || len(found) != 191 {
			t.Fatalf("%d of 191 access points are found, %v", len(found), err)
		}
	}
}

// TestHintOnMissingChannel: where the network was last joined is a channel that the
// radio, or the country, does not have any more. It is found all the same.
func TestHintOnMissingChannel(t *testing.T) {
	r := newRig(t)
	r.Air(lab())
	r.LackChannel(5180)
	if _, err := r.join(t, credentials(testPassphrase, wifi.AutoDetect), 5180); err != nil {
		t.Error(err)
	}
	if n := len(r.Calls("RemoveInterface")); n > 0 {
		t.Errorf("the interface was reset %d times", n)
	}
}

// TestKilledInACall: wpa_supplicant ends in the middle of a call, and comes back. What
// is told first, the failed call or its end, is not known; both are tried by chance.
func TestKilledInACall(t *testing.T) {
	for _, method := range []string{"Scan", "AddNetwork", "SelectNetwork", "RemoveAllNetworks"} {
		t.Run(method, func(t *testing.T) {
			for range 5 {
				r := newRig(t)
				r.Air(lab())
				r.Hang(method)
				go func() {
					_ = r.until(t, func() bool { return len(r.Calls(method)) > 0 })
					r.Stop()
					r.Answer(method)
					r.Start()
				}()
				r.joined(t)
				r.stop()
			}
		})
	}
}

// TestLostRightAfterTheJoin: the radio goes as Join returns. Whoever has the link learns
// of it, however late it looks.
func TestLostRightAfterTheJoin(t *testing.T) {
	r := newRig(t)
	r.Air(lab())
	r.OnJoin(func() { r.Change(dbustest.Step{"State": "interface_disabled"}) })
	r.joined(t)
	r.isAvailable(t, "wlan0 is down")
	r.sees(t, func(o *owner) bool { return o.link == nil })
	if why := r.loss(t); !strings.Contains(why, "switched off") {
		t.Errorf("lost: %s", why)
	}
}

// TestNoPasswordForWhatTakesNone: a network without a password to ask for does not make
// a phone ask for one.
func TestNoPasswordForWhatTakesNone(t *testing.T) {
	for name, ap := range map[string]bss{
		"OWE": {ssid: "lab", rsn: with("OWE")}, "enterprise": {ssid: "lab", privacy: true, rsn: with("WPA-EAP")}, "WEP": {ssid: "lab", privacy: true},
	} {
		_, _, err := choose(wifi.Credentials{SSID: "lab", Security: wifi.AutoDetect}, []bss{ap}, &device{ciphers: common}, wifi.SAEUntried, false)
		if wifi.FailureOf(err) != wifi.FailureSecurityNotOffered {
			t.Errorf("%s: %v", name, err)
		}
	}
}
