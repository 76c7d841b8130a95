package dbustest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/godbus/dbus/v5"
)

// Answer answers a call of method, interface included: with an error of this name
// if it is not empty, and with these arguments.
type Answer func(path dbus.ObjectPath, method string, args []any) (failure string, body []any)

// Answerer is a message bus on which one function answers every call. It needs no
// process and no socket, so that a fuzz target can make many calls.
type Answerer struct {
	Conn *dbus.Conn

	mu     sync.Mutex
	answer Answer
}

// NewAnswerer returns an Answerer that ends with the test.
func NewAnswerer(t testing.TB) *Answerer {
	t.Helper()
	near, far := net.Pipe()
	a := &Answerer{}
	served := make(chan error, 1)
	go func() { served <- a.serve(far) }()
	conn, err := dbus.NewConn(struct { // fewer turns of the two goroutines than with the pipe alone
		io.Reader
		io.WriteCloser
	}{bufio.NewReader(near), near})
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Auth([]dbus.Auth{dbus.AuthAnonymous()}); err != nil {
		t.Fatalf("authenticate: %v", err)
	}
	a.Conn = conn
	t.Cleanup(func() {
		_ = conn.Close()
		<-served // it ends with the connection
	})
	return a
}

// Set makes f answer what is called from now on.
func (a *Answerer) Set(f Answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = f
}

// serve is the bus: it lets everybody in (D-Bus specification, "Authentication
// Protocol"), then answers until the connection ends.
func (a *Answerer) serve(far net.Conn) error {
	defer func() { _ = far.Close() }()
	in := bufio.NewReader(far)
	for line := ""; line != "BEGIN"; {
		text, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		line = strings.Trim(text, "\x00\r\n")
		reply := ""
		switch {
		case line == "AUTH":
			reply = "REJECTED ANONYMOUS\r\n"
		case strings.HasPrefix(line, "AUTH ANONYMOUS"):
			reply = "OK 0123456789abcdef0123456789abcdef\r\n"
		}
		if _, err := far.Write([]byte(reply)); err != nil {
			return err
		}
	}
	for {
		call, err := dbus.DecodeMessage(in)
		if err != nil {
			return err
		}
		var reply bytes.Buffer
		if err := a.reply(call).EncodeTo(&reply, binary.LittleEndian); err != nil {
			panic(err) // a value that no bus would have carried
		}
		if _, err := far.Write(reply.Bytes()); err != nil {
			return err
		}
	}
}

func (a *Answerer) reply(call *dbus.Message) *dbus.Message {
	header := func(field dbus.HeaderField) string { text, _ := call.Headers[field].Value().(string); return text }
	path, _ := call.Headers[dbus.FieldPath].Value().(dbus.ObjectPath)
	a.mu.Lock()
	failure, body := a.answer(path, header(dbus.FieldInterface)+"."+header(dbus.FieldMember), call.Body)
	a.mu.Unlock()
	m := &dbus.Message{Type: dbus.TypeMethodReply, Body: body, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldReplySerial: dbus.MakeVariant(call.Serial()),
	}}
	if failure != "" {
		m.Type = dbus.TypeError
		m.Headers[dbus.FieldErrorName] = dbus.MakeVariant(failure)
	}
	if len(body) > 0 {
		m.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(body...))
	}
	return m
}

// CheckText fails the test if a text made of what others sent would garble a log
// or a terminal: it is long, or has what cannot be seen.
func CheckText(t testing.TB, what, text string) {
	t.Helper()
	i := strings.IndexFunc(text, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) })
	if i >= 0 || len(text) > maxText {
		t.Errorf("%s, %d bytes, not printable at %d: %.200q", what, len(text), i, text)
	}
}

const maxText = 1000
