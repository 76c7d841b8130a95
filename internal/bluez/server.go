package bluez

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

// server answers what BlueZ calls on the objects that this package exports.
type server struct {
	bus       *bus
	loop      *loop
	world     *world
	tree      *tree
	registrar *registrar
	centrals  *centrals
	agent     *agent
	log       *slog.Logger
}

// The answers to calls that are not served. BlueZ makes Unlikely Error (0x0E) of every
// name that it has no ATT code for; its own Failed would become 0x80.
var (
	errCaller   = dbus.NewError(msgbus.ErrorPrefix+"AccessDenied", []any{"only BlueZ may call this"})
	errMethod   = dbus.NewError(msgbus.ErrorPrefix+"UnknownMethod", []any{"no such method"})
	errUnlikely = dbus.NewError(msgbus.ErrorPrefix+"Failed", []any{gatt.ErrUnlikely.Error()})
	errInternal = dbus.NewError(msgbus.ErrorPrefix+"Failed", []any{"internal error"})
)

// serve answers a method call. Only bluetoothd may call: on the system bus every program
// that runs as root could write for a phone, or ask the agent to show a passkey.
func (s *server) serve(call *dbus.Message) {
	if sender := header(call, dbus.FieldSender); sender == "" || sender != s.world.owner {
		s.bus.replyError(call, errCaller)
		return
	}
	path := dbus.ObjectPath(header(call, dbus.FieldPath))
	method := member(call)
	advert := s.registrar.adverts.at(path)
	characteristic, isCharacteristic := s.tree.characteristics[path]
	descriptor, isDescriptor := s.tree.descriptors[path]
	switch {
	case path == applicationPath && method == msgbus.ObjectManager+".GetManagedObjects":
		s.bus.reply(call, managedObjectsSignature, s.tree.objects)
	case path == comingPath && method == msgbus.ObjectManager+".GetManagedObjects":
		s.bus.reply(call, managedObjectsSignature, s.tree.coming)
	case path == agentPath:
		s.finish(call, s.agent.answer(header(call, dbus.FieldMember), call.Body))
	case advert != nil && method == msgbus.Properties+".GetAll":
		s.bus.reply(call, propertiesSignature, advert.properties())
	case advert != nil && method == advertisementInterface+".Release":
		s.bus.reply(call, "")
		s.registrar.released(path)
	case isCharacteristic && method == characteristicInterface+".WriteValue":
		s.finish(call, s.write(call, characteristic))
	case isCharacteristic && method == characteristicInterface+".ReadValue":
		s.read(call, characteristic)
	case isCharacteristic && characteristic.Notify != nil &&
		(method == characteristicInterface+".StartNotify" ||
			method == characteristicInterface+".StopNotify"):
		s.bus.reply(call, "") // who has subscribed is BlueZ's to know
	case isDescriptor && method == descriptorInterface+".ReadValue":
		s.read(call, descriptor.asCharacteristic())
	default:
		s.bus.replyError(call, errMethod)
	}
}

// finish answers a call that returns nothing.
func (s *server) finish(call *dbus.Message, failure *dbus.Error) {
	if failure != nil {
		s.bus.replyError(call, failure)
		return
	}
	s.bus.reply(call, "")
}

// write hands a written value to the service and returns its answer. BlueZ collects the
// parts of a long write: it calls once, with the whole value and no offset.
func (s *server) write(call *dbus.Message, c characteristic) *dbus.Error {
	var value []byte
	var options map[string]dbus.Variant
	err := dbus.Store(call.Body, &value, &options)
	switch {
	case err != nil:
	case c.Write == nil:
		err = gatt.ErrNotSupported
	default:
		request := s.request(options, c.pairing)
		err = gatt.ErrInvalidOffset
		if request.Offset == 0 {
			err = c.Write(request, value)
		}
	}
	return s.attError("write", c.UUID, err)
}

// read answers with the value from the requested offset on: BlueZ passes each Read Blob
// request on as a call of its own.
func (s *server) read(call *dbus.Message, c characteristic) {
	var options map[string]dbus.Variant
	if err := dbus.Store(call.Body, &options); err != nil {
		s.finishRead(call, c.UUID, 0, nil, err)
		return
	}
	request := s.request(options, c.pairing)
	switch {
	case c.ReadLater != nil:
		c.ReadLater(request, func(value []byte, err error) {
			s.loop.post(func() { s.finishRead(call, c.UUID, request.Offset, value, err) })
		})
	case c.Read != nil:
		value, err := c.Read(request)
		s.finishRead(call, c.UUID, request.Offset, value, err)
	default:
		s.finishRead(call, c.UUID, 0, nil, gatt.ErrNotSupported)
	}
}

// finishRead answers a read with the value from offset on, or an error.
func (s *server) finishRead(call *dbus.Message, uuid string, offset uint16, value []byte, err error) {
	if err == nil && int(offset) > len(value) {
		err = gatt.ErrInvalidOffset
	}
	if failure := s.attError("read", uuid, err); failure != nil {
		s.bus.replyError(call, failure)
		return
	}
	s.bus.reply(call, "ay", value[offset:])
}

// request reads the options of ReadValue and WriteValue, of which BlueZ leaves out an
// offset of 0. The central is in use from now on.
func (s *server) request(options map[string]dbus.Variant, pairing gatt.Pairing) gatt.Request {
	r := gatt.Request{
		MTU:    msgbus.Value[uint16](options, "mtu"),
		Offset: msgbus.Value[uint16](options, "offset"),
	}
	if device, ok := options["device"].Value().(dbus.ObjectPath); ok {
		r.Central = s.centrals.served(device, pairing).id
	}
	return r
}

// attError returns the error that BlueZ passes on as the ATT code of err
// (src/gatt-database.c, dbus_error_to_att_ecode), nil for none.
func (s *server) attError(what, uuid string, err error) *dbus.Error {
	if err == nil {
		return nil
	}
	var code gatt.ApplicationError
	if errors.As(err, &code) {
		// BlueZ makes a number of the message from 5.66 on; before, it is 0x80.
		return dbus.NewError(bluezError+"Failed", []any{fmt.Sprintf("0x%02x", byte(code))})
	}
	if errors.Is(err, gatt.ErrUnlikely) {
		return errUnlikely
	}
	for target, name := range attErrors {
		if errors.Is(err, target) {
			return dbus.NewError(bluezError+name, []any{target.Error()})
		}
	}
	s.log.Error("a phone's request failed", "request", what, "attribute", uuid, "err", err)
	return errInternal
}

var attErrors = map[error]string{
	gatt.ErrInvalidLength: "InvalidValueLength",
	gatt.ErrInvalidOffset: "InvalidOffset",
	gatt.ErrInProgress:    "InProgress",
	gatt.ErrNotPermitted:  "NotPermitted",
	gatt.ErrNotSupported:  "NotSupported",
}

// notify makes BlueZ notify value to the centrals that have subscribed. The signal reaches
// every program that listens on the bus; what the MTU does not hold is cut off.
func (s *server) notify(path dbus.ObjectPath, value []byte) {
	err := s.bus.conn.Emit(path, msgbus.PropertiesChanged, characteristicInterface,
		map[string]dbus.Variant{"Value": dbus.MakeVariant(value)}, []string{})
	if err != nil && !errors.Is(err, context.Canceled) {
		s.log.Error("cannot notify a value", "err", msgbus.Plain(err))
	}
}
