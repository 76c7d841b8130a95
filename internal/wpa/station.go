package wpa

import (
	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/nm"
	"github.com/wifiprovd/wifiprovd/internal/verdict"
)

// stateDisabled is the State of an interface that is set down or blocked by rfkill.
const stateDisabled = "interface_disabled"

// station is what wpa_supplicant has told of the interface since it took it over. It
// belongs to the owner.
type station struct {
	dev      *device
	state    string          // wpa_supplicant's State
	current  dbus.ObjectPath // its CurrentNetwork; empty: not told yet
	reason   int32           // the last DisconnectReason
	radio    string          // why the radio cannot be used; empty: it can
	scanDone dbus.Sequence   // the last ScanDone's place among the signals
	scanOK   bool            // its scan has succeeded

	incomplete *change  // a change that does not tell which network it is about
	attempt    *attempt // to connect, that runs

	// Who selects a network? wpa_supplicant gives the number of a network that was
	// removed to the next one, so that a path alone does not tell ours from others'.
	mine  dbus.ObjectPath // the running Join's network; empty: it has none
	none  dbus.Sequence   // when our network was last removed; older signals may refer to it
	taken bool            // another program has selected its own network since the Join began
}

// attempt is an attempt to connect to the network at a path.
type attempt struct {
	verdict.Attempt
	network dbus.ObjectPath
	since   dbus.Sequence // when the network was added; older signals are about another one
	removed bool          // from wpa_supplicant, by another program

	// With NetworkManager:
	active  dbus.ObjectPath // the activation; empty: not known yet
	running bool            // it has begun
	taken   bool            // another one has begun in its place
}

// activation takes in what NetworkManager says of the interface.
func (a *attempt) activation(d nm.Device) {
	switch {
	case a.active == "":
	case d.Active == a.active:
		a.running = true
	case a.running:
		a.removed, a.taken = d.Active == "", d.Active != ""
	}
}

// change is what one signal says about the interface.
type change struct {
	verdict.Change
	at      dbus.Sequence   // its place among the signals
	network dbus.ObjectPath // CurrentNetwork; empty: not changed
	bss     dbus.ObjectPath // CurrentBSS; empty: not changed
}

// apply takes in a change.
func (s *station) apply(ch change) {
	if ch.Reason != nil {
		s.reason = *ch.Reason
	}
	if ch.State != "" {
		s.state = ch.State
	}
	if ch.network != "" {
		s.current = ch.network
	}
	if s.attempt != nil && ch.at > s.attempt.since {
		s.attempt.Observe(ch.Change)
	}
}

// selected notes that wpa_supplicant was told to turn to the network at path.
func (s *station) selected(path dbus.ObjectPath, at dbus.Sequence) {
	s.taken = s.taken || path != s.mine && at > s.none
}

// begin forgets what was selected before: no network of ours was in wpa_supplicant at
// this place among the signals, and a Join begins.
func (s *station) begin(at dbus.Sequence) { s.mine, s.none, s.taken = "", at, false }
