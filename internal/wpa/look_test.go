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
