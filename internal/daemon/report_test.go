package daemon

import (
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/credstore"
	"github.com/wifiprovd/wifiprovd/internal/fsm"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// What operators are told: why, since when, what next, and which network; and
// their erase ends a central's attempt.
func TestOperators(t *testing.T) {
	b := start(t, credstore.Contents{})
	reported := func(phase fsm.Phase, status fsm.Status) Report {
		t.Helper()
		waitFor(t, "report of "+phase.String(), func() bool {
			r := b.report.Load()
			return r != nil && r.State.Phase == phase && r.State.Status == status
		})
		r := *b.report.Load()
		if r.Why == "" || r.Next == "" || r.Since.IsZero() {
			t.Errorf("%s is reported as %+v", phase, r)
		}
		return r
	}
	idle := reported(fsm.Resting, fsm.Idle)
	if err := b.Connect("A", creds("home")); err != nil {
		t.Fatal(err)
	}
	wait(t, b.air.joins, "join")
	if r := reported(fsm.Joining, fsm.Connecting); !r.Since.After(idle.Since) || r.Network != (wifi.Network{}) || *b.trying.Load() != "home" {
		t.Errorf("joining %q is reported as %+v", *b.trying.Load(), r)
	}
	b.air.out <- nil
	if r := reported(fsm.Online, fsm.Connected); r.Network.SSID != "home" || r.Network.FrequencyMHz != 2412 {
		t.Errorf("the network is reported as %+v", r.Network)
	}
	b.Addresses(atHome)
	waitFor(t, "report of the addresses", func() bool { return b.report.Load().Addresses == atHome })
	if err := b.Connect("A", creds("other")); err != nil {
		t.Fatal(err)
	}
	wait(t, b.air.joins, "join")
	if err := b.Erase(""); err != nil {
		t.Errorf("the operator's erase is answered %v", err)
	}
	if r := reported(fsm.Resting, fsm.Idle); r.Network != (wifi.Network{}) || r.Addresses.Bound() || r.Why != "everything was erased" {
		t.Errorf("erased, but the report is %+v", r)
	}
}
