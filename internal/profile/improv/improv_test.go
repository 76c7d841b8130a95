package improv

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/profile"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const askedHome = `connect ` + phone + ` "home" auto "` + secret + `"`

// Phones cache the handles, which follow the order of the characteristics.
func TestService(t *testing.T) {
	c := newClient(t)
	services := c.profile.Services()
	var got []string
	for _, ch := range services[0].Characteristics {
		line := ch.UUID[len(ch.UUID)-4:]
		for name, is := range map[string]bool{" write": ch.Write != nil, " read": ch.Read != nil} {
			if is {
				line += name
			}
		}
		if ch.Notify != nil {
			line += " notify"
		}
		got = append(got, line)
	}
	want := []string{"8001 read notify", "8002 read notify", "8003 write", "8004 read notify", "8005 read"}
	if len(services) != 1 || services[0].UUID != "00467768-6228-2272-4663-277478268000" ||
		services[0].Pairing != gatt.Encrypt || !slices.Equal(got, want) {
		t.Errorf("got %s %s %q", services[0].UUID, services[0].Pairing, got)
	}
}

func TestCapabilities(t *testing.T) {
	for want, change := range map[byte]func(*Config){
		15: func(*Config) {},
		14: func(c *Config) { c.Identify = nil },
		7:  func(c *Config) { c.Hosts = nil },
	} {
		c := newClient(t, change)
		if got := c.read(phone, CapabilitiesUUID); !slices.Equal(got, []byte{want}) {
			t.Errorf("capabilities %v, want %d", got, want)
		}
		data := c.profile.Adverts(c.now)[0].ServiceData[ServiceDataUUID]
		if !slices.Equal(data, []byte{2, want, 0, 0, 0, 0}) {
			t.Errorf("service data % x", data)
		}
	}
}

// What cannot be done is an unknown command.
func TestWhatCannotBeDone(t *testing.T) {
	c := newClient(t, func(c *Config) { c.Identify, c.Hosts = nil, nil })
	for _, p := range []string{
		packet(CommandIdentify, ""), packet(CommandHostname, ""), packet(CommandHostname, "x"),
		packet(CommandDeviceName, "a new name"), packet(0, ""), packet(7, ""), packet(0xFF, "x"),
	} {
		c.ok(phone, p)
		c.told("error 02")
		c.ok(phone, packet(CommandDevice, ""))
		c.told("error 00", result(CommandDevice, "wifiprovd", "v1", "board", "a gateway"))
	}
	c.asked()
}

// The service data follows the state; with the flags, advertising data has 31 bytes: 3 of flags,
// 2+16 of the UUID, 2+2+6 of the service data.
func TestAdvertsFollowTheState(t *testing.T) {
	c := newClient(t)
	want := gatt.Advert{
		ServiceUUIDs: []string{"00467768-6228-2272-4663-277478268000"},
		ServiceData:  map[string][]byte{"00004677-0000-1000-8000-00805f9b34fb": {2, 15, 0, 0, 0, 0}},
		Name:         "a gateway",
	}
	if got := c.profile.Adverts(c.now); !reflect.DeepEqual(got, []gatt.Advert{want}) {
		t.Errorf("advertises %v", got)
	}
	c.connecting(gateway.Phone(phone))
	if got := c.profile.Adverts(c.now)[0].ServiceData[ServiceDataUUID]; got[0] != 3 {
		t.Errorf("state %d is advertised", got[0])
	}
}

func TestProvision(t *testing.T) {
	c := newClient(t)
	c.ok(phone, wifiPacket(ssid, secret))
	c.asked(askedHome)
	c.told("state 03")
	c.connected()
	c.told() // the URL needs an address
	c.address("192.0.2.7")
	c.told(result(CommandWifi, "http://192.0.2.7/"), "state 04")
	if got := fmt.Sprintf("result %x", c.read(phone, ResultUUID)); got != result(CommandWifi, "http://192.0.2.7/") {
		t.Errorf("the result reads %s", got)
	}
	if got := c.read(phone2, ResultUUID); len(got) != 0 {
		t.Errorf("another phone reads % x", got)
	}
	c.ok(phone, wifiPacket("other", secret)) // is on a network, and stays
	c.told("error 04")
	c.asked()
}

func TestURL(t *testing.T) {
	for _, tt := range []struct{ url, address, want string }{
		{"", "", ""},
		{"https://example.org/setup", "", "https://example.org/setup"},
		{"http://{address}:8123/", "2001:db8::1", "http://[2001:db8::1]:8123/"},
		{"http://{address}/?from={address}", "192.0.2.7", "http://192.0.2.7/?from=192.0.2.7"},
	} {
		c := newClient(t, func(c *Config) { c.URL = tt.url })
		c.ok(phone, wifiPacket(ssid, secret))
		c.connected()
		if tt.address != "" {
			c.address(tt.address)
		}
		want := result(CommandWifi, tt.want)
		if tt.want == "" {
			want = result(CommandWifi)
		}
		c.told("state 03", want, "state 04")
	}
}

// The network has no address to give: there is nothing to open, but it is joined.
func TestNoAddress(t *testing.T) {
	c := newClient(t)
	c.ok(phone, wifiPacket(ssid, secret))
	c.connected()
	c.change(func(s *gateway.Snapshot) { s.Reason = wifi.FailureNoAddress })
	c.told("state 03", result(CommandWifi), "state 04")
}

// The link is lost before there is an address.
func TestLostBeforeTheAddress(t *testing.T) {
	c := newClient(t)
	c.ok(phone, wifiPacket(ssid, secret))
	c.connected()
	c.change(func(s *gateway.Snapshot) { s.Status = gateway.Provisioned })
	c.told("state 03", "error 03", "state 02")
	c.connected()
	c.told("state 04")
}

func TestWrongThenRight(t *testing.T) {
	c := newClient(t)
	c.ok(phone, wifiPacket(ssid, "wrong password"))
	c.fails(wifi.FailureWrongPassword)
	c.told("state 03", "error 03", "state 02")
	c.ok(phone, wifiPacket(ssid, secret))
	c.connected()
	c.address("192.0.2.7")
	c.told("error 00", "state 03", result(CommandWifi, "http://192.0.2.7/"), "state 04")
}

// Credentials that no network can have fail at once, without an attempt to see.
func TestInvalidCredentials(t *testing.T) {
	c := newClient(t)
	c.ok(phone, wifiPacket(ssid, "short"))
	c.told("error 03")
	c.ok(phone, wifiPacket(ssid, secret))
	c.told("error 00", "state 03")
	c.ok(phone, wifiPacket(ssid, "short")) // in its place
	c.told("error 03", "state 02")
}

// A phone may replace its own attempt; the outcome is that of the last.
func TestReplacesItsOwn(t *testing.T) {
	c := newClient(t)
	c.ok(phone, wifiPacket("typo", secret))
	c.ok(phone, wifiPacket(ssid, secret))
	c.told("state 03")
	c.connected()
	c.address("192.0.2.7")
	c.told(result(CommandWifi, "http://192.0.2.7/"), "state 04")
}

func TestRefused(t *testing.T) {
	for _, answer := range []error{gateway.ErrBusy, errors.New("other")} {
		c := newClient(t)
		c.control.answer = answer
		if err := c.write(phone, wifiPacket(ssid, secret)); !errors.Is(err, profile.Answer(answer)) {
			t.Errorf("got %v", err)
		}
		c.told("error ff")
		if slices.Max(c.control.taken[0].Passphrase.Bytes()) != 0 {
			t.Error("the refused copy is still in memory")
		}
		c.connecting(gateway.Phone(phone2)) // whose success is not this phone's
		c.connected()
		c.told("error 00", "state 03", "state 04")
	}
}

// The phones see what comes by another protocol, or from another phone, and get no result of it.
func TestOthersAttempt(t *testing.T) {
	c := newClient(t)
	c.connecting(gateway.Phone(phone2))
	c.told("state 03")
	c.fails(wifi.FailureNotFound)
	c.told("error 03", "state 02")
	c.connecting(gateway.Phone(phone2))
	c.connected()
	c.told("error 00", "state 03", "state 04")
	c.change(func(s *gateway.Snapshot) { s.Status = gateway.Provisioned })
	c.told("state 02")
	c.change(func(s *gateway.Snapshot) { s.Status = gateway.Connecting }) // its own attempt
	c.told()
	c.connected()
	c.told("state 04")
}

// Whoever interferes with another phone's attempt is refused, and its client hears nothing of it.
func TestBusy(t *testing.T) {
	c := newClient(t)
	c.connecting(gateway.Phone(phone2))
	c.told("state 03")
	for _, p := range []string{wifiPacket(ssid, secret), packet(CommandIdentify, ""), packet(CommandScan, ""), "\x01", ""} {
		if err := c.write(phone, p); !errors.Is(err, gatt.ErrInProgress) {
			t.Errorf("%q: %v", p, err)
		}
	}
	c.told()
	c.asked()
}

func TestNobody(t *testing.T) {
	c := newClient(t)
	if err := c.write("", wifiPacket(ssid, secret)); !errors.Is(err, gateway.ErrNobody) {
		t.Errorf("got %v", err)
	}
	c.told()
	c.asked()
}

func TestAuthorization(t *testing.T) {
	c := newClient(t, func(c *Config) { c.Authorize = true })
	c.shows(AuthorizationRequired)
	for _, p := range []string{wifiPacket(ssid, secret), packet(CommandHostname, ""), packet(CommandHostname, "x")} {
		c.ok(phone, p)
		c.told("error 04")
		c.ok(phone, packet(CommandIdentify, "")) // is allowed
		c.told("error 00")
	}
	c.asked()
	c.change(open(time.Now().Add(time.Minute)))
	c.told("state 02")
	c.ok(phone, wifiPacket(ssid, secret))
	c.change(open(time.Time{})) // an attempt that runs is not cut off
	c.told("state 03")
	c.connected()
	c.address("192.0.2.7")
	c.told(result(CommandWifi, "http://192.0.2.7/"), "state 04")

	// Whoever opens the door of a gateway that is on a network means to provision it anew.
	c.change(open(time.Now().Add(time.Minute)))
	c.told("state 02")
	c.ok(phone, wifiPacket("other", "wrong password"))
	c.fails(wifi.FailureWrongPassword)
	c.connected() // with the network from before
	c.told("state 03", "error 03", "state 02")
	c.ok(phone, wifiPacket("other", secret))
	c.connected()
	c.told("error 00", "state 03", result(CommandWifi, "http://192.0.2.7/"), "state 04")
	c.change(open(time.Time{}))
	c.told()
	c.change(func(s *gateway.Snapshot) { s.Status = gateway.Provisioned })
	c.told("state 01")
}

// A door that is closed needs somebody who opens it, whatever improv.authorize is.
func TestClosedDoor(t *testing.T) {
	c := newClient(t)
	c.change(func(s *gateway.Snapshot) { s.Open = false })
	c.told("state 01")
	c.ok(phone, wifiPacket(ssid, secret))
	c.told("error 04")
	c.asked()
}

func TestIdentify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		time.Sleep(time.Hour)
		for range 10 {
			c.ok(phone, packet(CommandIdentify, ""))
		}
		c.told()
		time.Sleep(identifyPause)
		c.ok(phone, packet(CommandIdentify, ""))
		if lines := strings.Count(c.log.String(), "event=identify"); c.identified != 2 || lines != 2 {
			t.Errorf("identified %d times, logged %d", c.identified, lines)
		}
		c.ok(phone, packet(CommandIdentify, "x"))
		c.told("error 01")
	})
}

func TestDevice(t *testing.T) {
	long := strings.Repeat("ü", 100)
	c := newClient(t, func(c *Config) { c.Device = Device{Name: "n", Version: long} })
	c.ok(phone, packet(CommandDevice, ""))
	c.told(result(CommandDevice, "wifiprovd", strings.Repeat("ü", 24), "Linux", "n"))
	c.ok(phone, packet(CommandDeviceName, ""))
	c.told(result(CommandDeviceName, "n"))
}

func TestScan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		c.ok(phone, packet(CommandScan, ""))
		c.ok(phone2, packet(CommandScan, "")) // gets the same
		c.control.scans <- []wifi.Offer{
			{SSID: "b", SignalDBm: -80, Security: wifi.Open, Joinable: true},
			{SSID: "a", SignalDBm: -30, Security: wifi.WPA2PSK, Joinable: true},
			{SSID: "company", SignalDBm: -20},
			{SSID: "\xff", SignalDBm: -20, Security: wifi.Open, Joinable: true},
			{SSID: "c", SignalDBm: -81, Security: wifi.WPAAutoPersonal, Joinable: true},
			{SSID: "d", SignalDBm: -82, Security: wifi.WPA3SAE, Joinable: true},
			{SSID: "e", SignalDBm: -83, Security: wifi.AutoDetect, Joinable: true},
		}
		synctest.Wait()
		want := result(CommandScan, "a", "-30", "WPA2", "b", "-80", "NO", "c", "-81", "WPA2/WPA3", "d", "-82", "WPA3", "e", "-83", "WPA/WPA2")
		c.told(want, want)
		for _, central := range []gatt.Central{phone, phone2} {
			if got := fmt.Sprintf("result %x", c.read(central, ResultUUID)); got != want {
				t.Errorf("reads %s", got)
			}
		}
		c.ok(phone, packet(CommandScan, "")) // a moment later: the same again
		c.told(want)
	})
}

func TestScanFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		c.ok(phone, packet(CommandScan, ""))
		c.control.scans <- nil
		synctest.Wait()
		c.told("error ff")
		if err := c.scans.Start(phone2); err != nil { // another protocol's
			t.Fatal(err)
		}
		synctest.Wait()
		c.told()
	})
}

// A scan is bounded by the result's length, and by what a notification of this phone holds. Whoever
// has gone gets none.
func TestScanIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for mtu, want := range map[uint16]int{0: 6, 23: 6, 100: 2, 517: 6} {
			c := newClient(t)
			ask := func(central gatt.Central) {
				err := c.find(CommandUUID).Write(gatt.Request{Central: central, MTU: mtu}, []byte(packet(CommandScan, "")))
				if err != nil {
					t.Fatal(err)
				}
			}
			ask(phone)
			ask(phone2)
			c.profile.Gone(phone2)
			var found []wifi.Offer
			for i := range 20 {
				ssid := wifi.SSID(fmt.Sprintf("%032d", i))
				found = append(found, wifi.Offer{SSID: ssid, SignalDBm: -40 - i, Security: wifi.WPA2PSK, Joinable: true})
			}
			c.control.scans <- found
			synctest.Wait()
			got := c.read(phone, ResultUUID)
			if len(got) > maxPacket || mtu > 23 && len(got) > int(mtu)-3 || len(got) != 3+want*(33+4+5) {
				t.Errorf("MTU %d: %d bytes", mtu, len(got))
			}
			if len(c.notified) != 1 || len(c.read(phone2, ResultUUID)) != 0 {
				t.Errorf("notified %d", len(c.notified))
			}
		}
	})
}

func TestHostname(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		for _, tt := range []struct{ data, want string }{
			{"", result(CommandHostname, "gateway")},
			{"boiler-7", result(CommandHostname, "boiler-7")},
			{"\x06garage", result(CommandHostname, "garage")}, // as Home Assistant's client does
			{"\x00", result(CommandHostname, "garage")},
		} {
			c.ok(phone, packet(CommandHostname, tt.data))
			synctest.Wait()
			c.told(tt.want)
		}
		if !strings.Contains(c.log.String(), "event=hostname central="+phone+" hostname=garage") {
			t.Errorf("logged %s", c.log.String())
		}
		for _, bad := range []string{"-a", "a-", "a_b", "a.b", "a b", "ü", "\x01", strings.Repeat("x", 64)} {
			c.ok(phone, packet(CommandHostname, bad))
			synctest.Wait()
			c.told("error 05")
			c.ok(phone, packet(CommandDeviceName, ""))
			c.told("error 00", result(CommandDeviceName, "a gateway"))
		}
		c.hosts.err = errors.New("no hostnamed")
		for _, data := range []string{"", "x"} {
			c.ok(phone, packet(CommandHostname, data))
			synctest.Wait()
			c.told("error ff")
			c.ok(phone, packet(CommandIdentify, ""))
			c.told("error 00")
		}
		if c.hosts.name != "garage" {
			t.Errorf("the name is %s", c.hosts.name)
		}
	})
}
