package bluez

import (
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

// Another program's agent does not stay the default one, and an agent that
// bluetoothd has lost is registered again.
func TestCheck(t *testing.T) {
	r := newRig(t, gatt.Encrypt)
	r.p.Check()
	r.requested("RequestDefaultAgent", 2)
	r.bluez.Fail("RequestDefaultAgent", "DoesNotExist", 1)
	r.eventually("a new registration", func() bool {
		r.p.Check()
		return count(r.bluez.Requests(), "RegisterAgent") == 2
	})
	r.quiet()
}

// A bluetoothd that hangs is asked until it answers.
func TestCheckHangs(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the deadline of a call")
	}
	r := newRig(t, gatt.Encrypt)
	r.bluez.Hang("RequestDefaultAgent", 1)
	r.p.Check()
	r.requested("RequestDefaultAgent", 3)
	r.quiet()
}
