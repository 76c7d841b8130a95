package wpa

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// prepared asks for scans ahead, one after the other, and waits until they are over.
func (r *rig) prepared(t *testing.T, ssids ...wifi.SSID) {
	t.Helper()
	for _, ssid := range ssids {
		r.Prepare(ssid)
		r.sees(t, func(o *owner) bool { return o.ahead.running == 0 })
	}
}

// later makes the owner believe that the last scans ahead were long ago.
func (r *rig) later() {
	r.inbox.post(func(o *owner) { o.ahead.looked, o.ahead.lookedFor = time.Time{}, time.Time{} })
}

// TestLook scans once ahead of a Join, which then needs no scan of its own.
func TestLook(t *testing.T) {
	r := newRig(t)
	r.Air(lab())
	r.prepared(t, "", "") // the second time a moment later: nothing
	if n := len(r.Calls("Scan")); n != 1 {
		t.Fatalf("%d scans, want 1", n)
	}
	if _, err := r.join(t, credentials(testPassphrase, wifi.WPA2PSK), 0); err != nil {
		t.Fatal(err)
	}
	r.later()
	r.prepared(t, "") // joined: nothing
	if n := len(r.Calls("Scan")); n != 1 {
		t.Errorf("%d scans, want still 1", n)
	}
	if n := strings.Count(r.log.String(), "event=scanned"); n != 1 {
		t.Errorf("%d scans are logged, want 1", n)
	}
}

// TestLookFor calls a hidden network by its name ahead of a Join, which then needs
// no scan of its own; one that was heard lately is looked for where that was.
func TestLookFor(t *testing.T) {
	r := newRig(t)
	hidden := lab()
	hidden.Hidden = true
	r.Air(hidden)
	r.prepared(t, "", "lab", "other") // the last a moment later: nothing
	if n := len(r.Calls("Scan")); n != 2 {
		t.Fatalf("%d scans, want 2", n)
	}
	if _, err := r.join(t, credentials(testPassphrase, wifi.WPA2PSK), 0); err != nil {
		t.Fatal(err)
	}
	if network, _ := r.Calls("AddNetwork")[0].Args[0].(map[string]any); network["scan_ssid"] != int32(1) {
		t.Errorf("scan_ssid %v, want 1", network["scan_ssid"])
	}
	r.later()
	r.prepared(t, "lab")
	want := map[string]any{"Type": "active", "AllowRoam": false, "Channels": [][]any{{uint32(2437), uint32(20)}}}
	if scans := r.scansAsked(); len(scans) != 3 || !reflect.DeepEqual(scans[2], want) {
		t.Errorf("scans %v, want a third: %v", scans, want)
	}
}

// TestIdle: a radio that has nothing to do scans now and then, and stops when a network is
// joined.
func TestIdle(t *testing.T) {
	r := newRig(t)
	r.Air(lab())
	if n := len(r.Calls("Scan")); n != 0 {
		t.Fatalf("%d scans, though they are switched off", n)
	}
	r.inbox.post(func(o *owner) { o.cfg.ScanIdle = true })
	if err := r.until(t, func() bool { r.later(); return len(r.Calls("Scan")) >= 3 }); err != nil {
		t.Fatal(err)
	}
	r.joined(t)
	r.sees(t, func(o *owner) bool { return o.ahead.running == 0 && o.ahead.idle.IsZero() })
	n := len(r.Calls("Scan"))
	time.Sleep(3 * testTimes.idlePause)
	if now := len(r.Calls("Scan")); now != n {
		t.Errorf("%d scans while a network is joined", now-n)
	}
}

// TestJoinCutsScans: a Join does not wait for a scan ahead if the network was heard in the
// last minutes.
func TestJoinCutsScans(t *testing.T) {
	r := newRig(t)
	r.Air(lab())
	r.prepared(t, "")
	r.later()
	r.SlowScans()
	r.Prepare("")
	if err := r.until(t, func() bool { return len(r.Calls("Scan")) == 2 }); err != nil {
		t.Fatal(err)
	}
	r.joined(t)
	if n := len(r.Calls("AbortScan")); n != 1 {
		t.Errorf("%d scans were aborted, want 1", n)
	}
}

// TestLookLate: a central that came before Wi-Fi could be used is prepared for when it
// can, once, and only if that is not long after.
func TestLookLate(t *testing.T) {
	r := newRig(t)
	r.Air(lab())
	off, on := state(stateDisabled), state("disconnected")
	for _, test := range []struct {
		name  string
		ago   time.Duration // when the central came; 0: none did
		scans int
	}{{"no central", 0, 0}, {"a moment ago", time.Second, 1}, {"that was done", 0, 1}, {"long ago", wantedFor, 1}} {
		r.Change(off)
		r.isAvailable(t, "wlan0 is down")
		if test.ago > 0 {
			r.prepared(t, "")
			r.inbox.post(func(o *owner) { o.ahead.wanted = o.ahead.wanted.Add(-test.ago) })
		}
		r.later()
		r.sees(t, func(*owner) bool { return true })
		r.Change(on)
		r.isAvailable(t, "")
		r.sees(t, func(o *owner) bool { return o.ahead.running == 0 })
		if n := len(r.Calls("Scan")); n != test.scans {
			t.Errorf("%s: %d scans, want %d", test.name, n, test.scans)
		}
	}
}

// TestLeaveEndsScans: whoever erases does not wait for a scan, ahead or on request.
func TestLeaveEndsScans(t *testing.T) {
	for name, scan := range map[string]func(*rig, context.Context) error{
		"ahead":            func(r *rig, _ context.Context) error { r.Prepare(""); return context.Canceled },
		"ahead, by name":   func(r *rig, _ context.Context) error { r.Prepare("lab"); return context.Canceled },
		"on a request":     func(r *rig, ctx context.Context) error { _, err := r.Scan(ctx); return err },
		"on two, in a row": func(r *rig, ctx context.Context) error { go r.Scan(ctx); _, err := r.Scan(ctx); return err },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.SlowScans()
			ended := make(chan error, 1)
			go func() { ended <- scan(r, t.Context()) }()
			if err := r.until(t, func() bool { return len(r.Calls("Scan")) > 0 }); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), scanWithin/2)
			defer cancel()
			if err := r.Leave(ctx); err != nil {
				t.Error(err)
			}
			if err := <-ended; err == nil {
				t.Error("a scan that was ended says that it was not")
			}
		})
	}
}
