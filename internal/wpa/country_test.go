package wpa

import (
	"reflect"
	"slices"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
)

// TestCountryAtRunTime: it is in force at once, what was heard before does not count, and
// a wpa_supplicant that starts anew is told again.
func TestCountryAtRunTime(t *testing.T) {
	r := newRig(t)
	r.Air(lab())
	if _, err := r.Scan(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := len(r.Requests())
	if err := r.SetCountry(t.Context(), "FR"); err != nil {
		t.Fatal(err)
	}
	set := dbustest.WPARequest{Method: "Set", Args: []any{ifaceIface, "Country", "FR"}}
	if got := r.Requests()[before:]; !reflect.DeepEqual(got, []dbustest.WPARequest{set}) {
		t.Errorf("asked %v", got)
	}
	if _, err := r.Scan(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := methods(r.Requests()[before:]); !slices.Contains(got, "Scan") {
		t.Errorf("heard nothing anew: %v", got)
	}
	r.Stop()
	r.isAvailable(t, "wpa_supplicant has ended")
	before = len(r.Requests())
	r.Start()
	r.isAvailable(t, "")
	if got := r.Requests()[before:]; !slices.ContainsFunc(got, func(q dbustest.WPARequest) bool { return reflect.DeepEqual(q, set) }) {
		t.Errorf("the one that started anew was asked %v", got)
	}
}
