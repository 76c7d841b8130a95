//go:build lab

package lab

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/central"
)

// What a phone reads from Custom until it chooses a page (docs/protocol.md).
const (
	customNone     = 0
	customReceives = 1
	customWaits    = 2
	customAnswered = 3
	customNoAnswer = 4
)

// longestPiece is how much data a piece may have: BlueZ 5.66 refuses a Write Request with a value of 512 bytes, the
// longest that there is, by itself.
const longestPiece = 500

// announced returns the first write of data for the program that has claimed name.
func announced(name string, data []byte) []byte {
	sum := sha256.Sum256(data)
	return slices.Concat(binary.LittleEndian.AppendUint16([]byte{1}, uint16(len(data))), sum[:], []byte(name))
}

// custom writes to Custom, whatever the MTU.
func (r *rawATT) custom(value []byte) error {
	r.t.Helper()
	if len(value) <= r.mtu-3 {
		return r.write(central.CustomUUID, value...)
	}
	return r.writeLong(central.CustomUUID, 0, value)
}

// sends has a phone send data to the program that has claimed name.
func (r *rawATT) sends(name string, data []byte) {
	r.t.Helper()
	is(r.t, "begin", r.custom(announced(name, data)), nil)
	for at := 0; at < len(data); {
		piece := data[at:min(len(data), at+r.mtu-6, at+longestPiece)]
		is(r.t, "piece", r.custom(append(binary.LittleEndian.AppendUint16([]byte{2}, uint16(at)), piece...)), nil)
		at += len(piece)
	}
	is(r.t, "commit", r.custom([]byte{3}), nil)
}

// answered waits for the answer, and returns what the phone reads: state, length and hash.
func (r *rawATT) answered() (header []byte) {
	r.t.Helper()
	for begin := time.Now(); time.Since(begin) < patience; time.Sleep(100 * time.Millisecond) {
		if header = r.readLong(central.CustomUUID); header[0] != customWaits {
			return header
		}
	}
	r.t.Fatal("neither an answer nor an error")
	return nil
}

// reply reads the whole reply.
func (r *rawATT) reply() (reply []byte) {
	r.t.Helper()
	header := r.answered()
	if len(header) != 35 || header[0] != customAnswered {
		r.t.Fatalf("not answered: % x", header)
	}
	for length := int(binary.LittleEndian.Uint16(header[1:])); len(reply) < length; {
		is(r.t, "page", r.custom(binary.LittleEndian.AppendUint16([]byte{4}, uint16(len(reply)))), nil)
		page := r.readLong(central.CustomUUID)
		if len(page) == 0 {
			r.t.Fatalf("%d bytes of %d", len(reply), length)
		}
		reply = append(reply, page...)
	}
	if sum := sha256.Sum256(reply); !bytes.Equal(sum[:], header[3:]) {
		r.t.Error("the reply has another hash")
	}
	return reply
}

// maker is a program of a maker's on the bus.
type maker struct {
	t       testing.TB
	conn    *dbus.Conn
	signals chan *dbus.Signal
}

func newMaker(t testing.TB) *maker {
	t.Helper()
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	m := &maker{t, conn, make(chan *dbus.Signal, 1000)}
	conn.Signal(m.signals)
	return m
}

func (m *maker) call(method string, args ...any) error {
	return m.conn.Object(controlName, controlPath).Call(controlInterface+"."+method, dbus.FlagNoAutoStart, args...).Err
}

func (m *maker) claims(name string) {
	m.t.Helper()
	waitFor(m.t, "a claim of "+name, patience, func() error { return m.call("Claim", name) })
}

// gets waits for data.
func (m *maker) gets(name string, data []byte) {
	m.t.Helper()
	for late := time.After(patience); ; {
		select {
		case s := <-m.signals:
			if s.Name != controlInterface+".Data" {
				continue
			}
			if s.Body[0] != name || !bytes.Equal(s.Body[1].([]byte), data) {
				m.t.Error("other data than the phone's")
			}
			return
		case <-late:
			m.t.Fatal("no data")
		}
	}
}

// TestCustomData: what a phone sends gets to the program that has claimed its name, and to no other, and its reply to the
// phone. TestCanary looks for both.
func TestCustomData(t *testing.T) {
	g := start(t, situation{})
	r := dialATT(t, phoneHCI, encrypted)
	token, answer := "token for the maker's program", "answer for the phone alone"
	secret(t, "", token)
	secret(t, "", answer)
	r.sends("token", []byte(token))
	if header := r.answered(); !bytes.Equal(header, []byte{customNoAnswer}) {
		t.Errorf("nobody has claimed it, and the phone reads % x", header)
	}

	if out, err := asNobody(busctl("call", "Claim", "s", "token")...); err == nil || !strings.Contains(strings.ToLower(err.Error()), "access") {
		t.Errorf("an ordinary user claims: %s, %v", out, err)
	}
	m, other := newMaker(t), newMaker(t)
	if err := other.conn.AddMatchSignal(); err != nil {
		t.Fatal(err)
	}
	m.claims("token")
	g.event("claimed", "WIFIPROVD_NAME=token")
	if err := other.call("Claim", "token"); err == nil || !strings.Contains(err.Error(), "claimed already") {
		t.Errorf("claimed twice: %v", err)
	}
	r.sends("token", []byte(token))
	m.gets("token", []byte(token))
	noteProperties(t)
	if err := m.call("Reply", "token", []byte(answer)); err != nil {
		t.Error(err)
	}
	if got := r.reply(); string(got) != answer {
		t.Errorf("read %q", got)
	}
	noteProperties(t)

	r.exchangeMTU(517)
	most := bytes.Repeat([]byte("0123456789abcdef"), 256)
	r.sends("token", most)
	m.gets("token", most)
	if err := m.call("Reply", "token", most); err != nil {
		t.Error(err)
	}
	if got := r.reply(); !bytes.Equal(got, most) {
		t.Errorf("%d bytes are others", len(got))
	}
	overheard(t, other)
}

// overheard checks that a program that listens to all signals has got some, and no Data.
func overheard(t testing.TB, m *maker) {
	t.Helper()
	run(t, "busctl", busctl("call", "Identify")[1:]...)
	waitFor(t, "any signal", patience, func() error {
		if len(m.signals) == 0 {
			return errors.New("none")
		}
		return nil
	})
	for len(m.signals) > 0 {
		if s := <-m.signals; s.Name == controlInterface+".Data" {
			t.Error("another program has got the data")
		}
	}
}

// TestCustomUnanswered: a phone is told when nobody answers in time, or at all; a late reply is not the next phone's.
func TestCustomUnanswered(t *testing.T) {
	g := start(t, situation{})
	m := newMaker(t)
	m.claims("slow")
	r := dialATT(t, phoneHCI, encrypted)
	begin := time.Now()
	r.sends("slow", []byte("first"))
	is(t, "another one meanwhile", r.custom(announced("slow", nil)), attBusy)
	if header := r.answered(); header[0] != customNoAnswer || time.Since(begin) < 10*time.Second || time.Since(begin) > 15*time.Second {
		t.Errorf("after %s the phone reads % x", time.Since(begin), header)
	}
	g.event("unanswered", "WIFIPROVD_NAME=slow", "PRIORITY=4")
	if err := m.call("Reply", "slow", []byte("to the first")); err == nil {
		t.Error("a late reply is taken")
	}
	r.sends("slow", []byte("second"))
	m.gets("slow", []byte("first"))
	m.gets("slow", []byte("second"))
	_ = m.conn.Close()
	if header := r.answered(); header[0] != customNoAnswer {
		t.Errorf("the program has ended, and the phone reads % x", header)
	}
	g.event("claim-ended", "WIFIPROVD_NAME=slow")

	is(t, "another hash", r.custom(append(announced("slow", nil)[:34], []byte("\x00slow")...)), nil)
	is(t, "its commit", r.custom([]byte{3}), attCustomHash)
	is(t, "begin", r.custom(announced("slow", []byte("x"))), nil)
	if got := r.readLong(central.CustomUUID); !bytes.Equal(got, []byte{customReceives, 0, 0}) {
		t.Errorf("begun, and the phone reads % x", got)
	}
	r.leave()
	r = dialATT(t, phoneHCI, encrypted)
	if got := r.readLong(central.CustomUUID); !bytes.Equal(got, []byte{customNone}) {
		t.Errorf("on its next connection the phone reads % x", got)
	}
}

// TestClaimToken runs the example in Go with the example's unit, also when the daemon starts again.
func TestClaimToken(t *testing.T) { testClaimToken(t, "/usr/lib/lab/claim-token") }

// TestClaimTokenInPython runs it in Python, where the image has that.
func TestClaimTokenInPython(t *testing.T) {
	if _, err := os.Stat("/usr/bin/python3"); err != nil {
		t.Skip("no Python in this image")
	}
	testClaimToken(t, "/usr/share/doc/wifiprovd/examples/claim-token/claim-token.py")
}

const claimToken = "claim-token.service"

func testClaimToken(t *testing.T, program string) {
	g := start(t, situation{})
	const folder = "/usr/share/doc/wifiprovd/examples/claim-token/"
	example, err := os.ReadFile(folder + claimToken)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(example), "/usr/local/bin/claim-token.py", program, 1)
	if err := os.WriteFile("/run/systemd/system/"+claimToken, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		systemctl(t, "stop", claimToken)
		if err := errors.Join(os.Remove("/run/systemd/system/"+claimToken), os.RemoveAll("/var/lib/claim-token")); err != nil {
			t.Error(err)
		}
		systemctl(t, "daemon-reload")
	})
	systemctl(t, "daemon-reload")
	systemctl(t, "start", claimToken)
	for i := range 2 {
		g.event("claimed", "WIFIPROVD_NAME=claim-token")
		token := fmt.Sprintf("claim token %d of %s", i, program)
		secret(t, "", token)
		r := dialATT(t, phoneHCI, encrypted)
		r.sends("claim-token", []byte(token))
		if got := r.reply(); string(got) != "kept" {
			t.Errorf("the phone reads %q", got)
		}
		r.leave()
		kept, err := os.ReadFile("/var/lib/claim-token/token")
		if err != nil || string(kept) != token {
			t.Errorf("kept %q, %v", kept, err)
		}
		if i == 0 {
			g.from = g.journal.mark(t, "restart")
			systemctl(t, "restart", unit)
		}
	}
}
