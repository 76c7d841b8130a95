package bluez

import (
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
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
		p.world.listed = false
		t.Cleanup(func() { p.steps.startOver(); p.troubles.settle.stop(); p.chooser.wait.stop() })
		if owner, err := p.bus.owner(); err == nil {
			p.world.owner = owner
		}
		for range 50 {
			if s := p.registrar.next(); s != nil {
				p.steps.running = s
				p.finished(s, s.do())
			}
			checkWorld(t, p.world)
			if p.registrar.adverts.onAir() > 0 && !b.advertised {
				t.Error("advertised, but not by BlueZ")
			}
			if !v.More() {
				break
			}
			switch v.Pick("", "", "signal", "ping", "remove") {
			case "signal":
				p.signal(fuzzedSignal(p, v))
				b.agent = b.agent && p.registrar.agent != absent
				b.advertised = b.advertised && p.registrar.adverts.onAir() > 0
			case "ping":
				p.check.answered(p.world.owner, p.bus.call(managerPath, requestDefaultAgent, agentPath))
			case "remove":
				device := p.bonds.device("/org/bluez/hci0", "AA:BB:CC:00:00:01")
				_ = p.bus.removeDevice(t.Context(), "/org/bluez/hci0", device)
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
	case method == msgbus.ObjectManager+".GetManagedObjects":
		return "", v.Body(func() any { return b.objects() })
	case method == msgbus.BusName+".GetNameOwner":
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
