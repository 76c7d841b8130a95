package bluez

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

// How long each advertisement stays where there is not room for all. BlueZ's interval is
// 1.28 s, and a phone that listens now and then needs several. Where the kernel itself shows
// one instance after the other, each for so long (net/bluetooth, HCI_DEFAULT_ADV_DURATION), a
// turn lasts until it has shown those of other programs, too.
const (
	turnTime   = 5 * time.Second
	kernelTime = 2 * time.Second
)

// adverts is what is to be advertised, and what BlueZ holds of it. A controller may have room
// for fewer than are wanted (LEAdvertisingManager1.SupportedInstances, which other programs
// share): then they take turns.
type adverts struct {
	wanted []gatt.Advert
	room   int      // how many BlueZ takes at a time; 0: it has not refused one
	turn   int      // counts the turns
	list   []advert // advertisement0, 1, …
}

// crowded reports whether there is not room for all.
func (a *adverts) crowded() bool { return a.room > 0 && a.room < len(a.wanted) }

// due returns what is to be on the air now.
func (a *adverts) due() []gatt.Advert {
	if !a.crowded() {
		return a.wanted
	}
	var due []gatt.Advert
	for i := range a.room {
		due = append(due, a.wanted[(a.turn+i)%len(a.wanted)])
	}
	return due
}

// refused: BlueZ has no room for the i-th, which is not the first.
func (a *adverts) refused(i int) {
	a.room, a.turn = i, 0
	a.list[i].holding = absent
}

// advert is one advertisement that BlueZ was asked to hold.
type advert struct {
	holding
	data gatt.Advert // that BlueZ holds, or reads now
}

func advertPath(i int) dbus.ObjectPath {
	return dbus.ObjectPath(fmt.Sprintf("%s%d", advertisementPath, i))
}

// at returns the advertisement that is exported at path, nil if there is none.
func (a *adverts) at(path dbus.ObjectPath) *advert {
	for i := range a.list {
		if path == advertPath(i) {
			return &a.list[i]
		}
	}
	return nil
}

// missing returns the first advertisement that BlueZ does not hold as it is wanted, or
// holds although it is not wanted; -1 if there is none.
func (a *adverts) missing() int {
	due := a.due()
	for i := range max(len(due), len(a.list)) {
		switch {
		case i >= len(a.list):
			return i
		case i >= len(due):
			if a.list[i].holding != absent {
				return i
			}
		case a.list[i].holding != held, !sameAdvert(a.list[i].data, due[i]):
			return i
		}
	}
	return -1
}

// begin: a step is to bring the i-th advertisement to what is wanted. begin returns what
// BlueZ has of it, and whether it is to hold it afterwards.
func (a *adverts) begin(i int) (was holding, wanted bool) {
	if i == len(a.list) {
		a.list = append(a.list, advert{})
	}
	due := a.due()
	if wanted = i < len(due); wanted {
		a.list[i].data = due[i]
	}
	was = a.list[i].holding
	a.list[i].begin()
	return was, wanted
}

// end: that step has succeeded.
func (a *adverts) end(i int, wanted bool) {
	now := absent
	if wanted {
		now = held
	}
	a.list[i].end(now)
}

// onAir returns how many advertisements BlueZ holds for certain.
func (a *adverts) onAir() int {
	n := 0
	for _, advert := range a.list {
		if advert.holding == held || advert.holding == stale {
			n++
		}
	}
	return n
}

// renew makes all be registered anew.
func (a *adverts) renew() {
	for i := range a.list {
		a.list[i].doubt()
	}
}

// lose: BlueZ no longer has them, and may have room for more.
func (a *adverts) lose() {
	a.room = 0
	for i := range a.list {
		a.list[i].holding = absent
	}
}

// properties returns what BlueZ reads of an advertisement. Only what is set is exported:
// BlueZ takes the mere presence of some properties as a wish.
func (a *advert) properties() []namedValue {
	list := []namedValue{
		{"Type", dbus.MakeVariant("peripheral")},
		{"Discoverable", dbus.MakeVariant(true)},
	}
	if len(a.data.ServiceUUIDs) > 0 {
		list = append(list, namedValue{"ServiceUUIDs", dbus.MakeVariant(a.data.ServiceUUIDs)})
	}
	if len(a.data.ServiceData) > 0 {
		data := map[string]dbus.Variant{}
		for uuid, value := range a.data.ServiceData {
			data[uuid] = dbus.MakeVariant(value)
		}
		list = append(list, namedValue{"ServiceData", dbus.MakeVariant(data)})
	}
	if a.data.Often { // ms; BlueZ's own is 1280
		list = append(list, namedValue{"MinInterval", dbus.MakeVariant(uint32(100))},
			namedValue{"MaxInterval", dbus.MakeVariant(uint32(150))})
	}
	if a.data.Name != "" {
		list = append(list, namedValue{"LocalName", dbus.MakeVariant(a.data.Name)})
	}
	return list
}

func sameAdverts(a, b []gatt.Advert) bool { return slices.EqualFunc(a, b, sameAdvert) }

func sameAdvert(a, b gatt.Advert) bool {
	return a.Name == b.Name && a.Often == b.Often && slices.Equal(a.ServiceUUIDs, b.ServiceUUIDs) &&
		maps.EqualFunc(a.ServiceData, b.ServiceData, bytes.Equal)
}
