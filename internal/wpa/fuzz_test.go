package wpa

import (
	"log/slog"
	"regexp"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

func addSeeds(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x03\x00\x09\x04home\x01\x09\x06\x00\x01\x02\x03\x04\x05\x02\x03\x09\x6c"))
	f.Add([]byte("\x01\x06\x0f\x01\x08\x0b\xff\x07wpa-psk\xff\x03sae"))
	f.Add([]byte("\x01\x06\x0f\x01\x08\x0b\xff\x07\x1b[2J\"\n\x00\xff\x03sae"))
	f.Add([]byte("\x04\x00\x00\x00\x02\x09\x07\x0b\x0a\x04\x10\x00\x00\xfe\x05\x01\x02"))
}

var mac = regexp.MustCompile(`^([0-9a-f]{2}(:[0-9a-f]{2}){5})?$`)

// FuzzBSS: whatever an access point makes wpa_supplicant say of it, it is read
// without a crash and described.
func FuzzBSS(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		v := dbustest.NewValues(data, "SSID", "BSSID", "Frequency", "Signal", "Age", "Privacy", "WPA", "RSN", "KeyMgmt", "sae", "wpa-psk")
		b := decodeBSS("/b", v.Properties())
		if !mac.MatchString(b.bssid) || b.frequency < 0 || b.frequency > 1<<16 || b.age < 0 || len(b.ssid) > wifi.MaxSSIDLen {
			t.Errorf("read as %+v", b)
		}
		if b.open() && b.String() != "no encryption" {
			t.Errorf("open, but %s", b)
		}
		if describe([]bss{b, b}) != b.String() {
			t.Errorf("described as %s, and %s", describe([]bss{b, b}), b)
		}
	})
}

// FuzzSignals: signals that are not what they should be, and answers to what they
// make the Client ask, crash nothing. Those of others change nothing, what is told
// of an attempt and of a loss can be read, and wpa_supplicant's next honest words
// are understood.
func FuzzSignals(f *testing.F) {
	addSeeds(f)
	bus := dbustest.NewAnswerer(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		v := dbustest.NewValues(data, "State", "AuthStatusCode", "AssocStatusCode", "DisconnectReason", "/i", service, ":1.1",
			stateDisabled, "completed", "disconnected", "4way_handshake", ifaceIface, "CurrentBSS", "Scanning",
			"CurrentNetwork", "/n", "/other", "authenticating", "associating", "associated", managerName, managerDevice).Valid()
		bus.Set(fuzzedAnswer(v))
		c := newFuzzed(t)
		defer c.released.stop()
		retry := &backoff{}
		defer retry.stop()
		for range 100 {
			if !v.More() {
				break
			}
			if c.dev == nil {
				c.onDevice(bus.Conn)
			}
			c.fuzzSignal(t, bus.Conn, fuzzedSignal(v), retry)
			if c.link != nil {
				c.link.observe(c.link.dev, time.Now())
				dbustest.CheckText(t, "loss", c.link.detail)
			}
		}
		c.onDevice(bus.Conn)
		for _, state := range []string{"authenticating", "associating", "4way_handshake", "completed"} {
			c.handle(t.Context(), honest("State", state))
		}
		if c.dev == nil || c.dev.state != "completed" || !c.attempt.done {
			t.Error("honest signals are not understood any more")
		}
	})
}

// newFuzzed returns a Client that checks what it tells its owner.
func newFuzzed(t *testing.T) *Client {
	return New(Options{
		Interface: "wlan0", Log: slog.New(slog.DiscardHandler),
		OnLost:      func(detail string) { dbustest.CheckText(t, "loss", detail) },
		OnAvailable: func(_ bool, detail string) { dbustest.CheckText(t, "availability", detail) },
	})
}

// onDevice makes the Client follow an attempt and a connection on /i.
func (c *Client) onDevice(conn *dbus.Conn) {
	c.dev = &device{conn: conn, owner: ":1.1", path: "/i", mine: "/n"}
	c.link = &link{dev: c.dev, network: "/n"}
	c.attempt = &attempt{dev: c.dev, network: "/n", protected: true, sae: true}
}

func (c *Client) fuzzSignal(t *testing.T, conn *dbus.Conn, s *dbus.Signal, retry *backoff) {
	dev, a := c.dev, c.attempt
	state, attempt := *dev, *a
	c.receive(t.Context(), conn, s, retry)
	sender := dev.owner
	if s.Name == ownerChange {
		sender = "org.freedesktop.DBus"
	}
	if s.Sender != sender && (*dev != state || *a != attempt) {
		t.Errorf("%s of %s is believed: %+v, %+v", s.Name, s.Sender, dev, a)
	}
	if _, ok := rank[a.try.phase]; !ok && a.try.phase != "" {
		t.Errorf("phase %q", a.try.phase)
	}
	if a.tries > attempt.tries+2 || attempt.final && a.verdict != attempt.verdict || a.done != (a.try.phase == "completed") {
		t.Errorf("from %+v to %+v", attempt, *a)
	}
	dbustest.CheckText(t, "verdict", a.verdict.detail)
}

func fuzzedSignal(v *dbustest.Values) *dbus.Signal {
	s := &dbus.Signal{
		Sender: v.Pick(":1.1", ":1.1", ":1.1", "org.freedesktop.DBus"),
		Path:   v.Path("/i", "/i"),
		Name: v.Pick(propChanged, propChanged, ifaceIface+".ScanDone", rootIface+".InterfaceRemoved", rootIface+".InterfaceAdded",
			ownerChange, ifaceIface+".PskMismatch", ifaceIface+".SaePasswordMismatch",
			ifaceIface+".NetworkSelected", ifaceIface+".NetworkRemoved", managerAdded, ifaceIface+".NetworkSelected"),
		Sequence: 1,
	}
	word, properties, path := func() any { return v.Word() }, func() any { return v.Properties() }, func() any { return v.Path("/n", "/other", "/i") }
	switch s.Name {
	case ownerChange:
		s.Body = v.Body(word, word, word)
	case rootIface + ".InterfaceRemoved", ifaceIface + ".NetworkSelected", ifaceIface + ".NetworkRemoved":
		s.Body = v.Body(path)
	case ifaceIface + ".ScanDone":
		s.Body = v.Body(func() any { return v.Int() >= 0 })
	default:
		s.Body = v.Body(word, properties, v.Value)
	}
	return s
}

// honest is a signal that wpa_supplicant may send.
func honest(name string, value any) *dbus.Signal {
	return &dbus.Signal{Sender: ":1.1", Path: "/i", Name: propChanged, Sequence: 1, Body: []any{
		ifaceIface, map[string]dbus.Variant{name: dbus.MakeVariant(value)}, []string{}}}
}
