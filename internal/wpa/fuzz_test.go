package wpa

import (
	"github.com/wifiprovd/wifiprovd/internal/nm"
	"log/slog"
	"regexp"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
	"github.com/wifiprovd/wifiprovd/internal/verdict"
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
// make the owner ask, crash nothing. Those of others change nothing, what is told
// of an attempt and of a loss can be read, and wpa_supplicant's next honest words
// are understood.
func FuzzSignals(f *testing.F) {
	addSeeds(f)
	bus := dbustest.NewAnswerer(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		v := dbustest.NewValues(data, "State", "AuthStatusCode", "AssocStatusCode", "DisconnectReason", "/i", service, ":1.1",
			stateDisabled, "completed", "disconnected", "4way_handshake", ifaceIface, "CurrentBSS", "Scanning",
			"CurrentNetwork", "/n", "/other", "authenticating", "associating", "associated", nm.Name, nm.DeviceIface).Valid()
		bus.Set(fuzzedAnswer(v))
		o := newFuzzed(t, bus.Conn)
		for range 100 {
			if !v.More() {
				break
			}
			if o.station == nil || o.link == nil {
				o.onDevice()
			}
			o.fuzzSignal(t, fuzzedSignal(v))
			if o.link != nil {
				dbustest.CheckText(t, "loss", o.link.detail)
			}
			o.settle(time.Now())
			o.askAll()
		}
		o.onDevice()
		for _, state := range []string{"authenticating", "associating", "4way_handshake", "completed"} {
			o.receive(honest("State", state))
			o.askAll()
		}
		if o.station == nil || o.station.state != "completed" || !o.station.attempt.Connected() {
			t.Error("honest signals are not understood any more")
		}
	})
}

// newFuzzed returns an owner whose every text is checked.
func newFuzzed(t *testing.T, conn *dbus.Conn) *owner {
	c := New(Config{Interface: wlan0, Log: slog.New(slog.DiscardHandler)})
	o := newOwner(t.Context(), c, conn, func(_, _, problem string) { dbustest.CheckText(t, "problem", problem) })
	t.Cleanup(o.end)
	return o
}

// askAll asks one after the other what has to be asked, but for an interface that is
// not there.
func (o *owner) askAll() {
	for ask := o.next(); ask != nil && o.station != nil; ask = o.next() {
		ask(o.ctx)()
		o.settle(time.Now())
	}
}

// onDevice makes the owner follow an attempt and a connection on /i.
func (o *owner) onDevice() {
	dev := &device{supplicant: msgbus.Program{Conn: o.conn, Name: service, Timeout: o.times.answer}, owner: ":1.1", path: "/i"}
	o.station = &station{dev: dev, mine: "/n", attempt: &attempt{network: "/n", Attempt: verdict.Attempt{Protected: true, SAE: true}}}
	o.link = &Link{c: o.Client, dev: dev, network: "/n", lost: make(chan string, 1), roamed: make(chan struct{}, 1)}
}

func (o *owner) fuzzSignal(t *testing.T, s *dbus.Signal) {
	was := o.station
	state, attempt := *was, *was.attempt
	o.receive(s)
	o.askAll()
	sender := was.dev.owner
	if s.Name == msgbus.NameOwnerChanged {
		sender = msgbus.BusName
	}
	if s.Sender != sender && (*was != state || *was.attempt != attempt || o.station != was) {
		t.Errorf("%s of %s is believed: %+v, %+v", s.Name, s.Sender, was, was.attempt)
	}
	v, final := was.attempt.Verdict()
	before, stood := attempt.Verdict()
	if stood && (!final || v != before) {
		t.Errorf("from %+v to %+v", before, v)
	}
	dbustest.CheckText(t, "verdict", v.Detail)
}

func fuzzedSignal(v *dbustest.Values) *dbus.Signal {
	s := &dbus.Signal{
		Sender: v.Pick(":1.1", ":1.1", ":1.1", msgbus.BusName),
		Path:   v.Path("/i", "/i"),
		Name: v.Pick(msgbus.PropertiesChanged, msgbus.PropertiesChanged, ifaceIface+".ScanDone", rootIface+".InterfaceRemoved", rootIface+".InterfaceAdded",
			msgbus.NameOwnerChanged, ifaceIface+".PskMismatch", ifaceIface+".SaePasswordMismatch",
			ifaceIface+".NetworkSelected", ifaceIface+".NetworkRemoved", nm.Name+".DeviceAdded", ifaceIface+".NetworkSelected"),
		Sequence: 1,
	}
	word, properties, path := func() any { return v.Word() }, func() any { return v.Properties() }, func() any { return v.Path("/n", "/other", "/i") }
	switch s.Name {
	case msgbus.NameOwnerChanged:
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
	return &dbus.Signal{Sender: ":1.1", Path: "/i", Name: msgbus.PropertiesChanged, Sequence: 1, Body: []any{
		ifaceIface, map[string]dbus.Variant{name: dbus.MakeVariant(value)}, []string{}}}
}
