package bluez

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/godbus/dbus/v5"
)

func peripheral(name string, instances byte) (dbus.ObjectPath, map[string]map[string]dbus.Variant) {
	return managerPath + "/" + dbus.ObjectPath(name), map[string]map[string]dbus.Variant{
		adapterInterface:            {"Address": dbus.MakeVariant("00:AA:01:00:00:0" + name[3:])},
		gattManagerInterface:        {},
		advertisingManagerInterface: {"SupportedInstances": dbus.MakeVariant(instances)},
	}
}

// An adapter that is not the best one possible waits for a better one: half a second at
// the start, and longer once another one was ours.
func TestChooserWaits(t *testing.T) {
	for _, test := range []struct {
		name      string
		last      dbus.ObjectPath
		wait      time.Duration
		late      string // comes just in time; empty: none
		want      dbus.ObjectPath
		immediate bool
	}{
		{"none better, at the start", "", adoptTime, "", "/org/bluez/hci1", false},
		{"a better one, at the start", "", adoptTime, "hci0", "/org/bluez/hci0", true},
		{"none better, after a restart", "/org/bluez/hci2", returnTime, "", "/org/bluez/hci1", false},
		{"the same one, after a restart", "/org/bluez/hci2", returnTime, "hci2", "/org/bluez/hci2", true},
		{"another, after a restart", "/org/bluez/hci2", returnTime, "hci0", "/org/bluez/hci0", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLoop()
				c := chooser{world: &world{listed: true}, last: test.last, wait: alarm{loop: l}}
				run := func(d time.Duration) {
					time.Sleep(d)
					synctest.Wait()
					for _, f := range l.take() {
						f()
					}
				}
				c.world.add(peripheral("hci1", 5))
				c.adopt()
				run(test.wait - time.Nanosecond)
				if c.current != "" {
					t.Fatalf("took %s too early", c.current)
				}
				if test.late != "" {
					c.world.add(peripheral(test.late, 5))
					c.adopt()
				}
				if (c.current != "") != test.immediate {
					t.Errorf("took %q", c.current)
				}
				run(time.Nanosecond)
				if c.current != test.want || c.wait.set() {
					t.Errorf("took %q, want %s", c.current, test.want)
				}
			})
		})
	}
}
