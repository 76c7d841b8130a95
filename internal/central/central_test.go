package central_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/dbustest"
)

const gateway = "00:AA:01:00:00:00"

var uuids = []string{central.SSIDUUID, central.PasswordUUID, central.SecurityUUID, central.ControlUUID, central.StatusUUID, central.ReasonUUID}

func background(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// open returns a phone whose bluetoothd is a fake that hears one gateway.
func open(t *testing.T, o central.Options) (*dbustest.Phone, *central.Central) {
	t.Helper()
	o.Bus = dbustest.Start(t)
	fake := dbustest.NewPhone(t, o.Bus, uuids...)
	fake.AddGateway(gateway, "Wi-Fi Provisioning", central.ServiceUUID, -50)
	c, err := central.Open(background(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return fake, c
}

// connect finds the gateway and connects to it.
func connect(t *testing.T, c *central.Central) *central.Session {
	t.Helper()
	find(t, c)
	s, err := c.Connect(background(t), gateway)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func find(t *testing.T, c *central.Central) {
	t.Helper()
	if _, err := c.Find(background(t), func(central.Gateway) bool { return true }); err != nil {
		t.Fatal(err)
	}
}

func TestScan(t *testing.T) {
	fake, c := open(t, central.Options{})
	fake.AddGateway("00:AA:01:00:00:01", "a lamp", "0000180f-0000-1000-8000-00805f9b34fb", -40)
	got, err := c.Find(background(t), func(central.Gateway) bool { return true })
	want := central.Gateway{Address: gateway, Name: "Wi-Fi Provisioning", RSSI: -50}
	if err != nil || got != want {
		t.Errorf("found %+v, %v, want %+v", got, err, want)
	}
	ctx, cancel := context.WithCancel(background(t))
	if _, err := c.Find(ctx, func(central.Gateway) bool { cancel(); return false }); !errors.Is(err, central.ErrUnknownDevice) {
		t.Errorf("no gateway that matches: %v", err)
	}
}

func TestAdapters(t *testing.T) {
	bus := dbustest.Start(t)
	dbustest.NewPhone(t, bus)
	if _, err := central.Open(background(t), central.Options{Bus: bus, Adapter: "hci7"}); !errors.Is(err, central.ErrNoAdapter) {
		t.Errorf("an adapter that is not there: %v", err)
	}
	if _, err := central.Open(background(t), central.Options{Bus: dbustest.Start(t)}); !errors.Is(err, central.ErrBlueZGone) {
		t.Errorf("no bluetoothd: %v", err)
	}
}

func TestPair(t *testing.T) {
	answer := func(n uint32, err error) func(context.Context) (uint32, error) {
		return func(context.Context) (uint32, error) { return n, err }
	}
	nobody := errors.New("nobody is there")
	for name, test := range map[string]struct {
		refuse bool
		shown  string
		typed  func(context.Context) (uint32, error)
		check  func(error) bool
	}{
		"Just Works":      {check: func(err error) bool { return err == nil }},
		"passkey":         {shown: "012345", typed: answer(12345, nil), check: func(err error) bool { return err == nil }},
		"wrong passkey":   {shown: "012345", typed: answer(12346, nil), check: isPairingError(true)},
		"too long":        {shown: "012345", typed: answer(1012345, nil), check: func(err error) bool { return err != nil && !isPairingError(true)(err) }},
		"nobody to ask":   {shown: "012345", typed: answer(0, nobody), check: func(err error) bool { return errors.Is(err, nobody) }},
		"no callback":     {shown: "012345", check: func(err error) bool { return err != nil && !isPairingError(true)(err) }},
		"refused at once": {refuse: true, check: isPairingError(false)},
	} {
		t.Run(name, func(t *testing.T) {
			fake, c := open(t, central.Options{Passkey: test.typed})
			fake.Behave(dbustest.Behavior{Passkey: test.shown, RefusePairing: test.refuse})
			find(t, c)
			err := c.Pair(background(t), gateway)
			if !test.check(err) {
				t.Errorf("Pair: %v", err)
			}
			if got := c.Paired(gateway); got != (err == nil) {
				t.Errorf("paired: %v after %v", got, err)
			}
			if fake.Capability() != "KeyboardOnly" {
				t.Errorf("the agent's capability is %q", fake.Capability())
			}
		})
	}
}

func isPairingError(asked bool) func(error) bool {
	return func(err error) bool {
		var e *central.PairingError
		return errors.As(err, &e) && e.Asked == asked && e.Reason == "AuthenticationFailed"
	}
}

// Nothing that another program pairs with is this agent's business.
func TestAgentAnswersForItsOwnPairingOnly(t *testing.T) {
	bus := dbustest.Start(t)
	dbustest.NewPhone(t, bus)
	c, err := central.Open(background(t), central.Options{Bus: bus, Passkey: func(context.Context) (uint32, error) {
		t.Error("the passkey was asked for")
		return 0, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	other := dbustest.Connect(t, bus)
	var names []string
	if err := other.BusObject().Call("org.freedesktop.DBus.ListNames", 0).Store(&names); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, name := range names {
		if name[0] != ':' {
			continue
		}
		ctx, cancel := context.WithTimeout(background(t), time.Second)
		err := other.Object(name, "/org/wifiprovd/central/agent").
			CallWithContext(ctx, "org.bluez.Agent1.RequestPasskey", 0, dbus.ObjectPath("/org/bluez/hci0/dev_X")).Err
		cancel()
		var e dbus.Error
		if errors.As(err, &e) && e.Name == "org.bluez.Error.Rejected" {
			refused++
		}
	}
	if refused != 1 {
		t.Errorf("%d connections refused as an agent, want 1 of %v", refused, names)
	}
}

func TestRemoveBond(t *testing.T) {
	_, c := open(t, central.Options{})
	if err := c.RemoveBond(background(t), gateway); err != nil {
		t.Errorf("a gateway that is not known: %v", err)
	}
	find(t, c)
	if err := c.Pair(background(t), gateway); err != nil {
		t.Fatal(err)
	}
	if err := c.RemoveBond(background(t), gateway); err != nil || c.Paired(gateway) {
		t.Errorf("%v, paired: %v", err, c.Paired(gateway))
	}
	if _, err := c.Connect(background(t), gateway); !errors.Is(err, central.ErrUnknownDevice) {
		t.Errorf("connect to a forgotten gateway: %v", err)
	}
}
