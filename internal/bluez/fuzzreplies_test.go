package bluez

import (
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
)

// FuzzReplies: whatever BlueZ answers on the way to being on the air, nothing is
// served before its agent guards the pairing, and what counts as advertised is what
// BlueZ has accepted.
func FuzzReplies(f *testing.F) {
	addSeeds(f)
	conn := dbustest.NewAnswerer(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		p := newFuzzedOn(t, conn.Conn)
		v := dbustest.NewValues(data, fuzzedWords...).Valid()
		b := &fuzzedBlueZ{t: t, v: v}
		conn.Set(b.answer)
		p.registration.listed, p.registration.wanted = false, true
		t.Cleanup(func() { p.startOver(); p.tellTrouble() }) // no timers stay
		if owner, err := p.bus.owner(); err == nil {
			p.owner = owner
		}
		for range 50 {
			if s := p.next(); s != nil {
				p.finished(p.steps.round, s, s.do())
			}
			checkWorld(t, p.world)
			if p.registration.advertised && !b.advertised {
				t.Error("advertised, but not by BlueZ")
			}
			if !v.More() {
				break
			}
			switch v.Pick("", "", "signal", "ping", "remove") {
			case "signal":
				p.signal(fuzzedSignal(p, v))
				b.agent, b.advertised = b.agent && p.registration.agent, b.advertised && p.registration.advertised
			case "ping":
				p.pinged(p.owner, p.bus.call("/org/bluez", agentManagerInterface, "RequestDefaultAgent", []any{dbus.ObjectPath(agentPath)}))
			case "remove":
				result := make(chan error, 1)
				p.removeAddress(t.Context(), "/org/bluez/hci0", "AA:BB:CC:00:00:01", result)
				<-result
			}
		}
	})
}

// fuzzedBlueZ remembers what it has accepted.
type fuzzedBlueZ struct {
	t                 *testing.T
	v                 *dbustest.Values
	agent, advertised bool
}

func (b *fuzzedBlueZ) answer(_ dbus.ObjectPath, method string, _ []any) (string, []any) {
	v := b.v
	failure := v.Pick("", "", "", "", "", "", "", bluezError+"AlreadyExists", bluezError+"DoesNotExist", bluezError+"Failed", bluezError+"Blocked",
		"org.freedesktop.DBus.Error.NameHasNoOwner")
	switch method {
	case agentManagerInterface + ".RequestDefaultAgent":
		b.agent = b.agent || failure == ""
	case gattManagerInterface + ".RegisterApplication":
		if !b.agent {
			b.t.Error("the services are registered before the agent")
		}
	case advertisingManagerInterface + ".RegisterAdvertisement":
		if !b.agent {
			b.t.Error("the advertisement is registered before the agent")
		}
		b.advertised = b.advertised || failure == ""
	}
	switch {
	case failure != "":
		return failure, v.Body(func() any { return v.Word() })
	case method == objectManager+".GetManagedObjects":
		return "", v.Body(func() any { return b.objects() })
	case method == busName+".GetNameOwner":
		return "", v.Body(func() any { return v.Word() })
	}
	return "", v.Body()
}

func (b *fuzzedBlueZ) objects() map[dbus.ObjectPath]map[string]map[string]dbus.Variant {
	v := b.v
	flag := func() any { return v.Int() >= 0 }
	word := func() any { return v.Word() }
	number := func() any { return byte(len(v.Bytes())) }
	path := func() any { return v.Path("/org/bluez/hci0") }
	type field = dbustest.Field
	return map[dbus.ObjectPath]map[string]map[string]dbus.Variant{
		v.Path("/org/bluez/hci0", "/org/bluez/hci1"): {
			adapterInterface:            v.Fields(field{Name: "Powered", Make: flag}, field{Name: "Pairable", Make: flag}, field{Name: "Address", Make: word}),
			advertisingManagerInterface: v.Fields(field{Name: "SupportedInstances", Make: number}, field{Name: "ActiveInstances", Make: number}),
			gattManagerInterface:        v.Properties(),
		},
		v.Path(fuzzedDevice): {deviceInterface: v.Fields(field{Name: "Connected", Make: flag}, field{Name: "Paired", Make: flag},
			field{Name: "Bonded", Make: flag}, field{Name: "Address", Make: word}, field{Name: "Adapter", Make: path})},
		v.Path("/org/bluez"): v.Interfaces(),
	}
}
