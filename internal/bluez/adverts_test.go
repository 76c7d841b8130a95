package bluez

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

const otherUUID = "00467768-6228-2272-4663-277478268000"

// advertisements returns what hci0 advertises, once there are n advertisements.
func (r *rig) advertisements(n int) []map[string]dbus.Variant {
	r.t.Helper()
	var list []map[string]dbus.Variant
	r.eventually("as many advertisements as wanted", func() bool {
		list = r.bluez.Advertisements("hci0")
		return len(list) == n
	})
	return list
}

// registered waits until advertisements were registered n times.
func (r *rig) registered(n int) {
	r.t.Helper()
	r.requested("RegisterAdvertisement", n)
	r.bluez.Sync()
}

// other returns an advertisement whose data is state.
func other(state ...byte) gatt.Advert {
	return gatt.Advert{
		ServiceUUIDs: []string{otherUUID},
		ServiceData:  map[string][]byte{otherUUID: state},
	}
}

func (r *rig) state(advertisement map[string]dbus.Variant) []byte {
	r.t.Helper()
	data, _ := advertisement["ServiceData"].Value().(map[string]dbus.Variant)
	state, _ := data[otherUUID].Value().([]byte)
	return state
}

func TestAdvertisement(t *testing.T) {
	r := newRig(t, gatt.NoPairing)
	got := r.advertisements(1)[0]
	want := map[string]any{"Type": "peripheral", "Discoverable": true, "LocalName": "Test"}
	uuids, _ := got["ServiceUUIDs"].Value().([]string)
	if !slices.Equal(uuids, []string{serviceUUID}) {
		t.Errorf("ServiceUUIDs %q", uuids)
	}
	delete(got, "ServiceUUIDs")
	for name, value := range got {
		if value.Value() != want[name] {
			t.Errorf("%s is %v, want %v", name, value, want[name])
		}
	}
	if len(got) != len(want) {
		t.Errorf("properties %v, want %v only", got, want)
	}
}

// Each advert is an advertisement of its own. Of several, only what has changed is
// registered anew.
func TestAdvertisements(t *testing.T) {
	r := newRig(t, gatt.NoPairing)
	r.p.Advertise([]gatt.Advert{testAdvert, other(1)})
	got := r.advertisements(2)
	if got[0]["LocalName"].Value() != "Test" || len(got[1]) != 4 ||
		!bytes.Equal(r.state(got[1]), []byte{1}) {
		t.Errorf("got %v", got)
	}
	r.registered(2)
	same := gatt.Advert{ServiceUUIDs: []string{serviceUUID}, Name: "Test"}
	r.p.Advertise([]gatt.Advert{same, other(1)})
	r.p.Advertise([]gatt.Advert{testAdvert, other(2)})
	r.registered(3)
	if got := r.advertisements(2); !bytes.Equal(r.state(got[1]), []byte{2}) {
		t.Errorf("after a change: %v", got)
	}
	r.p.Advertise([]gatt.Advert{testAdvert})
	if got := r.advertisements(1); got[0]["LocalName"].Value() != "Test" {
		t.Errorf("the wrong one is left: %v", got)
	}
	r.p.Advertise([]gatt.Advert{other(2)}) // takes the place of the first
	r.registered(4)
	if got := r.advertisements(1); !bytes.Equal(r.state(got[0]), []byte{2}) {
		t.Errorf("got %v", got)
	}
	if got := count(r.bluez.Requests(), "RegisterAdvertisement"); got != 4 {
		t.Errorf("%d registrations, want 4", got)
	}
	r.quiet()
}

// All are back after a restart, and one that vanishes comes back.
func TestAdvertisementsComeBack(t *testing.T) {
	r := newRig(t, gatt.NoPairing)
	r.p.Advertise([]gatt.Advert{testAdvert, other(1)})
	r.registered(2)
	r.bluez.Stop()
	r.expect(noDaemon)
	r.bluez.Start()
	r.expect("up hci0")
	r.advertisements(2)
	r.bluez.Drop("hci0")
	r.expect("down BlueZ no longer advertises", "up hci0")
	r.advertisements(2)
	r.bluez.Release("hci0")
	r.expect("down BlueZ has released the advertisement", "up hci0")
	r.advertisements(2)
	r.quiet()
}

// Where there is room for one only, they take turns, and nobody hears of it. What changes in
// its turn is on the air at once, and so is what is left alone.
func TestAdvertisementsTakeTurns(t *testing.T) {
	r := newRig(t, gatt.NoPairing)
	r.bluez.Set("/org/bluez/hci0", advertisingManagerInterface, "SupportedInstances", byte(1))
	r.p.Advertise([]gatt.Advert{testAdvert, other(1)})
	named := func() bool {
		list := r.bluez.Advertisements("hci0")
		if len(list) > 1 {
			t.Errorf("there are %d", len(list))
		}
		return len(list) == 1 && list[0]["LocalName"].Value() == "Test"
	}
	unnamed := func() bool { return len(r.bluez.Advertisements("hci0")) == 1 && !named() }
	r.eventually("the second one's turn", unnamed)
	begin := time.Now()
	r.p.Advertise([]gatt.Advert{testAdvert, other(2)})
	r.eventually("the second one has changed", func() bool {
		list := r.bluez.Advertisements("hci0")
		return len(list) == 1 && bytes.Equal(r.state(list[0]), []byte{2})
	})
	if took := time.Since(begin); took >= turnTime {
		t.Errorf("the change came %s late, with the next turn", took)
	}
	r.eventually("the first one's turn", named)
	r.p.Advertise([]gatt.Advert{other(3)})
	r.eventually("one alone", unnamed)
	registered := count(r.bluez.Requests(), "RegisterAdvertisement")
	time.Sleep(turnTime + time.Second)
	if count(r.bluez.Requests(), "RegisterAdvertisement") != registered {
		t.Error("one alone takes turns")
	}
	r.quiet()
}

// A turn is a window on what is wanted.
func TestTurns(t *testing.T) {
	a := adverts{wanted: []gatt.Advert{other(0), other(1), other(2)}, list: make([]advert, 3)}
	for room, want := range map[int][][]byte{
		0: {{0, 1, 2}, {0, 1, 2}}, 1: {{0}, {1}, {2}, {0}}, 2: {{0, 1}, {1, 2}, {2, 0}, {0, 1}}, 3: {{0, 1, 2}, {0, 1, 2}},
	} {
		a.room, a.turn = room, 0
		for _, w := range want {
			var got []byte
			for _, d := range a.due() {
				got = append(got, d.ServiceData[otherUUID]...)
			}
			if !bytes.Equal(got, w) {
				t.Errorf("room for %d, turn %d: %v, want %v", room, a.turn, got, w)
			}
			a.turn++
		}
	}
	if a.refused(2); !a.crowded() {
		t.Error("there is room")
	}
	if a.lose(); a.crowded() {
		t.Error("there is no room after a restart")
	}
}

// BlueZ still advertises what it could not unregister.
func TestAdvertisingThatDoesNotStop(t *testing.T) {
	r := newRig(t, gatt.NoPairing)
	r.bluez.Fail("UnregisterAdvertisement", "Failed", 2)
	r.p.Advertise(nil)
	r.advertisements(0)
	r.quiet()
}

// What is lost, or changes, while a step runs is still missing after it.
func TestAdvertsWhileAStepRuns(t *testing.T) {
	var a adverts
	a.wanted = []gatt.Advert{testAdvert}
	for what, meanwhile := range map[string]func(){
		"lost":    a.lose,
		"stale":   a.renew,
		"changed": func() { a.wanted = []gatt.Advert{other(1)} },
		"off":     func() { a.wanted = nil },
	} {
		a.wanted = []gatt.Advert{testAdvert}
		_, wanted := a.begin(0)
		if meanwhile(); !wanted {
			t.Fatal("not wanted")
		}
		if a.end(0, wanted); a.missing() != 0 {
			t.Errorf("%s: nothing is missing", what)
		}
	}
	a.wanted = []gatt.Advert{testAdvert}
	_, wanted := a.begin(0)
	if a.end(0, wanted); a.missing() != -1 || a.onAir() != 1 {
		t.Errorf("%d is missing, %d on the air", a.missing(), a.onAir())
	}
}
