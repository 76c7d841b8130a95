package dbustest

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/godbus/dbus/v5"
)

// recorder keeps what was read from the bus: the library turns dictionaries
// into maps, but BlueZ numbers handles in the order on the wire.
type recorder struct {
	net.Conn
	mu   sync.Mutex
	read []byte
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.mu.Lock()
	r.read = append(r.read, p[:n]...)
	r.mu.Unlock()
	return n, err
}

// reset returns what was read since the last reset.
func (r *recorder) reset() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	read := r.read
	r.read = nil
	return read
}

func connectRecorded(address string) (*dbus.Conn, *recorder, error) {
	path, _, _ := strings.Cut(strings.TrimPrefix(address, "unix:path="), ",")
	socket, err := net.Dial("unix", path)
	if err != nil {
		return nil, nil, err
	}
	wire := &recorder{Conn: socket}
	conn, err := dbus.NewConn(wire, dbus.WithSignalHandler(dbus.NewSequentialSignalHandler()))
	if err != nil {
		return nil, nil, err
	}
	if err := conn.Auth(nil); err != nil {
		return nil, nil, err
	}
	return conn, wire, conn.Hello()
}

// readApp asks an application for its objects, and in which order they are.
func readApp(conn *dbus.Conn, wire *recorder, e export) (*app, error) {
	ctx, cancel := context.WithTimeout(conn.Context(), answerTimeout)
	defer cancel()
	a := &app{export: e}
	wire.reset()
	err := conn.Object(e.owner, e.path).CallWithContext(ctx, objManager+".GetManagedObjects", 0).Store(&a.objects)
	if err != nil {
		return nil, err
	}
	read := wire.reset()
	position := func(path dbus.ObjectPath) int { return bytes.Index(read, append([]byte(path), 0)) }
	a.order = slices.SortedFunc(maps.Keys(a.objects), func(x, y dbus.ObjectPath) int {
		return cmp.Compare(position(x), position(y))
	})
	return a, nil
}

// listen keeps the values that services notify.
func (b *BlueZ) listen(conn *dbus.Conn) {
	signals := make(chan *dbus.Signal, 16)
	conn.Signal(signals)
	err := conn.AddMatchSignal(dbus.WithMatchInterface(properties), dbus.WithMatchMember("PropertiesChanged"),
		dbus.WithMatchArg(0, gattChar1))
	if err != nil {
		b.t.Error(err)
	}
	go func() {
		for signal := range signals {
			var iface string
			var changed map[string]dbus.Variant
			var gone []string
			if dbus.Store(signal.Body, &iface, &changed, &gone) != nil || iface != gattChar1 {
				continue
			}
			if value, ok := changed["Value"].Value().([]byte); ok {
				b.keep(signal.Sender, signal.Path, value)
			}
		}
	}()
}

func (b *BlueZ) keep(sender string, path dbus.ObjectPath, value []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, list := range b.apps {
		for _, a := range list {
			if a.owner == sender && a.objects[path] != nil {
				uuid := text(a.objects[path][gattChar1]["UUID"])
				b.notified = append(b.notified, Notification{uuid, value})
			}
		}
	}
}

// Notified returns what services have notified so far, in order.
func (b *BlueZ) Notified() []Notification {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.notified)
}
