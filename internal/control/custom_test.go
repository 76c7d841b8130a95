package control

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/custom"
	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

const (
	token  = "token 4711"
	answer = "answer 0815"
)

// program is one of a maker's, with what it is signalled.
type program struct {
	r       *rig
	conn    *dbus.Conn
	signals chan *dbus.Signal
}

func (r *rig) program() *program {
	p := &program{r: r, conn: dbustest.Connect(r.t, r.address), signals: make(chan *dbus.Signal, 100)}
	p.conn.Signal(p.signals)
	return p
}

func (p *program) call(method string, args ...any) *dbus.Call {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return p.conn.Object(Name, Path).CallWithContext(ctx, Interface+"."+method, 0, args...)
}

func (p *program) ok(method string, args ...any) {
	p.r.t.Helper()
	if err := p.call(method, args...).Err; err != nil {
		p.r.t.Fatalf("%s: %v", method, err)
	}
}

// gets waits for Data.
func (p *program) gets(name, data string) {
	p.r.t.Helper()
	for late := time.After(patience); ; {
		select {
		case s := <-p.signals:
			if s.Name != Interface+".Data" {
				continue
			}
			if s.Path != Path || s.Body[0] != name || string(s.Body[1].([]byte)) != data {
				p.r.t.Errorf("got %v", s)
			}
			return
		case <-late:
			p.r.t.Fatalf("no data; log:\n%s", p.r.log)
		}
	}
}

type outcome struct {
	reply string
	err   error
}

func (r *rig) deliver(name, data string) <-chan outcome {
	ended := make(chan outcome, 1)
	go func() {
		reply, err := r.cfg.Custom.Deliver(context.Background(), gateway.Phone("AA:BB:CC:00:00:01"), name, []byte(data))
		ended <- outcome{string(reply), err}
	}()
	return ended
}

// TestData: what a phone sends gets to the program that has claimed its name, and to nobody
// else, whatever they match; the reply gets to the phone.
func TestData(t *testing.T) {
	r := newRig(t, ServerConfig{MayOperate: func(uint32) bool { return true }})
	r.run()
	r.up()
	p, other := r.program(), r.program()
	for _, options := range [][]dbus.MatchOption{nil, {dbus.WithMatchSender(Name)}, {dbus.WithMatchMember("Data")}} {
		for _, conn := range []*dbus.Conn{p.conn, other.conn} {
			if err := conn.AddMatchSignal(options...); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.ok("Claim", "token")
	p.ok("Claim", "token")
	r.wantError(other.call("Claim", "token"), errorClaimed)
	r.wantError(other.call("Claim", "no name"), msgbus.ErrorPrefix+"InvalidArgs")
	r.wantError(other.call("Reply", "token", []byte(answer)), errorNotClaimed)
	r.wantError(p.call("Reply", "token", []byte(answer)), errorNotAsked)
	for range 2 {
		ended := r.deliver("token", token)
		p.gets("token", token)
		r.wantError(p.call("Reply", "token", make([]byte, custom.MaxData+1)), msgbus.ErrorPrefix+"InvalidArgs")
		p.ok("Reply", "token", []byte(answer))
		if o := <-ended; o.reply != answer || o.err != nil {
			t.Errorf("answered %q, %v", o.reply, o.err)
		}
	}
	r.change(func(s *gateway.Snapshot) { s.Message = "the last signal" })
	for late := time.After(patience); ; {
		select {
		case s := <-other.signals:
			if s.Name == Interface+".Data" {
				t.Fatal("another program has got the data")
			}
			if s.Name != msgbus.PropertiesChanged {
				continue
			}
		case <-late:
			t.Fatal("another program gets nothing at all")
		}
		break
	}
	if log := r.log.String(); strings.Contains(log, token) || strings.Contains(log, answer) || !strings.Contains(log, "event=claimed") {
		t.Errorf("the log is\n%s", log)
	}
}

// TestClaimsEnd with the program's connection, and with the daemon's.
func TestClaimsEnd(t *testing.T) {
	r := newRig(t, ServerConfig{MayOperate: func(uint32) bool { return true }})
	r.run()
	r.up()
	for range 3 {
		p := r.program()
		p.ok("Claim", "one")
		p.ok("Claim", "two")
		ended := r.deliver("one", token)
		p.gets("one", token)
		_ = p.conn.Close()
		if o := <-ended; o.err == nil {
			t.Errorf("answered %q by nobody", o.reply)
		}
		r.waitFor("the end of a claim", func() bool { return r.cfg.Custom.Claim("two", "test", nil) == nil })
		r.cfg.Custom.Gone("test")
	}
	p := r.program()
	p.ok("Claim", "one")
	r.cfg.Custom.Clear() // as when the bus is lost
	p.ok("Claim", "one")
}

// TestForgedEnd: only the bus says who has left it.
func TestForgedEnd(t *testing.T) {
	r := newRig(t, ServerConfig{MayOperate: func(uint32) bool { return true }})
	r.run()
	r.up()
	p, other := r.program(), r.program()
	p.ok("Claim", "token")
	by := p.conn.Names()[0]
	other.conn.Send(&dbus.Message{
		Type: dbus.TypeSignal,
		Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldDestination: dbus.MakeVariant(Name),
			dbus.FieldPath:        dbus.MakeVariant(msgbus.BusPath),
			dbus.FieldInterface:   dbus.MakeVariant(msgbus.BusName),
			dbus.FieldMember:      dbus.MakeVariant("NameOwnerChanged"),
			dbus.FieldSignature:   dbus.MakeVariant(dbus.SignatureOf("", "", "")),
		},
		Body: []any{by, by, ""},
	}, nil)
	r.wantError(other.call("Claim", "token"), errorClaimed) // after the signal, by the same connection
	ended := r.deliver("token", token)
	p.gets("token", token)
	p.ok("Reply", "token", []byte(answer))
	if o := <-ended; o.reply != answer {
		t.Errorf("answered %q, %v", o.reply, o.err)
	}
}

func TestManyClaims(t *testing.T) {
	var denied atomic.Bool
	r := newRig(t, ServerConfig{MayOperate: func(uint32) bool { return !denied.Load() }})
	r.run()
	r.up()
	p := r.program()
	for i := range custom.MaxClaims {
		p.ok("Claim", strings.Repeat("a", i+1))
	}
	r.wantError(p.call("Claim", "one-too-many"), msgbus.ErrorPrefix+"LimitsExceeded")
	denied.Store(true)
	r.wantError(p.call("Claim", "b"), msgbus.ErrorPrefix+"AccessDenied")
}

// TestClaimToken runs both examples. The daemon starts after them, and starts again.
func TestClaimToken(t *testing.T) {
	built := filepath.Join(t.TempDir(), "claim-token")
	if out, err := exec.Command("go", "build", "-o", built, "../../examples/claim-token").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, args := range map[string][]string{
		"Go":     {built},
		"Python": {"/usr/bin/python3", "../../examples/claim-token/claim-token.py"}, // Debian's own has python3-dbus
	} {
		t.Run(name, func(t *testing.T) { testClaimToken(t, args) })
	}
}

func testClaimToken(t *testing.T, args []string) {
	r := newRig(t, ServerConfig{MayOperate: func(uint32) bool { return true }})
	dir, out := t.TempDir(), &lockedBuffer{}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS="+r.address, "STATE_DIRECTORY="+dir)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	for i := 1; i <= 2; i++ {
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		// It may claim twice, and be heard once: when it starts, and when the daemon does.
		r.waitFor("a claim", func() bool { return strings.Count(r.log.String(), "event=claimed") == i })
		for sent, want := range map[string]string{token: "kept", strings.Repeat("x", 1025): "no token has that length"} {
			if o := <-r.deliver("claim-token", sent); o.reply != want || o.err != nil {
				t.Errorf("answered %q, %v\n%s", o.reply, o.err, out)
			}
		}
		stop()
		<-done
	}
	kept, err := os.ReadFile(filepath.Join(dir, "token"))
	if err != nil || string(kept) != token || strings.Contains(out.String(), token) {
		t.Errorf("kept %q, %v\n%s", kept, err, out)
	}
	if mode, err := os.Stat(filepath.Join(dir, "token")); err != nil || mode.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", mode.Mode(), err)
	}
}
