package bluez

import (
	"context"
	"errors"
	"fmt"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/bluez/gatt"
)

// receive takes method calls away from the D-Bus library, which would run each
// in a goroutine of its own and so let one write overtake another, and copies
// signals, so that the loop sees all of them in the order in which they came.
func (p *Peripheral) receive(message *dbus.Message) {
	switch message.Type {
	case dbus.TypeSignal:
		p.inbox.post(func() { p.signal(message) })
	case dbus.TypeMethodCall:
		if header(message, dbus.FieldInterface) == "org.freedesktop.DBus.Peer" {
			return
		}
		call := *message
		if p.inbox.postCall(func() { p.serve(&call) }) {
			message.Type = 0 // the library handles no such message
		} // else the library answers that there is no such object
	}
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

// serve answers a method call. Only bluetoothd may call.
func (p *Peripheral) serve(call *dbus.Message) {
	if sender := header(call, dbus.FieldSender); sender == "" || sender != p.owner {
		p.bus.replyError(call, dbus.NewError("org.freedesktop.DBus.Error.AccessDenied", []any{"only BlueZ may call this"}))
		return
	}
	path := dbus.ObjectPath(header(call, dbus.FieldPath))
	method := header(call, dbus.FieldInterface) + "." + header(call, dbus.FieldMember)
	characteristic := p.tree.characteristics[path]
	switch {
	case path == applicationPath && method == objectManager+".GetManagedObjects":
		p.bus.reply(call, managedObjectsSignature, p.tree.objects)
	case path == advertisementPath && method == propertiesInterface+".GetAll":
		p.bus.reply(call, propertiesSignature, advertisement(p.cfg.Name, p.cfg.Services))
	case path == advertisementPath && method == advertisementInterface+".Release":
		p.bus.reply(call, "")
		p.advertisementGone("BlueZ has released the advertisement")
	case path == agentPath:
		p.serveAgent(call)
	case characteristic != nil && method == characteristicInterface+".WriteValue":
		p.write(call, characteristic)
	case characteristic != nil && method == characteristicInterface+".ReadValue":
		p.read(call, characteristic)
	case characteristic != nil && characteristic.Notify != nil &&
		(method == characteristicInterface+".StartNotify" || method == characteristicInterface+".StopNotify"):
		p.bus.reply(call, "")
	default:
		p.bus.replyError(call, dbus.NewError("org.freedesktop.DBus.Error.UnknownMethod", []any{"no such method"}))
	}
}

func (p *Peripheral) write(call *dbus.Message, c *gatt.Characteristic) {
	var value []byte
	var options map[string]dbus.Variant
	err := dbus.Store(call.Body, &value, &options)
	switch {
	case err != nil:
	case c.Write == nil:
		err = gatt.ErrNotSupported
	default:
		request := p.request(options)
		err = gatt.ErrInvalidOffset
		if request.Offset == 0 {
			err = c.Write(request, value)
		}
	}
	if err != nil {
		p.bus.replyError(call, p.attError("write", c, err))
		return
	}
	p.bus.reply(call, "")
}

func (p *Peripheral) read(call *dbus.Message, c *gatt.Characteristic) {
	var options map[string]dbus.Variant
	var value []byte
	err := dbus.Store(call.Body, &options)
	switch {
	case err != nil:
	case c.Read == nil:
		err = gatt.ErrNotSupported
	default:
		request := p.request(options)
		if value, err = c.Read(request); err == nil && int(request.Offset) > len(value) {
			err = gatt.ErrInvalidOffset
		}
		if err == nil {
			value = value[request.Offset:]
		}
	}
	if err != nil {
		p.bus.replyError(call, p.attError("read", c, err))
		return
	}
	p.bus.reply(call, "ay", value)
}

// request reads the options of ReadValue and WriteValue. The central is in use
// from now on.
func (p *Peripheral) request(options map[string]dbus.Variant) gatt.Request {
	var r gatt.Request
	if device, ok := options["device"].Value().(dbus.ObjectPath); ok {
		r.Central = p.used(device).address
	}
	r.MTU, _ = options["mtu"].Value().(uint16)
	r.Offset, _ = options["offset"].Value().(uint16)
	return r
}

// attError returns the error that BlueZ passes on as the ATT code of err
// (src/gatt-database.c, dbus_error_to_att_ecode).
func (p *Peripheral) attError(what string, c *gatt.Characteristic, err error) *dbus.Error {
	var code gatt.ApplicationError
	if errors.As(err, &code) {
		// BlueZ makes a number of the message from 5.66 on; before, it is 0x80.
		return dbus.NewError(bluezError+"Failed", []any{fmt.Sprintf("0x%02x", byte(code))})
	}
	for target, name := range attErrors {
		if errors.Is(err, target) {
			return dbus.NewError(bluezError+name, []any{target.Error()})
		}
	}
	p.log.Error("a request could not be answered", "what", what, "characteristic", c.UUID, "error", err)
	return dbus.NewError("org.freedesktop.DBus.Error.Failed", []any{"internal error"}) // Unlikely Error (0x0E)
}

var attErrors = map[error]string{
	gatt.ErrInvalidLength: "InvalidValueLength",
	gatt.ErrInvalidOffset: "InvalidOffset",
	gatt.ErrInProgress:    "InProgress",
	gatt.ErrNotPermitted:  "NotPermitted",
	gatt.ErrNotSupported:  "NotSupported",
}

// notify makes BlueZ notify value to the centrals that have subscribed.
func (p *Peripheral) notify(path dbus.ObjectPath, value []byte) {
	err := p.bus.conn.Emit(path, propertiesInterface+".PropertiesChanged", characteristicInterface,
		map[string]dbus.Variant{"Value": dbus.MakeVariant(value)}, []string{})
	if err != nil && !errors.Is(err, context.Canceled) {
		p.log.Error("a notification was not sent", "error", plain(err))
	}
}
