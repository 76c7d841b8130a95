package native

import (
	"reflect"
	"slices"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Phones cache the handles, which follow the order of the services and characteristics.
func TestServices(t *testing.T) {
	c := newClient(t)
	var got []string
	for _, service := range c.profile.Services() {
		got = append(got, service.UUID+" "+service.Pairing.String())
		for _, ch := range service.Characteristics {
			line := ch.UUID[4:8]
			if ch.Write != nil {
				line += " write"
			}
			if ch.Read != nil {
				line += " read"
			}
			if ch.Notify != nil {
				line += " notify"
			}
			got = append(got, line)
		}
	}
	want := []string{
		"8b840001-f6fa-4e33-9a0c-e14d9f35f201 encrypt",
		"0002 write", "0003 write", "0004 write", "0005 write", "0006 read notify",
		"8b840100-f6fa-4e33-9a0c-e14d9f35f201 encrypt",
		"0101 read notify", "0102 read notify", "0103 write notify", "0104 write read", "0105 read", "0106 write read", "0107 write read",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAdverts(t *testing.T) {
	want := []gatt.Advert{{ServiceUUIDs: []string{"8b840001-f6fa-4e33-9a0c-e14d9f35f201"}, Name: "a \"gateway\""}}
	if got := newClient(t).profile.Adverts(&gateway.Snapshot{}); !reflect.DeepEqual(got, want) {
		t.Errorf("advertises %v", got)
	}
}

func TestStatus(t *testing.T) {
	c := newClient(t)
	if got := c.read(phone, StatusUUID); !slices.Equal(got, []byte{0}) {
		t.Errorf("read %v at the start", got)
	}
	var want []notification
	for _, status := range []gateway.Status{2, 3, 1, 4, 0} {
		c.turn(status, wifi.FailureNone)
		if got := c.read(phone, StatusUUID); !slices.Equal(got, []byte{byte(status)}) {
			t.Errorf("read %v, want %d", got, status)
		}
		want = append(want, notification{ReasonUUID, []byte{0}}, notification{StatusUUID, []byte{byte(status)}})
	}
	c.told(want...)
}

// A phone that sees FAILED can read why.
func TestReasonBeforeFailed(t *testing.T) {
	c := newClient(t)
	c.turn(gateway.Connecting, wifi.FailureNone)
	c.told(notification{ReasonUUID, []byte{0}}, notification{StatusUUID, []byte{2}})
	c.turn(gateway.Failed, wifi.FailureWrongPassword)
	c.told(notification{ReasonUUID, []byte{1}}, notification{StatusUUID, []byte{4}})
	if got := c.read(phone, ReasonUUID); !slices.Equal(got, []byte{1}) {
		t.Errorf("the reason is %v", got)
	}
	c.turn(gateway.Provisioned, wifi.FailureWrongPassword) // the same reason, and told again
	c.told(notification{ReasonUUID, []byte{1}}, notification{StatusUUID, []byte{1}})
}

func TestReasonIsReadAndNotified(t *testing.T) {
	c := newClient(t)
	c.turn(gateway.Connected, wifi.FailureNone)
	c.told(notification{ReasonUUID, []byte{0}}, notification{StatusUUID, []byte{3}})
	for _, reason := range []wifi.Failure{wifi.FailureNoAddress, wifi.FailureNone} { // the status stays
		c.change(func(s *gateway.Snapshot) { s.Reason = reason })
		if got := c.read(phone, ReasonUUID); !slices.Equal(got, []byte{byte(reason)}) {
			t.Errorf("read %v after %s", got, reason)
		}
		c.told(notification{ReasonUUID, []byte{byte(reason)}})
	}
}

// An attempt that replaces another one is CONNECTING after CONNECTING.
func TestEachTurnIsNotified(t *testing.T) {
	c := newClient(t)
	c.turn(gateway.Connecting, wifi.FailureNone)
	c.turn(gateway.Connecting, wifi.FailureNone)
	c.change(func(s *gateway.Snapshot) {
		s.Phase, s.Message, s.Centrals = gateway.Joining, "other", []gatt.Central{phone}
	})
	c.told(notification{ReasonUUID, []byte{0}}, notification{StatusUUID, []byte{2}},
		notification{ReasonUUID, []byte{0}}, notification{StatusUUID, []byte{2}})
}

// A phone that sees CONNECTED can read the network.
func TestNetworkBeforeStatus(t *testing.T) {
	c := newClient(t)
	c.change(func(s *gateway.Snapshot) {
		s.Turn, s.Status = s.Turn+1, gateway.Connected
		home(s)
	})
	length := byte(len(c.read(phone, NetworkUUID)))
	c.told(notification{NetworkUUID, []byte{length, 0}}, notification{ReasonUUID, []byte{0}},
		notification{StatusUUID, []byte{3}})
}

// The first Snapshot may have none before it.
func TestFirstSnapshot(t *testing.T) {
	c := newClient(t)
	c.profile.Changed(nil, &gateway.Snapshot{Turn: 1, Status: gateway.Provisioned, Reason: wifi.FailureNotFound})
	c.told(notification{ReasonUUID, []byte{2}}, notification{StatusUUID, []byte{1}})
}
