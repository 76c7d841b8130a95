// Package msgbus is how this project talks to other programs over D-Bus: it dials the
// bus, asks with a deadline, and reads properties and errors. godbus has no deadline
// for authentication and Hello, and none for a call.
package msgbus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"
)

// Names of the bus itself and of the standard interfaces (D-Bus specification,
// "Standard Interfaces" and "Message Bus Specification").
const (
	BusName           = "org.freedesktop.DBus"
	BusPath           = dbus.ObjectPath("/org/freedesktop/DBus")
	Properties        = "org.freedesktop.DBus.Properties"
	PropertiesChanged = Properties + ".PropertiesChanged"
	NameOwnerChanged  = BusName + ".NameOwnerChanged"
	ObjectManager     = "org.freedesktop.DBus.ObjectManager"
	Introspectable    = "org.freedesktop.DBus.Introspectable"
	Peer              = "org.freedesktop.DBus.Peer"
	ErrorPrefix       = "org.freedesktop.DBus.Error."
)

// DialTimeout is how long the bus may take to accept a connection.
const DialTimeout = 10 * time.Second

// ErrLost says that the connection to the bus has ended.
var ErrLost = errors.New("the connection to the message bus is lost")

// Dial connects to the bus at address, or to the system bus if it is empty, within
// DialTimeout. The connection ends with ctx, at the latest.
func Dial(ctx context.Context, address string, options ...dbus.ConnOption) (*dbus.Conn, error) {
	connCtx, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(DialTimeout, cancel)
	connect := dbus.ConnectSystemBus
	if address != "" {
		connect = func(options ...dbus.ConnOption) (*dbus.Conn, error) { return dbus.Connect(address, options...) }
	}
	conn, err := connect(append(options, dbus.WithContext(connCtx))...)
	if !timer.Stop() && ctx.Err() == nil {
		err = context.DeadlineExceeded
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("connect to the message bus: %w", Plain(err))
	}
	return conn, nil
}

// Program is a program on the bus, by its well-known or unique name.
type Program struct {
	Conn    *dbus.Conn
	Name    string
	Timeout time.Duration // for each answer
	Flags   dbus.Flags    // FlagNoAutoStart: it is not started for a call
}

// Call calls method, as in org.bluez.Adapter1.RemoveDevice, of the object at path and
// stores what it returns in results.
func (p Program) Call(ctx context.Context, path dbus.ObjectPath, method string, args []any, results ...any) error {
	_, err := p.Ask(ctx, path, method, args, results...)
	return err
}

// Ask is Call for callers that need to know the place of the answer among the signals
// (dbus.Signal.Sequence).
func (p Program) Ask(ctx context.Context, path dbus.ObjectPath, method string, args []any, results ...any) (dbus.Sequence, error) {
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	call := p.Conn.Object(p.Name, path).CallWithContext(ctx, method, p.Flags, args...)
	if err := call.Store(results...); err != nil {
		return call.ResponseSequence, fmt.Errorf("%s: %w", method, err)
	}
	return call.ResponseSequence, nil
}

// Get reads a property of the object at path into result.
func (p Program) Get(ctx context.Context, path dbus.ObjectPath, iface, property string, result any) error {
	return p.Call(ctx, path, Properties+".Get", []any{iface, property}, result)
}

// GetAll returns all properties that the object at path has on iface.
func (p Program) GetAll(ctx context.Context, path dbus.ObjectPath, iface string) (map[string]dbus.Variant, error) {
	var values map[string]dbus.Variant
	err := p.Call(ctx, path, Properties+".GetAll", []any{iface}, &values)
	return values, err
}

// Set sets a property of the object at path.
func (p Program) Set(ctx context.Context, path dbus.ObjectPath, iface, property string, value any) error {
	return p.Call(ctx, path, Properties+".Set", []any{iface, property, dbus.MakeVariant(value)})
}

// Owner returns the program's unique name, empty if it does not run.
func (p Program) Owner(ctx context.Context) (string, error) {
	var owner string
	bus := Program{Conn: p.Conn, Name: BusName, Timeout: p.Timeout}
	err := bus.Call(ctx, BusPath, BusName+".GetNameOwner", []any{p.Name}, &owner)
	if IsError(err, ErrorPrefix+"NameHasNoOwner") {
		return "", nil
	}
	return owner, err
}

// Value returns the named value as a T, or T's zero value if there is none or it has
// another type: the program may be of another version.
func Value[T any](values map[string]dbus.Variant, name string) T {
	value, _ := values[name].Value().(T)
	return value
}

// ErrorName returns the D-Bus error name that err carries, empty if it carries none.
func ErrorName(err error) string {
	var e dbus.Error
	if errors.As(err, &e) {
		return e.Name
	}
	return ""
}

// IsError reports whether err is the D-Bus error called name.
func IsError(err error, name string) bool { return err != nil && ErrorName(err) == name }

// Unanswered reports whether err means that there was no answer in time.
func Unanswered(err error) bool { return errors.Is(err, context.DeadlineExceeded) }

// Plain returns err without godbus's types, with the D-Bus error's name.
func Plain(err error) error {
	var e dbus.Error
	if !errors.As(err, &e) {
		return err
	}
	return errors.New(e.Name + ": " + e.Error())
}
