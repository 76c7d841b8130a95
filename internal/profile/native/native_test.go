package native

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/bluez/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const (
	phone  = "AA:BB:CC:00:00:01"
	phone2 = "AA:BB:CC:00:00:02"
	secret = "correct horse battery"
)

// recorder is a Daemon that remembers what it was asked for.
type recorder struct {
	busyFor  string // the central whose attempt runs; empty: none
	answer   error
	asked    []string
	expected []wifi.SSID
	taken    []wifi.Credentials
}

func (d *recorder) Busy(central string) bool { return d.busyFor != "" && d.busyFor != central }

func (d *recorder) Expect(ssid wifi.SSID) { d.expected = append(d.expected, ssid) }

func (d *recorder) Connect(central string, c wifi.Credentials) error {
	d.asked = append(d.asked, fmt.Sprintf("connect %s %s %s %q", central, c.SSID, c.Security, c.Passphrase.Bytes()))
	d.taken = append(d.taken, c)
	return d.answer
}

func (d *recorder) Erase(central string) error {
	d.asked = append(d.asked, "erase "+central)
	return d.answer
}

// client writes and reads as phones do.
type client struct {
	t       testing.TB
	daemon  *recorder
	profile *Profile
	log     bytes.Buffer
}

func newClient(t testing.TB) *client {
	c := &client{t: t, daemon: &recorder{}}
	c.profile = New(c.daemon, slog.New(slog.NewTextHandler(&c.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	return c
}

func (c *client) find(uuid string) *gatt.Characteristic {
	list := c.profile.Service().Characteristics
	i := slices.IndexFunc(list, func(ch *gatt.Characteristic) bool { return ch.UUID == uuid })
	if i < 0 {
		c.t.Fatalf("there is no %s", uuid)
	}
	return list[i]
}

func (c *client) write(central, uuid, value string) error {
	return c.find(uuid).Write(gatt.Request{Central: central, MTU: 23}, []byte(value))
}

// ok writes values, given as UUID and value in turn, which must all be accepted.
func (c *client) ok(central string, writes ...string) {
	c.t.Helper()
	for i := 0; i < len(writes); i += 2 {
		if err := c.write(central, writes[i], writes[i+1]); err != nil {
			c.t.Fatalf("%s: %v", writes[i], err)
		}
	}
}

// asked fails the test unless this is all that the daemon was asked for.
func (c *client) asked(want ...string) {
	c.t.Helper()
	if !slices.Equal(c.daemon.asked, want) {
		c.t.Errorf("the daemon was asked for %q, want %q", c.daemon.asked, want)
	}
	c.daemon.asked = nil
}

const (
	connect = string(rune(ControlConnect))
	erase   = string(rune(ControlErase))
)

func TestService(t *testing.T) {
	service := newClient(t).profile.Service()
	if service.UUID != "8b840001-f6fa-4e33-9a0c-e14d9f35f201" {
		t.Errorf("service %s", service.UUID)
	}
	var got []string
	for _, c := range service.Characteristics {
		line := c.UUID[4:8]
		if c.Write != nil {
			line += " write"
		}
		if c.Read != nil {
			line += " read"
		}
		if c.Notify != nil {
			line += " notify"
		}
		got = append(got, line)
	}
	want := []string{"0002 write", "0003 write", "0004 write", "0005 write", "0006 read notify"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestConnect(t *testing.T) {
	c := newClient(t)
	c.ok(phone, SSIDUUID, "home \xff", PasswordUUID, secret, SecurityUUID, "\x03", ControlUUID, connect)
	c.asked(`connect ` + phone + ` "home \xff" wpa3 "` + secret + `"`)
	if !slices.Equal(c.daemon.expected, []wifi.SSID{"home \xff"}) {
		t.Errorf("the daemon was told to expect %q", c.daemon.expected)
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
	if !strings.Contains(c.log.String(), "password is ignored") {
		t.Errorf("no warning: %s", c.log.String())
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
	c.daemon.busyFor = phone
	for _, write := range [][2]string{
		{SSIDUUID, "x"}, {PasswordUUID, secret}, {SecurityUUID, "\x01"}, {ControlUUID, connect}, {ControlUUID, erase},
	} {
		if err := c.write(phone2, write[0], write[1]); !errors.Is(err, gatt.ErrInProgress) {
			t.Errorf("%s: got %v", write[0][4:8], err)
		}
		if err := c.write(phone, write[0], write[1]); err != nil {
			t.Errorf("%s of the central whose attempt it is: %v", write[0][4:8], err)
		}
	}
	c.daemon.asked, c.daemon.busyFor = nil, ""
	c.ok(phone2, ControlUUID, connect)
	c.asked(`connect ` + phone2 + ` "kept" auto ""`)
}

// What the daemon does not take now, the phone can ask for again.
func TestDaemonRefuses(t *testing.T) {
	c := newClient(t)
	c.ok(phone, SSIDUUID, "home", PasswordUUID, secret)
	c.daemon.answer = fmt.Errorf("wrapped: %w", ErrBusy)
	for _, control := range []string{connect, erase} {
		if err := c.write(phone, ControlUUID, control); !errors.Is(err, gatt.ErrInProgress) {
			t.Errorf("got %v", err)
		}
	}
	if slices.Max(c.daemon.taken[0].Passphrase.Bytes()) != 0 {
		t.Error("the refused copy is still in memory")
	}
	other := errors.New("other")
	c.daemon.answer = other
	if err := c.write(phone, ControlUUID, connect); !errors.Is(err, other) {
		t.Errorf("got %v", err)
	}
	c.daemon.asked, c.daemon.answer = nil, nil
	c.ok(phone, ControlUUID, connect)
	c.asked(`connect ` + phone + ` "home" auto "` + secret + `"`)
}

func TestStatus(t *testing.T) {
	c := newClient(t)
	var notified []byte
	c.find(StatusUUID).Notify.Bind(func(value []byte) { notified = append(notified, value...) })
	for _, status := range []byte{2, 3, 1, 4, 0} {
		c.profile.Publish(status)
		got, err := c.find(StatusUUID).Read(gatt.Request{Central: phone})
		if err != nil || !slices.Equal(got, []byte{status}) {
			t.Errorf("read %v %v, want %d", got, err, status)
		}
	}
	if want := []byte{2, 3, 1, 4, 0}; !slices.Equal(notified, want) {
		t.Errorf("notified %v, want %v", notified, want)
	}
}
