package gateway

import (
	"fmt"
	"time"
)

// Access is when phones may find and provision the gateway: bluetooth.access of the
// configuration. Whatever it is, a person at the gateway can open a window for a while.
type Access uint8

// The kinds of access, by the names that the configuration has for them.
const (
	AccessAlways  Access = iota // always
	AccessOffline               // offline: while the gateway has no network that it can use
	AccessWindow                // window: in a window that a person has opened, and never else
)

var accessNames = [...]string{"always", "offline", "window"}

// String returns the name that ParseAccess takes.
func (a Access) String() string { return name(accessNames[:], int(a)) }

// ParseAccess returns the access called name: always, offline or window.
func ParseAccess(name string) (Access, error) {
	for a, n := range accessNames {
		if n == name {
			return Access(a), nil
		}
	}
	return AccessAlways, fmt.Errorf("unknown access %q; use always, offline or window", name)
}

// Closed says for a person why phones cannot find the gateway, when that is meant.
func (a Access) Closed() string {
	if a == AccessWindow {
		return "closed until somebody opens it: the button, or wifiprovctl open (bluetooth.access: window)"
	}
	return "closed while the gateway is online (bluetooth.access: offline)"
}

// How long a window may be open.
const (
	ShortestWindow = 10 * time.Second
	LongestWindow  = time.Hour
)

// MayWrite reports whether what phones write is taken: with AccessWindow only in a window.
func (s *Snapshot) MayWrite() bool { return s.Open || s.Access != AccessWindow }

// MayRead reports whether phones are answered at all: also one that waits for how its
// attempt ends, after the window.
func (s *Snapshot) MayRead() bool { return s.MayWrite() || s.Leaving }
