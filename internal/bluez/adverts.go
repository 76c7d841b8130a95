package bluez

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

// adverts is what is to be advertised, and what BlueZ holds of it.
type adverts struct {
	wanted []gatt.Advert
	list   []advert // advertisement0, 1, …
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
	for i := range max(len(a.wanted), len(a.list)) {
		switch {
		case i >= len(a.list):
			return i
		case i >= len(a.wanted):
			if a.list[i].holding != absent {
				return i
			}
		case a.list[i].holding != held, !sameAdvert(a.list[i].data, a.wanted[i]):
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
	if wanted = i < len(a.wanted); wanted {
		a.list[i].data = a.wanted[i]
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

// lose: BlueZ no longer has them.
func (a *adverts) lose() {
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
	if a.data.Name != "" {
		list = append(list, namedValue{"LocalName", dbus.MakeVariant(a.data.Name)})
	}
	return list
}

func sameAdverts(a, b []gatt.Advert) bool { return slices.EqualFunc(a, b, sameAdvert) }

func sameAdvert(a, b gatt.Advert) bool {
	return a.Name == b.Name && slices.Equal(a.ServiceUUIDs, b.ServiceUUIDs) &&
		maps.EqualFunc(a.ServiceData, b.ServiceData, bytes.Equal)
}
