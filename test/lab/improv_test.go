//go:build lab

package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Improv Wi-Fi (docs/protocol.md). The lab knows what is published, not the daemon's code.
const (
	improvState   = "00467768-6228-2272-4663-277478268001"
	improvError   = "00467768-6228-2272-4663-277478268002"
	improvCommand = "00467768-6228-2272-4663-277478268003"
	improvResult  = "00467768-6228-2272-4663-277478268004"
	improvData    = "00004677-0000-1000-8000-00805f9b34fb"

	improvAuthorized  = 2
	improvProvisioned = 4

	improvWifi     = 1
	improvIdentify = 2
	improvHostname = 5
)

// both has the gateway speak both protocols.
func both(more ...string) map[string]string {
	settings := map[string]string{"bluetooth.protocols": "[native, improv]", "improv.url": "http://{address}/"}
	for i := 0; i+1 < len(more); i += 2 {
		settings[more[i]] = more[i+1]
	}
	return settings
}

// improvPacket returns a command, or a result: each string with its length before it.
func improvPacket(command byte, list ...string) []byte {
	var data []byte
	for _, s := range list {
		data = append(append(data, byte(len(s))), s...)
	}
	packet := append([]byte{command, byte(len(data))}, data...)
	var sum byte
	for _, b := range packet {
		sum += b
	}
	return append(packet, sum)
}

// seen is what one provisioning looked like from everywhere.
type seen struct {
	statuses []central.Status // as a phone of the native protocol is notified
	states   []byte           // as one of Improv is
	errors   []byte
	dbus     []string
	journal  []string
}

// watching is a phone that follows both protocols.
type watching struct {
	*phone
	states, errors, results <-chan []byte
	bus                     <-chan *dbus.Signal
}

// watchBoth returns a phone that is connected and follows both protocols.
func watchBoth(t testing.TB) *watching {
	t.Helper()
	w := &watching{phone: ready(t, true), bus: statusChanges(t)}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	for uuid, values := range map[string]*<-chan []byte{improvState: &w.states, improvError: &w.errors, improvResult: &w.results} {
		var err error
		if *values, err = w.session.Watch(ctx, uuid); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// become waits until Improv's state is want, and returns those that were notified.
func (w *watching) become(want byte) (states []byte) {
	w.t.Helper()
	return append(states, w.until(w.states, "state", func(v []byte) bool { return bytes.Equal(v, []byte{want}) })...)
}

// until returns the first byte of each value up to the one that is last.
func (w *watching) until(values <-chan []byte, what string, last func([]byte) bool) (all []byte) {
	w.t.Helper()
	late := time.After(patience)
	for {
		select {
		case v, ok := <-values:
			if !ok || len(v) == 0 {
				w.t.Fatalf("no more of %s after % x", what, all)
			}
			if all = append(all, v[0]); last(v) {
				return all
			}
		case <-late:
			w.t.Fatalf("%s: only % x within %s", what, all, patience)
		}
	}
}

// rest returns what was notified and not taken.
func rest(values <-chan []byte) (all []byte) {
	for {
		select {
		case v := <-values:
			all = append(all, v...)
		default:
			return all
		}
	}
}

// improvProvision sends the Wi-Fi settings in pieces of 20 bytes, as a client with the smallest MTU.
func (p *phone) improvProvision(ssid, password string) {
	p.t.Helper()
	secret(p.t, ssid, password)
	for piece := range slices.Chunk(improvPacket(improvWifi, ssid, password), 20) {
		p.mustWrite(improvCommand, piece...)
	}
}

// TestSameByEveryProtocol plays the same provisioning, a wrong password and then the right one, by each
// protocol, and compares what a phone of each, the journal, and programs on the bus see of it.
func TestSameByEveryProtocol(t *testing.T) {
	home := AP{SSID: "the same home", Security: wifi.WPA2PSK, Passphrase: "the same passphrase"}
	var first *seen
	code := ""
	byCode := func(p *phone, password string) {
		secret(p.t, home.SSID, password)
		err := p.prove(code).Provision(p.deadline(), wifi.Credentials{SSID: wifi.SSID(home.SSID), Passphrase: wifi.NewPassphrase([]byte(password))})
		if err != nil {
			p.t.Fatal(err)
		}
	}
	for _, protocol := range []struct {
		name      string
		provision func(p *phone, password string)
		result    bool
	}{
		{"native", func(p *phone, password string) { p.provision(home.SSID, password, wifi.AutoDetect) }, false},
		{"improv", func(p *phone, password string) { p.improvProvision(home.SSID, password) }, true},
		{"espressif", byCode, false},
	} {
		t.Run(protocol.name, func(t *testing.T) {
			config := both()
			if protocol.name == "espressif" { // the others stay open, to be compared
				config = both("bluetooth.protocols", "[native, improv, espressif]", "bluetooth.require_code", "false")
			}
			g := start(t, situation{aps: []AP{home}, config: config})
			if protocol.name == "espressif" {
				code = g.newCode()
			}
			w := watchBoth(t)
			from := g.journal.mark(t, "the phone provisions")
			protocol.provision(w.phone, "not the same passphrase")
			states := w.become(improvAuthorized)
			protocol.provision(w.phone, home.Passphrase)
			states = append(states, w.become(improvProvisioned)...)
			waitFor(t, "online", patience, func() error { return g.online(1) })
			got := w.saw(g, from)
			got.states = states
			want := &seen{
				statuses: []central.Status{central.StatusConnecting, central.StatusFailed, central.StatusConnecting, central.StatusConnected},
				states:   []byte{3, 2, 3, 4}, errors: []byte{3, 0},
				dbus:    []string{"CONNECTING", "FAILED", "CONNECTING", "CONNECTED"},
				journal: []string{"CONNECTING none", "FAILED wrong-password", "CONNECTING none", "CONNECTED none"},
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("saw  %+v\nwant %+v", got, want)
			}
			if first != nil && !reflect.DeepEqual(got, first) {
				t.Errorf("saw %+v, by the first protocol %+v", got, first)
			}
			first = got
			url := improvPacket(improvWifi, "http://"+leased(t)[0].Addr().String()+"/")
			switch result := rest(w.results); {
			case protocol.result && !bytes.Equal(result, url):
				t.Errorf("the result is %q, want %q", result, url)
			case !protocol.result && len(result) > 0:
				t.Errorf("there is a result: %q", result)
			}
			g.stores(&home)
		})
	}
}

// saw returns what was seen since the journal's entry from, but the states.
func (w *watching) saw(g *gateway, from int) *seen {
	w.t.Helper()
	got := &seen{errors: rest(w.errors)}
	for _, b := range rest(w.statuses) {
		got.statuses = append(got.statuses, central.Status(b))
	}
	for len(w.bus) > 0 {
		if status, ok := statusIn(<-w.bus).(string); ok {
			got.dbus = append(got.dbus, status)
		}
	}
	g.from = from
	g.becomes(central.StatusConnected)
	for _, e := range g.journal.since(from) {
		if e.showsStatus() {
			got.journal = append(got.journal, e["WIFIPROVD_STATUS"]+" "+e["WIFIPROVD_REASON"])
		}
	}
	return got
}

// heard returns the service data of Improv that a phone hears, and whether it hears the native
// protocol's service, too.
func heard(t testing.TB, gateway string) (data []byte, native bool) {
	t.Helper()
	device := deviceObject(t, phoneHCI, gateway)
	values, _ := device["ServiceData"].Value().(map[string]dbus.Variant)
	data, _ = values[improvData].Value().([]byte)
	uuids, _ := device["UUIDs"].Value().([]string)
	return data, slices.Contains(uuids, central.ServiceUUID)
}

// hears listens until a phone hears both protocols, Improv in this state. Not by p.find, which listens for
// the native protocol's service alone.
func (p *phone) hears(state byte) {
	p.t.Helper()
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // ends the discovery
	adapter := conn.Object("org.bluez", "/org/bluez/"+phoneHCI)
	filter := map[string]dbus.Variant{"Transport": dbus.MakeVariant("le")}
	if err := adapter.Call("org.bluez.Adapter1.SetDiscoveryFilter", 0, filter).Err; err != nil {
		p.t.Fatal(err)
	}
	if err := adapter.Call("org.bluez.Adapter1.StartDiscovery", 0).Err; err != nil {
		p.t.Fatal(err)
	}
	want := []byte{state, 15, 0, 0, 0, 0}
	took := waitFor(p.t, "both advertisements", 2*patience, func() error {
		if data, native := heard(p.t, p.gateway); !bytes.Equal(data, want) || !native {
			return fmt.Errorf("service data % x, native %t", data, native)
		}
		return nil
	})
	p.t.Logf("hears both after %s", took)
}

// TestImprovAdvertising: both protocols are advertised at once where the controller has room, and take
// turns where other programs have left room for one. The service data follows the state.
func TestImprovAdvertising(t *testing.T) {
	open := AP{SSID: "advertised", Security: wifi.Open}
	g := start(t, situation{aps: []AP{open}, config: both()})
	waitFor(t, "two advertisements", patience, func() error { return g.advertises(2) })
	p := newPhone(t, "", nil)
	p.hears(improvAuthorized)
	p.find()
	p.pair()
	p.connect()
	p.watch()
	p.improvProvision(open.SSID, "")
	p.expect(central.StatusConnecting, central.StatusConnected)
	p.leave()
	p.hears(improvProvisioned)

	t.Log("other programs advertise, too")
	systemctl(t, "stop", unit)
	if err := p.central.RemoveBond(p.deadline(), p.gateway); err != nil {
		t.Fatal(err)
	}
	fillInstances(t, 1)
	g.start()
	g.event("advertising")
	p.hears(improvProvisioned)
}

// fillInstances advertises for another program until the controller has room for so many more.
func fillInstances(t testing.TB, left byte) {
	t.Helper()
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	adapter := conn.Object("org.bluez", "/org/bluez/"+gatewayHCI)
	for i := 0; ; i++ {
		value, err := adapter.GetProperty("org.bluez.LEAdvertisingManager1.SupportedInstances")
		if err != nil {
			t.Fatal(err)
		}
		if free, _ := value.Value().(byte); free <= left {
			t.Logf("%d advertisements of another program leave room for %d", i, free)
			return
		}
		path := dbus.ObjectPath(fmt.Sprintf("/other%d", i))
		_, err = prop.Export(conn, path, prop.Map{"org.bluez.LEAdvertisement1": {
			"Type":         {Value: "peripheral"},
			"Duration":     {Value: uint16(1)}, // the kernel shows one of them at a time, for so many seconds
			"ServiceUUIDs": {Value: []string{fmt.Sprintf("0000181%d-0000-1000-8000-00805f9b34fb", i)}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		if err := adapter.Call("org.bluez.LEAdvertisingManager1.RegisterAdvertisement", 0, path, map[string]dbus.Variant{}).Err; err != nil {
			t.Fatal(err)
		}
	}
}

// TestImprovHostname reads and sets the host name of the machine through the hardened daemon, and sees
// an identify in the journal.
func TestImprovHostname(t *testing.T) {
	t.Cleanup(func() { run(t, "hostnamectl", "set-hostname", "gateway") })
	g := start(t, situation{config: both()})
	w := watchBoth(t)
	ask := func(command ...byte) []byte {
		t.Helper()
		w.mustWrite(improvCommand, command...)
		select {
		case result := <-w.results:
			return result
		case <-time.After(patience):
			t.Fatalf("no result; errors % x", rest(w.errors))
			return nil
		}
	}
	if got, want := ask(improvPacket(improvHostname)...), improvPacket(improvHostname, "gateway"); !bytes.Equal(got, want) {
		t.Errorf("the host name is %q, want %q", got, want)
	}
	if got, want := ask(improvPacket(improvHostname, "boiler-7")...), improvPacket(improvHostname, "boiler-7"); !bytes.Equal(got, want) {
		t.Errorf("the new host name is %q, want %q", got, want)
	}
	g.event("hostname", "WIFIPROVD_HOSTNAME=boiler-7")
	if got, err := os.ReadFile("/etc/hostname"); err != nil || strings.TrimSpace(string(got)) != "boiler-7" {
		t.Errorf("/etc/hostname has %q, %v", got, err)
	}
	if got := strings.TrimSpace(run(t, "hostname")); got != "boiler-7" {
		t.Errorf("the machine is called %q", got)
	}
	w.mustWrite(improvCommand, improvPacket(improvHostname, "not valid")...)
	w.until(w.errors, "error", func(v []byte) bool { return bytes.Equal(v, []byte{5}) })
	w.mustWrite(improvCommand, improvPacket(improvIdentify)...)
	g.event("identify", "WIFIPROVD_CENTRAL="+adapterAddress(t, phoneHCI))
}

// TestImprovPairing: the security mode guards Improv's service as it guards the others.
func TestImprovPairing(t *testing.T) {
	start(t, situation{config: both()})
	r := dialATT(t, phoneHCI, notEncrypted)
	defer r.leave()
	if _, err := r.read(improvState); !errors.Is(err, central.ATTError(attInsufficientEncryption)) {
		t.Errorf("state, without pairing: %v", err)
	}
	if err := r.write(improvCommand, improvPacket(improvIdentify)...); !errors.Is(err, central.ATTError(attInsufficientEncryption)) {
		t.Errorf("command, without pairing: %v", err)
	}
}
