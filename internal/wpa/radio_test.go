package wpa

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

func TestNoRadio(t *testing.T) {
	address := dbustest.Start(t)
	r := &rig{WPA: dbustest.StartWPA(t, address, "")}
	r.run(t, address)
	r.isAvailable(t, "is another wpa_supplicant or iwd using it")
	net := filepath.Join(r.sysfs, "class/net")
	if err := os.Rename(filepath.Join(net, "wlan0"), filepath.Join(net, "wlp2s0")); err != nil { // at once: the Client looks any time
		t.Fatal(err)
	}
	r.isAvailable(t, "there is no network interface wlan0; Wi-Fi interfaces here: wlp2s0")
	r.Radio("wlan0")
	r.isAvailable(t, "")
	r.Air(lab())
	r.joined(t)
	r.Radio("")
	r.isAvailable(t, "let go of wlan0")
	r.loss(t)
}

// TestInterfaceIsFound: the interface appears late, goes, and comes back under another name.
func TestInterfaceIsFound(t *testing.T) {
	address := dbustest.Start(t)
	r := &rig{WPA: dbustest.StartWPA(t, address, "")}
	r.Air(lab())
	r.finds("")
	r.run(t, address)
	r.isAvailable(t, "there is no Wi-Fi interface")
	r.Radio("wlx1")
	r.finds("wlx1")
	r.isAvailable(t, "")
	r.joined(t)
	r.finds("")
	r.Radio("")
	r.isAvailable(t, "let go of wlx1")
	r.loss(t)
	r.isAvailable(t, "there is no Wi-Fi interface")
	r.Radio("wlx2")
	r.finds("wlx2")
	r.isAvailable(t, "")
	if got := r.Client.view.Load().iface(); got != "wlx2" {
		t.Errorf("the interface is %q", got)
	}
	r.joined(t)
	var given []any
	for _, call := range r.Calls("CreateInterface") {
		given = append(given, call.Args[0].(map[string]any)["Ifname"])
	}
	if !slices.Equal(given, []any{"wlx1", "wlx2"}) {
		t.Errorf("wpa_supplicant was given %v", given)
	}
}

// TestInterfaceMoves: wpa_supplicant keeps an interface that is gone, as one that is down. The Client
// is told that there is another one now, and turns to it.
func TestInterfaceMoves(t *testing.T) {
	r := newRig(t)
	r.Air(lab())
	r.joined(t)
	r.Client.Look() // nothing has changed
	r.Change(dbustest.Step{"State": stateDisabled})
	r.isAvailable(t, "wlan0 is down")
	r.loss(t)
	r.Radio("wlx2")
	r.Set("State", "disconnected")
	r.finds("wlx2")
	r.Client.Look()
	for why := next(t, r.available); why != ""; why = next(t, r.available) {
		if !strings.Contains(why, "turning to wlx2") {
			t.Errorf("available: %q", why)
		}
	}
	r.joined(t)

	r.finds("")
	r.Client.Look()
	r.isAvailable(t, "there is no Wi-Fi interface")
	r.loss(t)
	r.Radio("wlx3")
	r.finds("wlx3") // nobody says so
	for why := next(t, r.available); why != ""; why = next(t, r.available) {
		t.Logf("available: %q", why)
	}
	r.joined(t)
}

func TestBlockedRadio(t *testing.T) {
	r := newRig(t)
	r.Air(lab())
	r.joined(t)
	for _, test := range []struct{ kind, detail string }{
		{"", "wlan0 is down; set it up with: ip link set wlan0 up"},
		{"soft", "rfkill unblock wifi"},
		{"hard", "hardware switch"},
	} {
		if test.kind != "" {
			dir := filepath.Join(r.sysfs, "class/net/wlan0/phy80211/rfkill0")
			if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, test.kind), []byte("1\n"), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		r.Change(dbustest.Step{"State": stateDisabled})
		r.isAvailable(t, test.detail)
		if test.kind == "" {
			r.loss(t)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		_, err := r.Join(ctx, wifi.Target{Credentials: credentials(testPassphrase, wifi.AutoDetect)})
		cancel()
		if wifi.FailureOf(err) != wifi.FailureHardware || !strings.Contains(err.Error(), test.detail) {
			t.Errorf("got %v", err)
		}
		r.Change(dbustest.Step{"State": "disconnected"})
		r.isAvailable(t, "")
	}
	r.joined(t)
}
