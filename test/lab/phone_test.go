//go:build lab

package lab

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// phone is the other adapter in the role of a phone.
type phone struct {
	t        testing.TB
	central  *central.Central
	session  *central.Session // nil until connect
	gateway  string           // the gateway's address
	statuses <-chan []byte    // notified since watch
	paired   time.Time
}

// newPhone returns a phone with that pairing capability; empty: KeyboardOnly. If it is asked for a
// passkey, it asks passkey, which may be nil.
func newPhone(t testing.TB, capability string, passkey func(context.Context) (uint32, error)) *phone {
	t.Helper()
	p := &phone{t: t, gateway: adapterAddress(t, gatewayHCI)}
	ctx := p.deadline()
	c, err := central.Open(ctx, central.Options{Adapter: phoneHCI, Capability: capability, Passkey: passkey})
	if err != nil {
		t.Fatal(err)
	}
	p.central = c
	t.Cleanup(func() {
		p.leave()
		c.Close()
	})
	return p
}

// ready returns a phone that has found the gateway, has paired with it if paired is set, is
// connected, and follows Status.
func ready(t testing.TB, paired bool) *phone {
	t.Helper()
	p := newPhone(t, "", nil)
	p.find()
	if paired {
		p.pair()
	}
	p.connect()
	p.watch()
	return p
}

// deadline returns a context that ends with the test, or after patience.
func (p *phone) deadline() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	p.t.Cleanup(cancel)
	return ctx
}

// find looks for the gateway until it is heard.
func (p *phone) find() central.Gateway {
	p.t.Helper()
	g, err := p.central.Find(p.deadline(), func(g central.Gateway) bool { return g.Address == p.gateway })
	if err != nil {
		p.t.Fatal(err)
	}
	return g
}

func (p *phone) pair() {
	p.t.Helper()
	p.mayConnect()
	if err := p.central.Pair(p.deadline(), p.gateway); err != nil {
		p.t.Fatal(err)
	}
	p.paired = time.Now()
}

func (p *phone) connect() {
	p.t.Helper()
	p.mayConnect()
	s, err := p.central.Connect(p.deadline(), p.gateway)
	if err != nil {
		p.t.Fatal(err)
	}
	p.session = s
}

// mayConnect waits until the gateway can be connected to, unless it is connected already, as it is
// after pair.
func (p *phone) mayConnect() {
	p.t.Helper()
	if !deviceFlag(p.t, phoneHCI, p.gateway, "Connected") {
		waitAdvertising(p.t)
	}
}

// leave disconnects, if there is a connection, and waits until the gateway has noticed.
func (p *phone) leave() {
	if p.session == nil {
		return
	}
	noteProperties(p.t)
	time.Sleep(time.Until(p.paired.Add(reverseDiscovery)))
	disconnect(p.t, phoneHCI, p.gateway)
	p.session = nil
	waitGone(p.t, adapterAddress(p.t, phoneHCI))
}

// isCut waits until the gateway has disconnected the phone.
func (p *phone) isCut() {
	p.t.Helper()
	select {
	case <-p.session.Lost():
	case <-time.After(patience):
		p.t.Fatal("still connected")
	}
	p.session = nil
}

// watch subscribes to Status.
func (p *phone) watch() {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p.t.Cleanup(cancel)
	statuses, err := p.session.Watch(ctx, central.StatusUUID)
	if err != nil {
		p.t.Fatal(err)
	}
	p.statuses = statuses
}

// write writes a value and returns the gateway's answer.
func (p *phone) write(uuid string, value []byte) error {
	return p.session.Write(p.deadline(), uuid, value)
}

// mustWrite writes a value that the gateway must accept.
func (p *phone) mustWrite(uuid string, value ...byte) {
	p.t.Helper()
	if err := p.write(uuid, value); err != nil {
		p.t.Fatal(err)
	}
}

// stage writes SSID, Password and, unless it is AutoDetect, Security.
func (p *phone) stage(ssid, password string, security wifi.Security) {
	p.t.Helper()
	secret(p.t, ssid, password)
	p.mustWrite(central.SSIDUUID, []byte(ssid)...)
	p.mustWrite(central.PasswordUUID, []byte(password)...)
	if security != wifi.AutoDetect {
		p.mustWrite(central.SecurityUUID, byte(security))
	}
}

func (p *phone) command(c central.Control) {
	p.t.Helper()
	p.mustWrite(central.ControlUUID, byte(c))
}

// provision stages a network and writes CONNECT.
func (p *phone) provision(ssid, password string, security wifi.Security) {
	p.t.Helper()
	p.stage(ssid, password, security)
	p.command(central.ControlConnect)
}

// expect waits for exactly these notifications of Status, in this order, and returns how long the
// last one took. Do not read Status meanwhile: BlueZ announces what was read in the same way as what
// was notified.
func (p *phone) expect(want ...central.Status) time.Duration {
	p.t.Helper()
	begin := time.Now()
	for i, w := range want {
		select {
		case value, ok := <-p.statuses:
			if !ok {
				p.t.Fatalf("the connection was lost before %s was notified", w)
			}
			if len(value) != 1 || central.Status(value[0]) != w {
				p.t.Fatalf("notified % x, want %s (number %d of %v)", value, w, i+1, want)
			}
		case <-time.After(patience):
			p.t.Fatalf("%s was not notified within %s (number %d of %v)", w, patience, i+1, want)
		}
	}
	return time.Since(begin)
}

// until waits for a notification of want. Others may come before it: of what was under way.
func (p *phone) until(want central.Status) {
	p.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case value, ok := <-p.statuses:
			if !ok {
				p.t.Fatalf("the connection was lost before %s was notified", want)
			}
			if len(value) == 1 && central.Status(value[0]) == want {
				return
			}
		case <-timeout:
			p.t.Fatalf("%s was not notified within %s", want, patience)
		}
	}
}

// status reads Status.
func (p *phone) status() central.Status {
	p.t.Helper()
	value, err := p.session.Read(p.deadline(), central.StatusUUID)
	if err != nil || len(value) != 1 {
		p.t.Fatalf("read Status: % x, %v", value, err)
	}
	return central.Status(value[0])
}

// reason reads why the last attempt failed.
func (p *phone) reason() wifi.Failure {
	p.t.Helper()
	value, err := p.session.Read(p.deadline(), central.ReasonUUID)
	if err != nil || len(value) != 1 {
		p.t.Fatalf("read Reason: % x, %v", value, err)
	}
	return wifi.Failure(value[0])
}

// adapterAddress returns the address of an adapter, from bluetoothd.
func adapterAddress(t testing.TB, name string) string {
	t.Helper()
	var address string
	waitFor(t, "adapter "+name, patience, func() error {
		value, err := bus(t).Object("org.bluez", dbus.ObjectPath("/org/bluez/"+name)).GetProperty("org.bluez.Adapter1.Address")
		if err != nil {
			return err
		}
		var ok bool
		if address, ok = value.Value().(string); !ok {
			return fmt.Errorf("address is %v", value)
		}
		return nil
	})
	return address
}
