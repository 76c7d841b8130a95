package bluez

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"
)

// callTimeout is how long a neighbour may take to answer.
const callTimeout = 10 * time.Second

// errBusLost: the connection to the message bus has ended.
var errBusLost = errors.New("the connection to the message bus is lost")

// bus is this package's own connection to the message bus.
type bus struct {
	conn *dbus.Conn
	ctx  context.Context // ends with Run
}

// dial connects to the bus at address, or to the system bus if it is empty.
// receive is called with each call and signal, in order of arrival, and must not
// block.
func dial(ctx context.Context, address string, receive dbus.Interceptor) (*bus, error) {
	connCtx, cancel := context.WithCancel(ctx)
	// Neither authentication nor Hello has a deadline of its own.
	timer := time.AfterFunc(callTimeout, cancel)
	connect := func(options ...dbus.ConnOption) (*dbus.Conn, error) {
		if address == "" {
			return dbus.ConnectSystemBus(options...)
		}
		return dbus.Connect(address, options...)
	}
	conn, err := connect(dbus.WithContext(connCtx), dbus.WithIncomingInterceptor(receive))
	if !timer.Stop() {
		err = context.DeadlineExceeded
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("connect to the message bus: %w", plain(err))
	}
	return &bus{conn: conn, ctx: ctx}, nil
}

// call calls a method of BlueZ and stores its reply in results.
func (b *bus) call(path dbus.ObjectPath, iface, method string, args []any, results ...any) error {
	return b.callName(bluezName, path, iface, method, args, results...)
}

func (b *bus) callName(name string, path dbus.ObjectPath, iface, method string, args []any, results ...any) error {
	ctx, cancel := context.WithTimeout(b.ctx, callTimeout)
	defer cancel()
	return b.conn.Object(name, path).CallWithContext(ctx, iface+"."+method, dbus.FlagNoAutoStart, args...).Store(results...)
}

// setProperty sets a property of one of BlueZ's objects.
func (b *bus) setProperty(path dbus.ObjectPath, iface, property string, value any) error {
	return b.call(path, propertiesInterface, "Set", []any{iface, property, dbus.MakeVariant(value)})
}

// subscribe makes the bus deliver what the loop follows.
func (b *bus) subscribe() error {
	changes := func(iface string) []dbus.MatchOption {
		return []dbus.MatchOption{
			dbus.WithMatchSender(bluezName), dbus.WithMatchInterface(propertiesInterface),
			dbus.WithMatchMember("PropertiesChanged"), dbus.WithMatchArg(0, iface),
		}
	}
	for _, match := range [][]dbus.MatchOption{
		{
			dbus.WithMatchSender(busName), dbus.WithMatchInterface(busName),
			dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, bluezName),
		},
		{dbus.WithMatchSender(bluezName), dbus.WithMatchInterface(objectManager)},
		changes(adapterInterface), changes(advertisingManagerInterface), changes(deviceInterface),
	} {
		ctx, cancel := context.WithTimeout(b.ctx, callTimeout)
		err := b.conn.AddMatchSignalContext(ctx, match...)
		cancel()
		if err != nil {
			return fmt.Errorf("subscribe to signals: %w", plain(err))
		}
	}
	return nil
}

// owner returns the unique name of bluetoothd, empty if it is not running.
func (b *bus) owner() (string, error) {
	var owner string
	err := b.callName(busName, "/org/freedesktop/DBus", busName, "GetNameOwner", []any{bluezName}, &owner)
	if isError(err, "org.freedesktop.DBus.Error.NameHasNoOwner") {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look for bluetoothd: %w", plain(err))
	}
	return owner, nil
}

// reply answers call with values, which are encoded as their Go types say but
// announced with signature: an ordered a(kv) has the same bytes as a dictionary
// a{kv} (D-Bus specification, Marshaling: a DICT_ENTRY is marshalled as a
// STRUCT).
func (b *bus) reply(call *dbus.Message, signature string, values ...any) {
	b.answer(call, &dbus.Message{Type: dbus.TypeMethodReply, Body: values}, signature)
}

func (b *bus) replyError(call *dbus.Message, err *dbus.Error) {
	message := &dbus.Message{Type: dbus.TypeError, Body: err.Body}
	message.Headers = map[dbus.HeaderField]dbus.Variant{dbus.FieldErrorName: dbus.MakeVariant(err.Name)}
	b.answer(call, message, dbus.SignatureOf(err.Body...).String())
}

func (b *bus) answer(call, message *dbus.Message, signature string) {
	if call.Flags&dbus.FlagNoReplyExpected != 0 {
		return
	}
	if message.Headers == nil {
		message.Headers = map[dbus.HeaderField]dbus.Variant{}
	}
	if len(message.Body) > 0 {
		message.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.ParseSignatureMust(signature))
	}
	message.Headers[dbus.FieldReplySerial] = dbus.MakeVariant(call.Serial())
	message.Headers[dbus.FieldDestination] = call.Headers[dbus.FieldSender]
	b.conn.Send(message, nil)
}

// isError reports whether err is the D-Bus error called name.
func isError(err error, name string) bool {
	var e dbus.Error
	return errors.As(err, &e) && e.Name == name
}

// plain returns err without the D-Bus library's types, with the error's name.
func plain(err error) error {
	var e dbus.Error
	if !errors.As(err, &e) {
		return err
	}
	return errors.New(e.Name + ": " + e.Error())
}
