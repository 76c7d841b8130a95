package native

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/bluez/gatt"
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
	held := c.profile.staged.centrals[phone].credentials.Passphrase.Bytes()
	c.profile.CentralGone(phone)
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
	first := c.profile.staged.centrals[phone].credentials.Passphrase.Bytes()
	c.ok(phone, PasswordUUID, "another one")
	second := c.profile.staged.centrals[phone].credentials.Passphrase.Bytes()
	c.ok(phone, ControlUUID, connect)
	for what, held := range map[string][]byte{"written": written, "overwritten": first, "used": second} {
		if slices.Max(held) != 0 {
			t.Errorf("the password that was %s is still in memory", what)
		}
	}
	if got := string(c.daemon.taken[0].Passphrase.Bytes()); got != "another one" {
		t.Errorf("the daemon's copy was wiped, too: %q", got)
	}
	if strings.Contains(c.log.String(), secret) {
		t.Error("the password is in the log")
	}
}

func TestStagingIsBoundedInNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		for i := range maxStaged + 3 {
			c.ok(fmt.Sprintf("AA:BB:CC:00:01:%02X", i), SSIDUUID, "home", PasswordUUID, secret)
			sleep(stageTimeout / 100)
		}
		if got := len(c.profile.staged.centrals); got != maxStaged {
			t.Errorf("%d centrals are staged, want %d", got, maxStaged)
		}
		for i, want := range map[int]bool{0: false, 2: false, 3: true, maxStaged + 2: true} {
			if _, ok := c.profile.staged.centrals[fmt.Sprintf("AA:BB:CC:00:01:%02X", i)]; ok != want {
				t.Errorf("central %d is staged: %v, want %v", i, ok, want)
			}
		}
		c.drop()
	})
}

func TestStagingIsBoundedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		c.ok(phone, PasswordUUID, secret)
		held := c.profile.staged.centrals[phone].credentials.Passphrase.Bytes()
		sleep(stageTimeout - 1)
		c.ok(phone, SSIDUUID, "home") // starts the time anew
		sleep(stageTimeout - 1)
		if string(held) != secret {
			t.Error("wiped too early")
		}
		sleep(1)
		if slices.Max(held) != 0 || len(c.profile.staged.centrals) != 0 {
			t.Error("not wiped in time")
		}
	})
}

// sleep lets fake time pass, and what is due in it happen.
func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// drop lets everybody go, so that no timer is left.
func (c *client) drop() {
	for central := range c.profile.staged.centrals {
		c.profile.CentralGone(central)
	}
}
