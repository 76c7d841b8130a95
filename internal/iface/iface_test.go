package iface

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const (
	station = unix.NL80211_IFTYPE_STATION
	ap      = unix.NL80211_IFTYPE_AP
)

// finder returns a Finder with Auto, whose kernel lists what all points to, and its log.
func finder(all *[]device) (*Finder, *strings.Builder) {
	log := &strings.Builder{}
	f := New(Auto, slog.New(slog.NewTextHandler(log, nil)))
	f.list = func() ([]device, error) { return append([]device{}, *all...), nil }
	f.ready = func(uint32) bool { return true }
	return f, log
}

func TestFirstStation(t *testing.T) {
	for name, c := range map[string]struct {
		all           []device
		want, missing string
		log           string
	}{
		"none":              {nil, "", "there is no Wi-Fi interface", ""},
		"one":               {[]device{{"wlan0", 0, 3, station}}, "wlan0", "", "the first Wi-Fi interface that is a station"},
		"a hotspot":         {[]device{{"wlan0", 0, 3, ap}}, "", "wlan0 is an access point", ""},
		"after a mesh":      {[]device{{"wlan0", 0, 3, ap}, {"mesh0", 1, 4, unix.NL80211_IFTYPE_MESH_POINT}, {"wlan1", 2, 5, station}}, "wlan1", "", "wlan0 is an access point, mesh0 is a mesh point"},
		"by its radio":      {[]device{{"wlan1", 1, 3, station}, {"wlan0", 0, 9, station}}, "wlan0", "", "wlan0"},
		"second of a radio": {[]device{{"sta0", 0, 9, station}, {"wlan0", 0, 3, station}}, "wlan0", "", "wlan0"},
		"beside a hotspot":  {[]device{{"uap0", 0, 9, station}, {"wlan0", 0, 3, ap}}, "uap0", "", "wlan0 is an access point"},
		"others": {[]device{{"mon0", 0, 3, unix.NL80211_IFTYPE_MONITOR}, {"p2p0", 0, 4, unix.NL80211_IFTYPE_P2P_GO}, {"new0", 0, 5, 99}}, "",
			"mon0 is a monitor, p2p0 is for Wi-Fi Direct, new0 is of type 99", ""},
	} {
		f, log := finder(&c.all)
		got, missing := f.Find()
		if got != c.want || !strings.Contains(missing, c.missing) || (missing == "") != (c.missing == "") || !strings.Contains(log.String(), c.log) {
			t.Errorf("%s: got %q, %q, %s", name, got, missing, log)
		}
	}
}

// TestStays: the choice stays as long as the interface exists, and is told once.
func TestStays(t *testing.T) {
	all := []device{{"wlan0", 0, 3, ap}, {"wlan1", 1, 4, station}}
	f, log := finder(&all)
	check := func(what, want string, lines int) {
		t.Helper()
		if got := f.Name(); got != want || f.Name() != want {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
		if n := strings.Count(log.String(), "\n"); n != lines {
			t.Errorf("%s: %d lines in the journal, want %d:\n%s", what, n, lines, log)
		}
	}
	check("at first", "wlan1", 1)
	all[0].kind = station
	check("an earlier one can be used", "wlan1", 1)
	all[1].kind = ap
	check("it becomes a hotspot", "wlan1", 1)
	all[1].name = "wlp2s0"
	check("it gets another name", "wlp2s0", 2)
	all = all[:1]
	check("it goes", "wlan0", 3)
	all = nil
	check("all go", "", 3)
	if _, missing := f.Find(); missing != "wlan0 is gone; there is no Wi-Fi interface" {
		t.Errorf("all go: %q", missing)
	}
	all = []device{{"wlx0", 7, 9, station}}
	check("another one comes", "wlx0", 4)
	if _, missing := f.Find(); missing != "" {
		t.Errorf("another one comes: %q", missing)
	}
	f.list = func() ([]device, error) { return nil, errors.New("no buffer space") }
	check("the kernel does not say", "wlx0", 4)
	f.chosen = device{}
	if name, missing := f.Find(); name != "" || !strings.Contains(missing, "no buffer space") {
		t.Errorf("got %q, %q", name, missing)
	}
}

// TestNew: an interface is not used before udev is done with it, unless that takes too long, and
// not another one in its place.
func TestNew(t *testing.T) {
	all := []device{{"wlan0", 0, 3, station}, {"wlan1", 1, 4, station}}
	f, _ := finder(&all)
	changed, done := 0, false
	f.Changed = func() { changed++ }
	f.ready = func(index uint32) bool { return done || index != 3 }
	check := func(what, want string, changes int) {
		t.Helper()
		for range 2 {
			if got, missing := f.Find(); got != want || changed != changes || (got == "") != strings.Contains(missing, "wlan0 is new") {
				t.Errorf("%s: %q, %q, %d changes, want %d", what, got, missing, changed, changes)
			}
		}
	}
	check("new", "", 1)
	f.since = f.since.Add(-udevWithin)
	check("udev hangs", "wlan0", 2)
	f.chosen, f.pending = device{}, 0
	check("new again", "", 3)
	done, all[0].name = true, "wlp1s0"
	check("renamed", "wlp1s0", 4)
}

func TestFixed(t *testing.T) {
	f := New("eth7", slog.New(slog.DiscardHandler))
	f.list = func() ([]device, error) { t.Error("the kernel is asked"); return nil, nil }
	if name, missing := f.Find(); name != "eth7" || missing != "" {
		t.Errorf("got %q, %q", name, missing)
	}
}

func message(t testing.TB, attributes ...netlink.Attribute) genetlink.Message {
	t.Helper()
	data, err := netlink.MarshalAttributes(attributes)
	if err != nil {
		t.Fatal(err)
	}
	return genetlink.Message{Data: data}
}

func number(kind uint16, n byte) netlink.Attribute {
	return netlink.Attribute{Type: kind, Data: []byte{n, 0, 0, 0}} // little endian, as all that this runs on
}

func TestParse(t *testing.T) {
	wlan := message(t, number(unix.NL80211_ATTR_IFINDEX, 3), netlink.Attribute{Type: unix.NL80211_ATTR_IFNAME, Data: []byte("wlan0\x00")},
		number(unix.NL80211_ATTR_WIPHY, 1), netlink.Attribute{Type: unix.NL80211_ATTR_WDEV, Data: make([]byte, 8)}, number(unix.NL80211_ATTR_IFTYPE, ap))
	management := message(t, number(unix.NL80211_ATTR_WIPHY, 1), number(unix.NL80211_ATTR_IFTYPE, unix.NL80211_IFTYPE_P2P_DEVICE))
	got, err := parse([]genetlink.Message{wlan, management})
	if err != nil || len(got) != 1 || got[0] != (device{"wlan0", 1, 3, ap}) {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, m := range map[string]genetlink.Message{
		"cut off":      {Data: wlan.Data[:len(wlan.Data)-6]},
		"short number": message(t, netlink.Attribute{Type: unix.NL80211_ATTR_IFINDEX, Data: []byte{1}}),
	} {
		if _, err := parse([]genetlink.Message{m}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(message(f, number(unix.NL80211_ATTR_IFINDEX, 3), netlink.Attribute{Type: unix.NL80211_ATTR_IFNAME, Data: []byte("wlan0\x00")}).Data)
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := parse([]genetlink.Message{{Data: data}, {Data: data}})
		if err == nil {
			choose(all, device{})
		}
	})
}
