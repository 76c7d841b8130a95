package native

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const homeSSID = "home\x1b[2J"

// home has the gateway join a network.
func home(s *gateway.Snapshot) {
	s.Network = &wifi.Network{SSID: homeSSID, BSSID: "02:00:00:00:01:00", FrequencyMHz: 2437, SignalDBm: -40, AKM: wifi.AKMPSK}
	s.Joined = time.Now()
	s.Addresses = wifi.Addresses{
		IPv4: netip.MustParseAddr("192.0.2.7"), Gateway: netip.MustParseAddr("192.0.2.1"), IPv4Given: 1,
	}
}

func TestNetwork(t *testing.T) {
	c := newClient(t)
	if got := c.read(phone, NetworkUUID); string(got) != "{}" || c.control.refreshed != 0 {
		t.Errorf("no network is %s, refreshed %d times", got, c.control.refreshed)
	}
	c.change(home)
	c.change(func(*gateway.Snapshot) {})
	got := c.read(phone, NetworkUUID)
	want := `{"ssid":"home\u001b[2J","bssid":"02:00:00:00:01:00","frequency_mhz":2437,` +
		`"signal_dbm":-40,"security":"WPA2-PSK","ipv4":"192.0.2.7","gateway":"192.0.2.1","since":"` + c.now.Joined.UTC().Format(time.RFC3339) + `"}`
	if string(got) != want || c.control.refreshed != 1 {
		t.Errorf("got  %s\nwant %s\nrefreshed %d times", got, want, c.control.refreshed)
	}
	c.told(notification{NetworkUUID, []byte{byte(len(want)), byte(len(want) >> 8)}})

	c.change(func(s *gateway.Snapshot) {
		n := *s.Network
		n.SignalDBm = -77
		s.Network = &n
	})
	c.told()
	if got := c.read(phone, NetworkUUID); !strings.Contains(string(got), `"signal_dbm":-77`) {
		t.Errorf("the signal is not in %s", got)
	}
	c.change(func(s *gateway.Snapshot) { s.Network = nil })
	c.told(notification{NetworkUUID, []byte{2, 0}})
	c.change(func(s *gateway.Snapshot) { s.Addresses = wifi.Addresses{} })
	c.told()
}

func TestWhatIsNewsOfTheNetwork(t *testing.T) {
	for what, test := range map[string]struct {
		change func(*gateway.Snapshot)
		news   bool
	}{
		"another access point": {func(s *gateway.Snapshot) {
			n := *s.Network
			n.BSSID = "02:00:00:00:02:00"
			s.Network = &n
		}, true},
		"joined again":    {func(s *gateway.Snapshot) { s.Joined = s.Joined.Add(time.Minute) }, true},
		"no address":      {func(s *gateway.Snapshot) { s.Addresses = wifi.Addresses{} }, true},
		"another router":  {func(s *gateway.Snapshot) { s.Addresses.Gateway = netip.MustParseAddr("192.0.2.2") }, true},
		"an IPv6 address": {func(s *gateway.Snapshot) { s.Addresses.IPv6 = netip.MustParseAddr("2001:db8::7") }, true},
		"a lease renewed": {func(s *gateway.Snapshot) { s.Addresses.IPv4Given = 2 }, false},
		"a copy": {func(s *gateway.Snapshot) {
			n := *s.Network
			s.Network = &n
		}, false},
	} {
		c := newClient(t)
		c.change(home)
		c.told(notification{NetworkUUID, []byte{byte(len(encodeNetwork(c.now))), 0}})
		c.change(test.change)
		if test.news {
			c.told(notification{NetworkUUID, []byte{byte(len(encodeNetwork(c.now))), 0}})
		}
		c.told()
		if t.Failed() {
			t.Fatal(what)
		}
	}
}

// A long read gives one value, whatever happens meanwhile.
func TestLongReadIsOfOneValue(t *testing.T) {
	c := newClient(t)
	c.change(home)
	ch := c.find(NetworkUUID)
	first, _ := ch.Read(gatt.Request{Central: phone})
	c.change(func(s *gateway.Snapshot) { s.Network = nil })
	if rest, _ := ch.Read(gatt.Request{Central: phone, Offset: 22}); !bytes.Equal(rest, first) {
		t.Errorf("the rest is of %s", rest)
	}
	if other, _ := ch.Read(gatt.Request{Central: phone2}); string(other) != "{}" {
		t.Errorf("another central reads %s", other)
	}
	c.profile.Gone(phone)
	if again, _ := ch.Read(gatt.Request{Central: phone, Offset: 2}); string(again) != "{}" {
		t.Errorf("after the central has left it reads %s", again)
	}
}

func TestViewsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		views := func() (n int, last bool) {
			for i := range 100 {
				last = false
				c.profile.views.Look(gatt.Central(fmt.Sprint(i)), func(*view) { n, last = n+1, true })
			}
			return n, last
		}
		for i := range 100 {
			c.read(gatt.Central(fmt.Sprint(i)), NetworkUUID)
			sleep(1)
		}
		if n, last := views(); n != maxCentrals || !last {
			t.Errorf("%d views", n)
		}
		sleep(viewTimeout)
		if n, _ := views(); n != 0 {
			t.Errorf("%d views after %s", n, viewTimeout)
		}
	})
}

func TestDevice(t *testing.T) {
	want := `{"name":"a \"gateway\"","model":"board","version":"v1","protocols":{"details":1,"provisioning":1},"security":"encrypt"}`
	if got := newClient(t).read(phone, DeviceUUID); string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
