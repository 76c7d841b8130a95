package native

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/custom"
	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

const none, waits, noAnswer, busy = "\x00", "\x02", "\x04", "\x05"

// programs answer what phones send, as told.
type programs struct {
	mu      sync.Mutex
	got     []string // central, name and data
	held    [][]byte // the data itself
	answers chan programAnswer
}

type programAnswer struct {
	reply []byte
	err   error
}

func (p *programs) deliver(ctx context.Context, r gateway.Requester, name string, data []byte) ([]byte, error) {
	p.mu.Lock()
	p.got = append(p.got, fmt.Sprintf("%s %s %s", r, name, data))
	p.held = append(p.held, data)
	p.mu.Unlock()
	select {
	case a := <-p.answers:
		return a.reply, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// sent returns what has got to programs.
func (c *client) sent() []string {
	synctest.Wait()
	c.programs.mu.Lock()
	defer c.programs.mu.Unlock()
	return c.programs.got
}

func (c *client) answer(reply []byte, err error) {
	c.programs.answers <- programAnswer{reply, err}
	synctest.Wait()
}

func begin(name, data string) string {
	return announce(len(data), data, name)
}

func announce(length int, data, name string) string {
	sum := sha256.Sum256([]byte(data))
	return string(rune(CustomBegin)) + le(length) + string(sum[:]) + name
}

func le(n int) string { return string(binary.LittleEndian.AppendUint16(nil, uint16(n))) }

func piece(offset int, data string) string { return string(rune(CustomPiece)) + le(offset) + data }

func page(offset int) string { return string(rune(CustomPage)) + le(offset) }

const commit = string(rune(CustomCommit))

// send writes data in pieces of so many bytes, and commits it.
func (c *client) send(central gatt.Central, name, data string, size int) {
	c.t.Helper()
	c.ok(central, CustomUUID, begin(name, data))
	for at := 0; at < len(data); at += size {
		c.ok(central, CustomUUID, piece(at, data[at:min(at+size, len(data))]))
	}
	c.ok(central, CustomUUID, commit)
}

// reply reads the reply as phones do.
func (c *client) reply(central gatt.Central) string {
	c.t.Helper()
	header := c.read(central, CustomUUID)
	if len(header) != 35 || header[0] != CustomAnswered {
		c.t.Fatalf("the header is % x", header)
	}
	length := int(binary.LittleEndian.Uint16(header[1:]))
	var reply []byte
	for len(reply) < length {
		c.ok(central, CustomUUID, page(len(reply)))
		more := c.read(central, CustomUUID)
		if len(more) == 0 {
			c.t.Fatalf("%d of %d bytes", len(reply), length)
		}
		reply = append(reply, more...)
	}
	if sum := sha256.Sum256(reply); !bytes.Equal(sum[:], header[3:]) || len(reply) != length {
		c.t.Errorf("%d bytes, and another hash", len(reply))
	}
	return string(reply)
}

func (c *client) shows(central gatt.Central, want string) {
	c.t.Helper()
	synctest.Wait()
	if got := c.read(central, CustomUUID); string(got) != want {
		c.t.Errorf("reads % x, want % x", got, want)
	}
}

func inBubble(t *testing.T, test func(t *testing.T, c *client)) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		test(t, c)
		c.profile.Gone(phone)
		c.profile.Gone(phone2)
		synctest.Wait()
		if log := c.log.String(); strings.Contains(log, secret) {
			t.Errorf("data in the log:\n%s", log)
		}
		if len(c.notified) > 0 {
			t.Errorf("notified %v", c.notified)
		}
	})
}

func TestCustom(t *testing.T) {
	inBubble(t, func(t *testing.T, c *client) {
		c.shows(phone, none)
		for _, n := range []int{0, 1, 17, 509, 512, 513, 4095, custom.MaxData} {
			data, reply := strings.Repeat("d", n), strings.Repeat("r", custom.MaxData-n)
			c.send(phone, "claim-token", data, 509)
			c.shows(phone, waits)
			c.answer([]byte(reply), nil)
			if got := c.reply(phone); got != reply {
				t.Errorf("%d bytes are answered by %d", n, len(got))
			}
			if got := c.sent(); got[len(got)-1] != phone+" claim-token "+data {
				t.Errorf("sent %q", got)
			}
		}
	})
}

func TestCustomIsCounted(t *testing.T) {
	inBubble(t, func(t *testing.T, c *client) {
		c.ok(phone, CustomUUID, begin("a", secret))
		c.shows(phone, "\x01\x00\x00")
		c.ok(phone, CustomUUID, piece(0, secret[:5]))
		c.shows(phone, "\x01\x05\x00")
		c.shows(phone2, none)
	})
}

func TestCustomFails(t *testing.T) {
	inBubble(t, func(t *testing.T, c *client) {
		for err, want := range map[error]string{custom.ErrNoAnswer: noAnswer, gateway.ErrBusy: busy, custom.ErrInvalid: noAnswer} {
			c.send(phone, "a", secret, 500)
			c.answer(nil, err)
			c.shows(phone, want)
		}
	})
}

func TestCustomRefused(t *testing.T) {
	long := strings.Repeat("x", custom.MaxData+1)
	for what, test := range map[string]struct {
		before []string
		value  string
		want   error
	}{
		"nothing":                   {nil, "", gatt.ErrInvalidLength},
		"no operation":              {nil, "\x00", ErrCustomUnknown},
		"another operation":         {nil, "\x05\x00\x00", ErrCustomUnknown},
		"no name":                   {nil, begin("", secret), gatt.ErrInvalidLength},
		"no hash":                   {nil, string(rune(CustomBegin)) + "\x01\x00a", gatt.ErrInvalidLength},
		"a long name":               {nil, begin(strings.Repeat("a", 33), secret), gatt.ErrInvalidLength},
		"another name":              {nil, begin("A", secret), ErrCustomUnknown},
		"too long":                  {nil, begin("a", long), ErrCustomUnknown},
		"a piece of nothing":        {nil, piece(0, "a"), ErrCustomOrder},
		"an empty piece":            {[]string{begin("a", secret)}, piece(0, ""), gatt.ErrInvalidLength},
		"a piece later":             {[]string{begin("a", secret)}, piece(1, "a"), ErrCustomOrder},
		"a piece again":             {[]string{begin("a", secret), piece(0, "a")}, piece(0, "a"), ErrCustomOrder},
		"more than announced":       {[]string{begin("a", secret)}, piece(0, secret+"x"), ErrCustomOrder},
		"commit of nothing":         {nil, commit, ErrCustomOrder},
		"commit before all":         {[]string{begin("a", secret), piece(0, "a")}, commit, ErrCustomOrder},
		"commit of something":       {[]string{begin("a", "")}, commit + "x", gatt.ErrInvalidLength},
		"another hash":              {[]string{announce(len(secret), "other", "a"), piece(0, secret)}, commit, ErrCustomHash},
		"a second begin":            {[]string{begin("a", ""), commit}, begin("a", ""), gatt.ErrInProgress},
		"a second commit":           {[]string{begin("a", ""), commit}, commit, ErrCustomOrder},
		"a piece after the commit":  {[]string{begin("a", ""), commit}, piece(0, "a"), ErrCustomOrder},
		"a page of nothing":         {nil, page(0), ErrCustomOrder},
		"a page without an answer":  {[]string{begin("a", ""), commit}, page(0), ErrCustomOrder},
		"a page of another length":  {nil, page(0) + "x", gatt.ErrInvalidLength},
		"a piece of another length": {nil, string(rune(CustomPiece)) + "\x00", gatt.ErrInvalidLength},
	} {
		t.Run(what, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *client) {
				for _, value := range test.before {
					c.ok(phone, CustomUUID, value)
				}
				sent := len(c.sent())
				if err := c.write(phone, CustomUUID, test.value); !errors.Is(err, test.want) {
					t.Errorf("answered %v, want %v", err, test.want)
				}
				if len(c.sent()) != sent {
					t.Error("it was sent")
				}
				c.asked()
			})
		})
	}
}

// Who is nobody, and who has to wait for another's attempt, is refused as with a password.
func TestCustomNotAllowed(t *testing.T) {
	inBubble(t, func(t *testing.T, c *client) {
		if err := c.write("", CustomUUID, begin("a", "")); !errors.Is(err, gateway.ErrNobody) {
			t.Error(err)
		}
		c.control.busyFor = phone
		if err := c.write(phone2, CustomUUID, begin("a", "")); !errors.Is(err, gatt.ErrInProgress) {
			t.Error(err)
		}
		c.ok(phone, CustomUUID, begin("a", ""))
	})
}

func TestCustomPages(t *testing.T) {
	inBubble(t, func(t *testing.T, c *client) {
		c.send(phone, "a", "", 1)
		c.answer([]byte("reply"), nil)
		c.shows(phone2, none)
		c.ok(phone, CustomUUID, page(3))
		c.shows(phone, "ly")
		c.ok(phone, CustomUUID, page(5))
		c.shows(phone, "")
		if err := c.write(phone, CustomUUID, page(6)); !errors.Is(err, ErrCustomOrder) {
			t.Error(err)
		}
		c.ok(phone, CustomUUID, begin("a", "next"))
		c.shows(phone, "\x01\x00\x00")
	})
}

// A read in pieces is of one value, whatever happens meanwhile.
func TestCustomReadIsOfOneValue(t *testing.T) {
	inBubble(t, func(t *testing.T, c *client) {
		c.send(phone, "a", "", 1)
		c.shows(phone, waits)
		c.answer([]byte(secret), nil)
		read := c.find(CustomUUID).Read
		if got, err := read(gatt.Request{Central: phone, Offset: 1}); err != nil || string(got) != waits {
			t.Errorf("% x, %v", got, err)
		}
		if got := c.reply(phone); got != secret {
			t.Errorf("%q", got)
		}
	})
}

// What is sent and answered is wiped: when the phone leaves, at the next transfer, after a
// while, and what was delivered at once.
func TestCustomIsWiped(t *testing.T) {
	inBubble(t, func(t *testing.T, c *client) {
		kept := func(central gatt.Central) (t *transfer) {
			c.profile.custom.kept.Look(central, func(now **transfer) { t = *now })
			return t
		}
		c.ok(phone, CustomUUID, begin("a", secret), CustomUUID, piece(0, secret))
		received := kept(phone).data
		c.profile.Gone(phone)
		c.shows(phone, none)

		c.send(phone, "a", secret, 500)
		reply := []byte(secret)
		c.answer(reply, nil)
		if string(reply) != secret {
			t.Error("wiped before it was read")
		}
		c.ok(phone, CustomUUID, begin("a", secret), CustomUUID, piece(0, secret))
		expired := kept(phone).data
		sleep(customTimeout - 1)
		c.shows(phone, "\x01"+le(len(secret)))
		sleep(1)
		c.shows(phone, none)

		c.send(phone, "a", secret, 500)
		c.profile.Gone(phone) // has nobody wait
		synctest.Wait()
		c.send(phone, "a", secret, 500)
		c.answer(nil, custom.ErrNoAnswer)
		c.shows(phone, noAnswer)
		for what, held := range map[string][]byte{"received": received, "answered": reply, "expired": expired, "left": c.programs.held[1], "delivered": c.programs.held[0]} {
			if len(held) != len(secret) || slices.Max(held) != 0 {
				t.Errorf("what was %s is still in memory", what)
			}
		}
	})
}

// The answer to what a phone sent before it left is not what it reads afterwards.
func TestCustomLateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		answers := map[string]chan []byte{"first": make(chan []byte), "second": make(chan []byte)}
		c.profile.custom.deliver = func(_ context.Context, _ gateway.Requester, name string, _ []byte) ([]byte, error) {
			return <-answers[name], nil // whatever becomes of ctx
		}
		c.send(phone, "first", secret, 500)
		c.profile.Gone(phone)
		late := []byte(secret)
		c.send(phone, "second", secret, 500)
		answers["first"] <- late
		c.shows(phone, waits)
		if slices.Max(late) != 0 {
			t.Error("a reply that nobody reads is still in memory")
		}
		answers["second"] <- []byte("to the second")
		synctest.Wait()
		if got := c.reply(phone); got != "to the second" {
			t.Errorf("read %q", got)
		}
		c.profile.Gone(phone)
	})
}

// FuzzCustom: whatever is written in whatever order, what gets to a program is what was
// announced, no read is longer than a value may be, and the next phone is served.
func FuzzCustom(f *testing.F) {
	f.Add([]byte(begin("a", secret)), []byte(piece(0, secret)), []byte(commit), []byte(page(0)))
	f.Add([]byte(begin("a", "")), []byte(commit), []byte(page(0)), []byte(page(4)))
	f.Add([]byte(begin("a", secret)), []byte(piece(0, secret[:3])), []byte(piece(3, secret[3:])), []byte(commit))
	f.Add([]byte{1}, []byte{2, 0xff, 0xff, 1}, []byte{3, 3}, []byte{4, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, first, second, third, fourth []byte) {
		synctest.Test(t, func(t *testing.T) { fuzzCustom(t, first, second, third, fourth) })
	})
}

func fuzzCustom(t *testing.T, values ...[]byte) {
	c := newClient(t)
	var announced string
	for _, value := range values {
		copied := string(value)
		err := c.write(phone, CustomUUID, copied)
		if err == nil && copied[0] == CustomBegin {
			announced = copied
		}
		if got := c.read(phone, CustomUUID); len(got) > gatt.MaxValue {
			t.Fatalf("%d bytes", len(got))
		}
		if sent := c.sent(); len(sent) > 0 {
			name := announced[35:]
			data := strings.TrimPrefix(sent[0], phone+" "+name+" ")
			if announced != begin(name, data) || !custom.ValidName(name) || len(data) > custom.MaxData {
				t.Fatalf("announced %q, sent %q", announced, sent)
			}
			c.programs.got = nil
			c.answer([]byte("reply"), nil)
		}
	}
	c.send(phone2, "next", secret, 7)
	c.answer([]byte("served"), nil)
	if got := c.reply(phone2); got != "served" {
		t.Errorf("the next phone reads %q", got)
	}
	c.profile.Gone(phone)
	c.profile.Gone(phone2)
	time.Sleep(time.Second)
}
