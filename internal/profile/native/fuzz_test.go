package native

import (
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Each target writes what an attacker may write, then lets a phone provision.

func fuzz(f *testing.F, uuid string, check func(t *testing.T, value []byte, err error, c *client)) {
	f.Fuzz(func(t *testing.T, value []byte) {
		c := newClient(t)
		err := c.write(phone, uuid, string(value))
		check(t, value, err, c)
		c.daemon.asked = nil
		c.ok(phone2, SSIDUUID, "home", PasswordUUID, secret, ControlUUID, connect)
		c.asked(`connect ` + phone2 + ` "home" auto "` + secret + `"`)
		c.profile.CentralGone(phone)
	})
}

func FuzzSSID(f *testing.F) {
	fuzz(f, SSIDUUID, func(t *testing.T, value []byte, err error, c *client) {
		if accepted := err == nil; accepted != (len(value) >= 1 && len(value) <= 32) {
			t.Errorf("%d bytes: %v", len(value), err)
		}
		if err == nil && string(c.profile.staged.get(phone).SSID) != string(value) {
			t.Error("another SSID is staged")
		}
	})
}

func FuzzPassword(f *testing.F) {
	fuzz(f, PasswordUUID, func(t *testing.T, value []byte, err error, c *client) {
		if accepted := err == nil; accepted != (len(value) <= 64) {
			t.Errorf("%d bytes: %v", len(value), err)
		}
		if err == nil && string(c.profile.staged.get(phone).Passphrase.Bytes()) != string(value) {
			t.Error("another password is staged")
		}
	})
}

func FuzzSecurity(f *testing.F) {
	fuzz(f, SecurityUUID, func(t *testing.T, value []byte, err error, c *client) {
		if accepted := err == nil; accepted != (len(value) == 1 && wifi.Security(value[0]).Valid()) {
			t.Errorf("%x: %v", value, err)
		}
	})
}

func FuzzControl(f *testing.F) {
	fuzz(f, ControlUUID, func(t *testing.T, value []byte, err error, c *client) {
		want := len(value) == 1 && (value[0] == ControlConnect || value[0] == ControlErase)
		if accepted := err == nil; accepted != want || accepted != (len(c.daemon.asked) == 1) {
			t.Errorf("%x: %v; asked for %q", value, err, c.daemon.asked)
		}
	})
}
