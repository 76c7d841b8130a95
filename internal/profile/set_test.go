package profile

import (
	"fmt"
	"slices"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

var (
	_ Profile          = Set(nil)
	_ gateway.Observer = (*Advertiser)(nil)
)

// protocol is a Profile that advertises the status in its service data, and notes in
// calls what it is told.
type protocol struct {
	uuid  string
	calls *[]string
}

func (p protocol) Changed(before, now *gateway.Snapshot) {
	*p.calls = append(*p.calls, fmt.Sprintf("%s %s to %s", p.uuid, before.Status, now.Status))
}

func (p protocol) Services() []gatt.Service {
	return []gatt.Service{{UUID: p.uuid + "1"}, {UUID: p.uuid + "2"}}
}

func (p protocol) Adverts(now *gateway.Snapshot) []gatt.Advert {
	return []gatt.Advert{{Name: p.uuid, ServiceData: map[string][]byte{p.uuid: {byte(now.Status)}}}}
}

func (p protocol) Gone(c gatt.Central) { *p.calls = append(*p.calls, p.uuid+" gone "+string(c)) }

func TestSet(t *testing.T) {
	var calls []string
	set := Set{protocol{"x", &calls}, protocol{"y", &calls}}
	var uuids []string
	for _, s := range set.Services() {
		uuids = append(uuids, s.UUID)
	}
	if want := []string{"x1", "x2", "y1", "y2"}; !slices.Equal(uuids, want) {
		t.Errorf("services %q, want %q", uuids, want)
	}
	set.Changed(&gateway.Snapshot{}, &gateway.Snapshot{Status: gateway.Failed})
	set.Gone("A")
	if want := []string{"x IDLE to FAILED", "y IDLE to FAILED", "x gone A", "y gone A"}; !slices.Equal(calls, want) {
		t.Errorf("told %q, want %q", calls, want)
	}
}

func TestAdvertiser(t *testing.T) {
	var got []string
	a := NewAdvertiser(Set{protocol{"x", new([]string)}, protocol{"y", new([]string)}}, func(adverts []gatt.Advert) {
		line := "off"
		for i, advert := range adverts {
			if i == 0 {
				line = "on"
			}
			line += fmt.Sprintf(" %s%v", advert.Name, advert.ServiceData[advert.Name])
		}
		got = append(got, line)
	})
	before := &gateway.Snapshot{}
	for _, test := range []struct {
		wanted bool
		status gateway.Status
		want   []string
	}{
		{false, gateway.Idle, nil}, // it is off at the start
		{true, gateway.Idle, []string{"on x[0] y[0]"}},
		{true, gateway.Idle, nil},
		{true, gateway.Connecting, []string{"on x[2] y[2]"}},
		{false, gateway.Connected, []string{"off"}},
		{false, gateway.Failed, nil},
		{true, gateway.Failed, []string{"on x[4] y[4]"}},
	} {
		now := &gateway.Snapshot{Status: test.status, Advertising: gateway.Advertising{Wanted: test.wanted}}
		a.Changed(before, now)
		if !slices.Equal(got, test.want) {
			t.Errorf("%+v: advertises %q", test, got)
		}
		before, got = now, nil
	}
}
