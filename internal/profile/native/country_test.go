package native

import (
	"errors"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

func TestCountry(t *testing.T) {
	c := newClient(t)
	if got := c.read(phone, CountryUUID); len(got) != 0 {
		t.Errorf("read %q at the start", got)
	}
	c.ok(phone, CountryUUID, "DE")
	c.asked("country " + phone + " DE")
	c.change(func(s *gateway.Snapshot) { s.Country = "FR" }) // whoever said so
	if got := c.read(phone, CountryUUID); string(got) != "FR" {
		t.Errorf("read %q", got)
	}
	for err, want := range map[error]error{
		gateway.ErrConfigured: gatt.ApplicationError(0x85),
		gateway.ErrBusy:       gatt.ErrInProgress,
		gateway.ErrShut:       gatt.ErrNotPermitted,
	} {
		c.control.answer = err
		if err := c.write(phone, CountryUUID, "GB"); !errors.Is(err, want) {
			t.Errorf("answered %v, want %v", err, want)
		}
	}
}
