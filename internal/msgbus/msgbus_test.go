package msgbus

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
)

func TestProgram(t *testing.T) {
	ctx := t.Context()
	conn, err := Dial(ctx, dbustest.Start(t))
	if err != nil {
		t.Fatal(err)
	}
	bus := Program{Conn: conn, Name: BusName, Timeout: 10 * time.Second}
	var id string
	if err := bus.Call(ctx, BusPath, BusName+".GetId", nil, &id); err != nil || id == "" {
		t.Errorf("GetId: %q, %v", id, err)
	}
	values, err := bus.GetAll(ctx, BusPath, BusName)
	if err != nil || len(Value[[]string](values, "Interfaces")) == 0 {
		t.Errorf("GetAll: %v, %v", values, err)
	}
	if Value[int32](values, "Interfaces") != 0 || Value[string](values, "None") != "" {
		t.Error("a value of another type, or none, is not zero")
	}
	none := Program{Conn: conn, Name: "io.github.none", Timeout: 10 * time.Second}
	if owner, err := none.Owner(ctx); owner != "" || err != nil {
		t.Errorf("owner %q, %v", owner, err)
	}
	err = none.Call(ctx, "/", "io.github.none.Do", nil)
	if !IsError(err, ErrorPrefix+"ServiceUnknown") || Unanswered(err) {
		t.Errorf("a program that does not run: %v", err)
	}
	var e dbus.Error
	if errors.As(Plain(err), &e) || !errors.As(err, &e) {
		t.Error("Plain keeps the library's type, or the error lost it before")
	}
}

// TestUnanswered: who does not answer is an error in time.
func TestUnanswered(t *testing.T) {
	address := dbustest.Start(t)
	silent := dbustest.Connect(t, address)
	silent.Eavesdrop(make(chan *dbus.Message, 8)) // takes calls and answers none
	conn, err := Dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	p := Program{Conn: conn, Name: silent.Names()[0], Timeout: 10 * time.Millisecond}
	if err := p.Call(t.Context(), "/", "io.github.Silent.Do", nil); !Unanswered(err) {
		t.Errorf("got %v", err)
	}
}

// TestDialRefused: a bus that is not there, and one that never says Hello while the
// caller gives up.
func TestDialRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bus")
	if _, err := Dial(t.Context(), "unix:path="+path); err == nil {
		t.Error("no bus, no error")
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx, "unix:path="+path); err == nil {
		t.Error("no Hello, no error")
	}
}
