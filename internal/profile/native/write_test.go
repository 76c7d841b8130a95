package native

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

func TestConnect(t *testing.T) {
	c := newClient(t)
	c.ok(phone, SSIDUUID, "home \xff", PasswordUUID, secret, SecurityUUID, "\x03", ControlUUID, connect)
	c.asked(`connect ` + phone + ` "home \xff" wpa3 "` + secret + `"`)
	if !slices.Equal(c.control.prepared, []wifi.SSID{"home \xff"}) {
		t.Errorf("the gateway was told to prepare for %q", c.control.prepared)
	}
	// All of it is gone with CONNECT.
	c.ok(phone, ControlUUID, connect)
	c.asked(`connect ` + phone + ` "" auto ""`)
}

func TestConnectWithDefaults(t *testing.T) {
	c := newClient(t)
	c.ok(phone, SSIDUUID, "home", ControlUUID, connect)
	c.asked(`connect ` + phone + ` "home" auto ""`)
}

func TestLaterWriteWins(t *testing.T) {
	c := newClient(t)
	c.ok(phone, PasswordUUID, "first pass", SSIDUUID, "first", SecurityUUID, "\x01",
		SSIDUUID, "second", PasswordUUID, "second pass", SecurityUUID, "\xff", ControlUUID, connect)
	c.asked(`connect ` + phone + ` "second" auto "second pass"`)
}

func TestOpenDropsThePassword(t *testing.T) {
	c := newClient(t)
	c.ok(phone, SSIDUUID, "cafe", PasswordUUID, secret, SecurityUUID, "\x00", ControlUUID, connect)
	c.asked(`connect ` + phone + ` "cafe" open ""`)
	if !strings.Contains(c.log.String(), "event=password-ignored") || strings.Contains(c.log.String(), secret) {
		t.Error("no warning, or it tells the password")
	}
}

func TestErase(t *testing.T) {
	c := newClient(t)
	c.ok(phone, SSIDUUID, "home", ControlUUID, erase, ControlUUID, connect)
	c.asked("erase "+phone, `connect `+phone+` "" auto ""`)
}

func TestWhatIsRefused(t *testing.T) {
	for _, test := range []struct {
		uuid, value string
		want        error
	}{
		{SSIDUUID, "", gatt.ErrInvalidLength},
		{SSIDUUID, strings.Repeat("x", 33), gatt.ErrInvalidLength},
		{PasswordUUID, strings.Repeat("x", 65), gatt.ErrInvalidLength},
		{SecurityUUID, "", gatt.ErrInvalidLength},
		{SecurityUUID, "\x01\x01", gatt.ErrInvalidLength},
		{SecurityUUID, "\x04", gatt.ApplicationError(0x81)},
		{SecurityUUID, "\x05", gatt.ApplicationError(0x81)},
		{SecurityUUID, "\x07", gatt.ApplicationError(0x81)},
		{SecurityUUID, "\xfe", gatt.ApplicationError(0x81)},
		{ControlUUID, "", gatt.ErrInvalidLength},
		{ControlUUID, "\x01\x00", gatt.ErrInvalidLength},
		{ControlUUID, "\x00", gatt.ApplicationError(0x82)},
		{ControlUUID, "\x03", gatt.ApplicationError(0x82)},
		{ControlUUID, "\xff", gatt.ApplicationError(0x82)},
		{CountryUUID, "", gatt.ErrInvalidLength},
		{CountryUUID, "DEU", gatt.ErrInvalidLength},
		{CountryUUID, "00", gatt.ApplicationError(0x84)},
		{CountryUUID, "de", gatt.ApplicationError(0x84)},
		{CountryUUID, "XX", gatt.ApplicationError(0x84)},
		{CountryUUID, "\xff\x00", gatt.ApplicationError(0x84)},
	} {
		c := newClient(t)
		if err := c.write(phone, test.uuid, test.value); !errors.Is(err, test.want) {
			t.Errorf("%s %q: got %v, want %v", test.uuid[4:8], test.value, err, test.want)
		}
		c.ok(phone, ControlUUID, connect)
		c.asked(`connect ` + phone + ` "" auto ""`) // nothing of it is staged
	}
}

func TestWhatIsAccepted(t *testing.T) {
	for _, write := range [][2]string{
		{SSIDUUID, "x"}, {SSIDUUID, strings.Repeat("x", 32)},
		{PasswordUUID, ""}, {PasswordUUID, "short"}, {PasswordUUID, strings.Repeat("x", 64)},
		{SecurityUUID, "\x00"}, {SecurityUUID, "\x01"}, {SecurityUUID, "\x02"}, {SecurityUUID, "\x03"},
		{SecurityUUID, "\x06"}, {SecurityUUID, "\xff"},
	} {
		newClient(t).ok(phone, write[0], write[1])
	}
}

func TestBusy(t *testing.T) {
	c := newClient(t)
	c.ok(phone2, SSIDUUID, "kept")
	c.control.busyFor = phone
	for _, write := range [][2]string{
		{SSIDUUID, "x"}, {PasswordUUID, secret}, {SecurityUUID, "\x01"}, {ControlUUID, connect}, {ControlUUID, erase},
		{CountryUUID, "DE"},
	} {
		if err := c.write(phone2, write[0], write[1]); !errors.Is(err, gatt.ErrInProgress) {
			t.Errorf("%s: got %v", write[0][4:8], err)
		}
		if err := c.write(phone, write[0], write[1]); err != nil {
			t.Errorf("%s of the central whose attempt it is: %v", write[0][4:8], err)
		}
	}
	c.control.asked, c.control.busyFor = nil, ""
	c.ok(phone2, ControlUUID, connect)
	c.asked(`connect ` + phone2 + ` "kept" auto ""`)
}

// What the gateway does not take now, the phone can ask for again.
func TestGatewayRefuses(t *testing.T) {
	c := newClient(t)
	c.ok(phone, SSIDUUID, "home", PasswordUUID, secret)
	c.control.answer = fmt.Errorf("wrapped: %w", gateway.ErrBusy)
	for _, control := range []string{connect, erase} {
		if err := c.write(phone, ControlUUID, control); !errors.Is(err, gatt.ErrInProgress) {
			t.Errorf("got %v", err)
		}
	}
	if slices.Max(c.control.taken[0].Passphrase.Bytes()) != 0 {
		t.Error("the refused copy is still in memory")
	}
	other := errors.New("other")
	c.control.answer = other
	if err := c.write(phone, ControlUUID, connect); !errors.Is(err, other) {
		t.Errorf("got %v", err)
	}
	c.control.asked, c.control.answer = nil, nil
	c.ok(phone, ControlUUID, connect)
	c.asked(`connect ` + phone + ` "home" auto "` + secret + `"`)
}

// A GATT call that does not say which central it is for is refused: it is neither the
// operator's, nor does it mix with another central's.
func TestNobody(t *testing.T) {
	c := newClient(t)
	for _, write := range [][2]string{
		{SSIDUUID, "x"}, {PasswordUUID, secret}, {SecurityUUID, "\x01"}, {ControlUUID, connect}, {ControlUUID, erase},
	} {
		if err := c.write("", write[0], write[1]); !errors.Is(err, gateway.ErrNobody) {
			t.Errorf("%s: got %v", write[0][4:8], err)
		}
	}
	c.asked()
	if c.held("") != nil || len(c.control.prepared) != 0 {
		t.Error("what nobody wrote is staged")
	}
	c.ok(phone, ControlUUID, connect)
	c.asked(`connect ` + phone + ` "" auto ""`)
}

// So is one that only the gateway finds to be nobody's.
func TestGatewayKnowsNobody(t *testing.T) {
	c := newClient(t)
	c.control.answer = gateway.ErrNobody
	for _, control := range []string{connect, erase} {
		err := c.write(phone, ControlUUID, control)
		if !errors.Is(err, gateway.ErrNobody) || errors.Is(err, gatt.ErrInProgress) {
			t.Errorf("got %v", err)
		}
	}
}
