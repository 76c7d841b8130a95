// Package control is wifiprovd's own interface on the system bus: what the daemon is
// doing, as properties with change signals, and what root may ask for: Erase, Open, Close and
// Identify, and Claim and Reply for programs that answer phones. It has both sides: the
// daemon's Server, and Read, Open and Close for programs that ask. docs/dbus.md describes it.
package control

import (
	_ "embed"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

// Names on the bus. The number is the version of the interface: an incompatible change
// needs another one.
const (
	Name      = "io.github.wifiprovd1"
	Path      = dbus.ObjectPath("/io/github/wifiprovd1")
	Interface = Name

	errorBusy = Name + ".Error.Busy"
)

// answerTimeout is how long the bus or the daemon may take to answer.
const answerTimeout = 10 * time.Second

// introspection is generated from the table of properties: go test -update.
//
//go:embed io.github.wifiprovd1.xml
var introspection string

// Status is what a client reads: a field for each property, in the type that it has on
// the bus. What the daemon does not have, being of another version, is zero. All of it
// may hold anything: a network's name comes from the air, and a text from elsewhere.
type Status struct {
	Status, Phase, Message, Next string
	Since                        uint64 // microseconds since 1970
	SinceMonotonic               uint64 // microseconds of CLOCK_MONOTONIC
	Reason                       string
	ReasonCode                   byte // a wifi.Failure

	SSID      []byte // empty: no network is joined, and none was tried
	SSIDText  string
	BSSID     string // empty: no network is joined
	Frequency uint32 // MHz
	Signal    int32  // dBm
	AKM       string

	IPv4, IPv6, Gateway string

	Country       string // two letters; empty: not known
	WifiInterface string // such as wlan0; empty: there is none, or it is not known yet
	WifiBackend   string // wpa_supplicant or networkmanager; empty: not known yet

	Centrals           []string
	Advertising        bool
	Adapter            string
	AdvertisingMessage string

	Open   bool
	Window uint64 // microseconds of CLOCK_MONOTONIC; 0: nobody has opened one
	Access string

	Code         string // none, set or unreadable; empty: not known yet
	CodeRequired bool

	Version, Security string
}

// Joined reports whether a network is joined.
func (s *Status) Joined() bool { return s.BSSID != "" }

// SinceTime returns when the status began, by the clock as it was then.
func (s *Status) SinceTime() time.Time { return time.UnixMicro(int64(s.Since)) }

// For returns how long the status has lasted, whatever was done to the clock since.
func (s *Status) For() time.Duration {
	return max(0, monotonic()-time.Duration(s.SinceMonotonic)*time.Microsecond)
}

// WindowLeft returns how long the window stays open that a person has opened, 0 if there
// is none.
func (s *Status) WindowLeft() time.Duration {
	if s.Window == 0 {
		return 0
	}
	return max(0, time.Duration(s.Window)*time.Microsecond-monotonic())
}

// monotonic returns CLOCK_MONOTONIC, which all programs on the machine share.
func monotonic() time.Duration {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // cannot fail: clock_gettime(2)
	return time.Duration(now.Nano())
}
