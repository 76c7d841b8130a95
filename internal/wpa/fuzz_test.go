package wpa

import (
	"errors"
	"log/slog"
	"net"
	"regexp"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
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
		if !mac.MatchString(b.bssid) || b.frequency < 0 || b.frequency > 1<<16 || b.age < 0 {
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

// FuzzSignals: signals and interface properties that are not what they should be
// crash nothing, and wpa_supplicant's next honest word is understood.
func FuzzSignals(f *testing.F) {
	addSeeds(f)
	near, far := net.Pipe() // to a bus that answers nothing
	if err := errors.Join(near.Close(), far.Close()); err != nil {
		f.Fatal(err)
	}
	conn, err := dbus.NewConn(near)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := New(Options{
			Interface: "wlan0", Log: slog.New(slog.DiscardHandler),
			OnLost: func(string) {}, OnAvailable: func(bool, string) {},
		})
		v := dbustest.NewValues(data, "State", "AuthStatusCode", "AssocStatusCode", "DisconnectReason", "/i", service, ":1.1",
			stateDisabled, "completed", "disconnected", "4way_handshake", ifaceIface, "CurrentBSS", "Scanning")
		for range 100 {
			if !v.More() {
				break
			}
			if c.dev == nil {
				c.dev = &device{conn: conn, owner: ":1.1", path: "/i"}
				c.link = &link{dev: c.dev}
			}
			c.handle(t.Context(), fuzzedSignal(v))
			if c.link != nil {
				c.link.observe(c.link.dev, time.Now())
			}
		}
		c.dev = &device{conn: conn, owner: ":1.1", path: "/i"}
		c.handle(t.Context(), &dbus.Signal{Sender: ":1.1", Path: "/i", Name: propChanged, Body: []any{
			ifaceIface, map[string]dbus.Variant{"State": dbus.MakeVariant("completed")}, []string{}}})
		if c.dev == nil || c.dev.state != "completed" {
			t.Error("an honest signal is not understood any more")
		}
	})
}

func fuzzedSignal(v *dbustest.Values) *dbus.Signal {
	s := &dbus.Signal{
		Sender: v.Pick(":1.1", ":1.1", ":1.1", "org.freedesktop.DBus"),
		Path:   dbus.ObjectPath(v.Pick("/i", "/i", "/other")),
		Name: v.Pick(propChanged, propChanged, ifaceIface+".ScanDone", rootIface+".InterfaceRemoved", rootIface+".InterfaceAdded",
			ownerChange, ifaceIface+".PskMismatch", ifaceIface+".SaePasswordMismatch"),
	}
	word, properties := func() any { return v.Word() }, func() any { return v.Properties() }
	if s.Name == ownerChange {
		s.Body = v.Body(word, word, word)
	} else {
		s.Body = v.Body(v.Value, properties, v.Value)
	}
	return s
}
