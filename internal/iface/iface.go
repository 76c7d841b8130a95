// Package iface finds the network interface that joins networks.
package iface

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Auto, in place of a name, has the interface be found.
const Auto = "auto"

// Finder knows the interface. Its methods may be called from any goroutine.
type Finder struct {
	fixed string // empty: it is found
	log   *slog.Logger
	list  func() ([]device, error)
	ready func(index uint32) bool // udev is done with it
	// Changed is called when Find will answer otherwise than before. It must return at once,
	// without a call of the Finder. It may be set before the first Find.
	Changed func()

	mu      sync.Mutex
	chosen  device // the zero value: none
	gone    string // the name of the one before, while there is none
	missing string // why there is none, as Find told last
	pending uint32 // the interface that udev is busy with
	since   time.Time
}

// New returns a Finder of the interface of this name, or with Auto of the first that is a
// station: by the number of its radio, then by its own, so that a second interface of a radio
// comes after the one that its driver made. A hotspot, a mesh point or a monitor is none.
func New(name string, log *slog.Logger) *Finder {
	f := &Finder{log: log, list: list, ready: ready, Changed: func() {}}
	if name != Auto {
		f.fixed = name
	}
	return f
}

// Find returns the name of the interface or, if there is none, what is there and why it is not
// used. A name that is fixed is returned whether the interface is there or not. One that was
// found stays the interface as long as it exists, whatever it is called or becomes.
func (f *Finder) Find() (name, missing string) {
	if f.fixed != "" {
		return f.fixed, ""
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	all, err := f.list()
	if err != nil {
		if f.chosen.name != "" {
			return f.chosen.name, "" // nothing says that it is gone
		}
		return "", fmt.Sprintf("the kernel does not list its Wi-Fi interfaces: %v", err)
	}
	before, told := f.chosen, f.missing
	var passed []string
	f.chosen, passed = choose(all, before)
	f.missing = ""
	switch now := f.chosen; {
	case now.name == "" && len(passed) == 0:
		f.missing = "there is no Wi-Fi interface"
	case now.name == "":
		f.missing = "there is no Wi-Fi interface that can join networks: " + strings.Join(passed, ", ")
	case now.index != before.index && f.isPending(now.index):
		f.chosen, f.missing = device{}, cmp.Or(told, now.name+" is new; udev is setting it up") // soon over: no news
	case now.index != before.index:
		why := "the first Wi-Fi interface that is a station"
		if len(passed) > 0 {
			why += "; " + strings.Join(passed, ", ")
		}
		f.log.Info(fmt.Sprintf("%s is used: %s", now.name, why), "event", "interface", "interface", now.name)
	case now.name != before.name:
		f.log.Info(fmt.Sprintf("%s is now called %s", before.name, now.name), "event", "interface", "interface", now.name)
	}
	f.gone = gone(f.gone, before.name, f.chosen.name)
	if f.gone != "" && f.missing != told {
		f.missing = f.gone + " is gone; " + f.missing
	}
	if f.chosen != before || f.missing != told {
		f.Changed()
	}
	return f.chosen.name, f.missing
}

// gone returns the name of the interface that is missed now, empty if there is one.
func gone(missed, before, now string) string {
	switch {
	case now != "":
		return ""
	case before != "":
		return before
	}
	return missed
}

// udevWithin is how long udev may take.
const udevWithin = 10 * time.Second

// isPending reports whether udev is not done with an interface: it may rename it, and until then
// NetworkManager does not say whether it manages it.
func (f *Finder) isPending(index uint32) bool {
	if f.ready(index) {
		return false
	}
	if f.pending != index {
		f.pending, f.since = index, time.Now()
	}
	return time.Since(f.since) < udevWithin
}

// ready reports whether udev has put an interface into its database, or does not run
// (sd_device_get_is_initialized(3)).
func ready(index uint32) bool {
	if _, err := os.Stat("/run/udev/control"); err != nil {
		return true
	}
	_, err := os.Stat(fmt.Sprintf("/run/udev/data/n%d", index))
	return err == nil
}

// Name returns the name of the interface as Find does, empty if there is none.
func (f *Finder) Name() string {
	name, _ := f.Find()
	return name
}

// device is an interface of a Wi-Fi radio.
type device struct {
	name  string
	radio uint32 // its number
	index uint32
	kind  uint32 // NL80211_IFTYPE_*
}

// kinds has names for what an interface may be other than a station (linux/nl80211.h, enum
// nl80211_iftype).
var kinds = map[uint32]string{
	unix.NL80211_IFTYPE_ADHOC:      "in an ad-hoc network",
	unix.NL80211_IFTYPE_AP:         "an access point",
	unix.NL80211_IFTYPE_AP_VLAN:    "a VLAN of an access point",
	unix.NL80211_IFTYPE_MONITOR:    "a monitor",
	unix.NL80211_IFTYPE_MESH_POINT: "a mesh point",
	unix.NL80211_IFTYPE_P2P_CLIENT: "for Wi-Fi Direct",
	unix.NL80211_IFTYPE_P2P_GO:     "for Wi-Fi Direct",
}

// choose returns the device that was chosen before, if it is still there, else the first
// station, and what those before it are. That an interface is a station proves that its driver
// can be one: the kernel gives it no type that the radio has not.
func choose(all []device, before device) (chosen device, passed []string) {
	slices.SortFunc(all, func(a, b device) int {
		return cmp.Or(cmp.Compare(a.radio, b.radio), cmp.Compare(a.index, b.index))
	})
	for _, d := range all {
		if d.index == before.index {
			return d, nil
		}
	}
	for _, d := range all {
		if d.kind == unix.NL80211_IFTYPE_STATION {
			return d, passed
		}
		kind, known := kinds[d.kind]
		if !known {
			kind = fmt.Sprintf("of type %d", d.kind)
		}
		passed = append(passed, d.name+" is "+kind)
	}
	return device{}, passed
}
