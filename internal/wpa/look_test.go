package wpa

import (
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// TestLook scans once ahead of a Join, which then needs no scan of its own.
func TestLook(t *testing.T) {
	r := newRig(t)
	r.Air(lab())
	r.Look(t.Context())
	r.Look(t.Context()) // a moment later: nothing
	if n := len(r.Calls("Scan")); n != 1 {
		t.Fatalf("%d scans, want 1", n)
	}
	if _, err := r.join(t, credentials(testPassphrase, wifi.WPA2PSK), 0); err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	r.looked = r.looked.Add(-lookPause)
	r.mu.Unlock()
	r.Look(t.Context()) // joined: nothing
	if n := len(r.Calls("Scan")); n != 1 {
		t.Errorf("%d scans, want still 1", n)
	}
}

// TestLookFor calls a hidden network by its name ahead of a Join, which then needs
// no scan of its own; one that was heard lately needs no call.
func TestLookFor(t *testing.T) {
	r := newRig(t)
	hidden := lab()
	hidden.Hidden = true
	r.Air(hidden)
	r.Look(t.Context())
	r.LookFor(t.Context(), "lab")
	r.LookFor(t.Context(), "other") // a moment later: nothing
	if n := len(r.Calls("Scan")); n != 2 {
		t.Fatalf("%d scans, want 2", n)
	}
	if _, err := r.join(t, credentials(testPassphrase, wifi.WPA2PSK), 0); err != nil {
		t.Fatal(err)
	}
	if network, _ := r.Calls("AddNetwork")[0].Args[0].(map[string]any); network["scan_ssid"] != int32(1) {
		t.Errorf("scan_ssid %v, want 1", network["scan_ssid"])
	}
	r.mu.Lock()
	r.lookedFor = r.lookedFor.Add(-lookPause)
	r.mu.Unlock()
	r.LookFor(t.Context(), "lab") // heard lately: nothing
	if n := len(r.Calls("Scan")); n != 2 {
		t.Errorf("%d scans, want still 2", n)
	}
}
