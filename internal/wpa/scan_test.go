package wpa

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

func TestScan(t *testing.T) {
	r := newRig(t)
	ap := func(last byte, ssid string, signal int16, privacy bool, rsn ...string) dbustest.AP {
		return dbustest.AP{SSID: ssid, BSSID: [6]byte{2, 0, 0, 0, 2, last}, Frequency: 2412, Signal: signal, Privacy: privacy, RSN: rsn}
	}
	old := ap(9, "WPA1", -60, true)
	old.WPA = []string{"wpa-psk"}
	r.Air(
		ap(1, "home", -70, true, "wpa-psk"), ap(2, "home", -40, true, "wpa-psk", "sae"), ap(3, "", -30, true, "wpa-psk"),
		ap(4, "\x00\x00", -30, true, "wpa-psk"), ap(5, "open", -80, false), ap(6, "WPA3", -50, true, "sae"),
		ap(7, "WEP", -50, true), ap(8, "company", -50, true, "wpa-eap"), old,
		ap(10, "a\x1b[2J\"\xff", -90, true, "wpa-psk-sha256"),
	)
	r.Hear(time.Minute, ap(11, "gone", -50, false))
	want := []wifi.Offer{
		{SSID: "home", SignalDBm: -40, Security: wifi.WPAAutoPersonal, Joinable: true, Several: true},
		{SSID: "open", SignalDBm: -80, Security: wifi.Open, Joinable: true},
		{SSID: "WPA3", SignalDBm: -50, Security: wifi.WPA3SAE, Joinable: true},
		{SSID: "WEP", SignalDBm: -50, Security: wifi.AutoDetect},
		{SSID: "company", SignalDBm: -50, Security: wifi.AutoDetect},
		{SSID: "WPA1", SignalDBm: -60, Security: wifi.AutoDetect, Joinable: true},
		{SSID: "a\x1b[2J\"\xff", SignalDBm: -90, Security: wifi.WPA2PSKSHA256, Joinable: true},
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for range 2 {
		got, err := r.Scan(ctx)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, %v", got, err)
		}
	}
	if n := len(r.Calls("Scan")); n != 1 {
		t.Errorf("%d scans, want 1: the second one came a moment after the first", n)
	}
}

// TestScanWhileJoined looks around without leaving the network, and looks at it.
func TestScanWhileJoined(t *testing.T) {
	r := newRig(t)
	r.Air(lab())
	r.joined(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if got, err := r.Scan(ctx); err != nil || len(got) != 1 || got[0].SSID != "lab" {
		t.Errorf("got %v, %v", got, err)
	}
	if n, err := r.links[0].Network(ctx); err != nil || n.SSID != "lab" || n.SignalDBm != -50 { // of the join's scan
		t.Errorf("the network is %+v, %v", n, err)
	}
	if n, err := r.links[0].Network(ctx); err != nil || n.SSID != "lab" || n.SignalDBm != -42 {
		t.Errorf("the network is %+v, %v", n, err)
	}
	r.Fail("SignalPoll", "org.freedesktop.DBus.Error.Failed")
	if n, err := r.links[0].Network(ctx); err != nil || n.SignalDBm != -50 {
		t.Errorf("without the signal the network is %+v, %v", n, err)
	}
	if n := r.Networks(); n != 1 {
		t.Errorf("%d networks, want the joined one", n)
	}
	r.isQuiet(t)
}

func TestScanWithoutRadio(t *testing.T) {
	r := newRig(t)
	r.Air(lab())
	r.joined(t)
	r.Stop()
	r.isAvailable(t, "waiting")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var failure *wifi.Error
	if _, err := r.Scan(ctx); !errors.As(err, &failure) || failure.Failure != wifi.FailureHardware {
		t.Errorf("got %v", err)
	}
	if n, err := r.links[0].Network(ctx); err == nil {
		t.Errorf("without a radio the network is %+v", n)
	}
}
