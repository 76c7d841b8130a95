package native

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

func TestCentralsDoNotMix(t *testing.T) {
	c := newClient(t)
	c.ok(phone, SSIDUUID, "one", PasswordUUID, "password one")
	c.ok(phone2, SSIDUUID, "two")
	c.ok(phone2, ControlUUID, connect)
	c.ok(phone, ControlUUID, connect)
	c.asked(`connect `+phone2+` "two" auto ""`, `connect `+phone+` "one" auto "password one"`)
}

func TestStagedIsGoneWithItsCentral(t *testing.T) {
	c := newClient(t)
	c.ok(phone, SSIDUUID, "home", PasswordUUID, secret)
	held := c.held(phone)
	c.profile.Gone(phone)
	if slices.Max(held) != 0 {
		t.Error("the password is still in memory")
	}
	c.ok(phone, ControlUUID, connect)
	c.asked(`connect ` + phone + ` "" auto ""`)
}

func TestPasswordsAreWiped(t *testing.T) {
	c := newClient(t)
	written := []byte(secret)
	if err := c.find(PasswordUUID).Write(gatt.Request{Central: phone}, written); err != nil {
		t.Fatal(err)
	}
	first := c.held(phone)
	c.ok(phone, PasswordUUID, "another one")
	second := c.held(phone)
	c.ok(phone, ControlUUID, connect)
	for what, held := range map[string][]byte{"written": written, "overwritten": first, "used": second} {
		if slices.Max(held) != 0 {
			t.Errorf("the password that was %s is still in memory", what)
		}
	}
	if got := string(c.control.taken[0].Passphrase.Bytes()); got != "another one" {
		t.Errorf("the gateway's copy was wiped, too: %q", got)
	}
	if strings.Contains(c.log.String(), secret) {
		t.Error("the password is in the log")
	}
}

// Whoever writes with ever new addresses replaces the central idle for longest, and none
// of the others.
func TestStagingIsBoundedInNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		central := func(i int) gatt.Central { return gatt.Central(fmt.Sprintf("AA:BB:CC:00:01:%02X", i)) }
		var held [][]byte
		for i := range maxCentrals + 3 {
			c.ok(central(i), SSIDUUID, "home", PasswordUUID, secret)
			held = append(held, c.held(central(i)))
			sleep(stageTimeout / 100)
		}
		for i, password := range held {
			if got, want := string(password) == secret, i >= 3; got != want || (c.held(central(i)) != nil) != want {
				t.Errorf("central %d is staged: %v, want %v", i, got, want)
			}
		}
	})
}

func TestStagingIsBoundedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		c.ok(phone, PasswordUUID, secret)
		held := c.held(phone)
		sleep(stageTimeout - 1)
		c.ok(phone, SSIDUUID, "home") // starts the time anew
		sleep(stageTimeout - 1)
		if string(held) != secret {
			t.Error("wiped too early")
		}
		sleep(1)
		if slices.Max(held) != 0 || c.held(phone) != nil {
			t.Error("not wiped in time")
		}
		c.ok(phone, ControlUUID, connect)
		c.asked(`connect ` + phone + ` "" auto ""`)
	})
}
