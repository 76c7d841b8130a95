package bluez

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

const (
	// callTimeout is how long bluetoothd may take to answer.
	callTimeout = 10 * time.Second

	// removeTimeout is how long it may take to answer RemoveDevice before it is asked
	// again: BlueZ 5.82 does not answer for 30 s if the device disconnects meanwhile.
	removeTimeout = 3 * time.Second
)

// bus is this package's own connection to the message bus: BlueZ drops what a program has
// registered when its connection ends, and calls it back on this one. The methods may be
// called from any goroutine. No call starts bluetoothd: when that runs is systemd's to
// say, and its coming is signalled.
type bus struct {
	ctx   context.Context // ends with Run
	conn  *dbus.Conn
	bluez msgbus.Program
}

func newBus(ctx context.Context, conn *dbus.Conn) *bus {
	return &bus{ctx: ctx, conn: conn, bluez: msgbus.Program{
		Conn: conn, Name: bluezName, Timeout: callTimeout, Flags: dbus.FlagNoAutoStart,
	}}
}

// owner returns the unique name of bluetoothd, empty if it is not running.
func (b *bus) owner() (string, error) {
	owner, err := b.bluez.Owner(b.ctx)
	if err != nil {
		return "", fmt.Errorf("look for bluetoothd: %w", msgbus.Plain(err))
	}
	return owner, nil
}

// call calls a method of BlueZ that returns nothing.
func (b *bus) call(path dbus.ObjectPath, method string, args ...any) error {
	return b.bluez.Call(b.ctx, path, method, args)
}

// subscribe makes the bus deliver what the loop follows.
func (b *bus) subscribe() error {
	changes := func(iface string) []dbus.MatchOption {
		return []dbus.MatchOption{
			dbus.WithMatchSender(bluezName), dbus.WithMatchInterface(msgbus.Properties),
			dbus.WithMatchMember("PropertiesChanged"), dbus.WithMatchArg(0, iface),
		}
	}
	for _, match := range [][]dbus.MatchOption{
		{
			dbus.WithMatchSender(msgbus.BusName), dbus.WithMatchInterface(msgbus.BusName),
			dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, bluezName),
		},
		{dbus.WithMatchSender(bluezName), dbus.WithMatchInterface(msgbus.ObjectManager)},
		changes(adapterInterface), changes(advertisingManagerInterface), changes(deviceInterface),
	} {
		ctx, cancel := context.WithTimeout(b.ctx, callTimeout)
		err := b.conn.AddMatchSignalContext(ctx, match...)
		cancel()
		if err != nil {
			return fmt.Errorf("subscribe to signals: %w", msgbus.Plain(err))
		}
	}
	return nil
}

// removeDevice makes an adapter forget a device with its keys, which Device1.Disconnect
// would keep, and disconnects it; it tries until ctx ends. A device that the adapter does
// not know is a success.
func (b *bus) removeDevice(ctx context.Context, adapter, device dbus.ObjectPath) error {
	bluez := b.bluez
	bluez.Timeout = removeTimeout
	for {
		// Without ctx: BlueZ removes the device even if nobody waits any more.
		err := bluez.Call(b.ctx, adapter, adapterInterface+".RemoveDevice", []any{device})
		switch {
		case msgbus.IsError(err, bluezError+"DoesNotExist"):
			return nil
		case !msgbus.Unanswered(err) || ctx.Err() != nil || b.ctx.Err() != nil:
			return msgbus.Plain(err)
		}
	}
}

// disconnect disconnects a device.
func (b *bus) disconnect(ctx context.Context, device dbus.ObjectPath) error {
	ctx, cancel := context.WithTimeout(ctx, farewellTime)
	defer cancel()
	return b.bluez.Call(ctx, device, deviceInterface+".Disconnect", nil)
}

// cut disconnects a device at once, by blocking it for a moment. It must not stay
// blocked: both requests are on their way before the first is answered, or written to
// BlueZ's disk.
func (b *bus) cut(device dbus.ObjectPath) error {
	ctx, cancel := context.WithTimeout(b.ctx, callTimeout)
	defer cancel()
	object := b.conn.Object(bluezName, device)
	var calls []*dbus.Call
	for _, value := range []bool{true, false} {
		call := object.GoWithContext(ctx, msgbus.Properties+".Set", dbus.FlagNoAutoStart, nil,
			deviceInterface, "Blocked", dbus.MakeVariant(value))
		calls = append(calls, call)
	}
	var err error
	for _, call := range calls {
		<-call.Done
		err = cmp.Or(err, call.Err)
	}
	return err
}

// reply answers call with values, which are encoded as their Go types say but announced
// with signature: an ordered a(kv) has the same bytes as a dictionary a{kv} (D-Bus
// specification, Marshaling: a DICT_ENTRY is marshalled as a STRUCT).
func (b *bus) reply(call *dbus.Message, signature string, values ...any) {
	b.send(call, &dbus.Message{Type: dbus.TypeMethodReply, Body: values}, signature)
}

// replyError answers call with an error.
func (b *bus) replyError(call *dbus.Message, err *dbus.Error) {
	name := map[dbus.HeaderField]dbus.Variant{dbus.FieldErrorName: dbus.MakeVariant(err.Name)}
	message := &dbus.Message{Type: dbus.TypeError, Headers: name, Body: err.Body}
	b.send(call, message, dbus.SignatureOf(err.Body...).String())
}

func (b *bus) send(call, message *dbus.Message, signature string) {
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

// header returns a header field that is a string, empty if it is not there.
func header(message *dbus.Message, field dbus.HeaderField) string {
	switch value := message.Headers[field].Value().(type) {
	case string:
		return value
	case dbus.ObjectPath:
		return string(value)
	}
	return ""
}

// member returns the name of a method or signal with its interface.
func member(message *dbus.Message) string {
	return header(message, dbus.FieldInterface) + "." + header(message, dbus.FieldMember)
}
