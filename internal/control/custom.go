package control

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/custom"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

const (
	dataMember = "Data"

	errorClaimed    = Name + ".Error.Claimed"
	errorNotClaimed = Name + ".Error.NotClaimed"
	errorNotAsked   = Name + ".Error.NotAsked"
)

// claim has sender get what phones send to name, until it leaves the bus.
func (s *Server) claim(conn *dbus.Conn, sender dbus.Sender, name string) *dbus.Error {
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	by := string(sender)
	if _, err := s.operator(conn, sender, "claim of a name"); err != nil {
		return err
	}
	if err := conn.AddMatchSignalContext(ctx, endOf(by)...); err != nil {
		return failure(msgbus.ErrorPrefix+"Failed", "the bus does not tell when the caller ends")
	}
	err := s.cfg.Custom.Claim(name, by, func(name string, data []byte) {
		sendData(conn, by, name, data)
	})
	if err != nil {
		_ = conn.RemoveMatchSignalContext(ctx, endOf(by)...)
		return claimFailure(err)
	}
	// It may have left before the claim was there to be ended.
	caller := msgbus.Program{Conn: conn, Name: by, Timeout: answerTimeout}
	if owner, err := caller.Owner(ctx); err != nil || owner == "" {
		s.ended(conn, by)
	}
	return nil
}

// reply answers the phone whose data sender was sent for name.
func (s *Server) reply(sender dbus.Sender, name string, data []byte) *dbus.Error {
	if err := s.cfg.Custom.Reply(name, string(sender), data); err != nil {
		clear(data)
		return claimFailure(err)
	}
	return nil
}

func claimFailure(err error) *dbus.Error {
	name := msgbus.ErrorPrefix + "Failed"
	for is, called := range map[error]string{
		custom.ErrInvalid:    msgbus.ErrorPrefix + "InvalidArgs",
		custom.ErrManyClaims: msgbus.ErrorPrefix + "LimitsExceeded",
		custom.ErrClaimed:    errorClaimed,
		custom.ErrNotClaimed: errorNotClaimed,
		custom.ErrNotAsked:   errorNotAsked,
	} {
		if errors.Is(err, is) {
			name = called
		}
	}
	return failure(name, err.Error())
}

// sendData signals data to one program. A signal that names whom it is for gets to nobody
// else (D-Bus specification, "Message Bus Message Routing").
func sendData(conn *dbus.Conn, to, name string, data []byte) {
	conn.Send(&dbus.Message{
		Type: dbus.TypeSignal,
		Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldDestination: dbus.MakeVariant(to),
			dbus.FieldPath:        dbus.MakeVariant(Path),
			dbus.FieldInterface:   dbus.MakeVariant(Interface),
			dbus.FieldMember:      dbus.MakeVariant(dataMember),
			dbus.FieldSignature:   dbus.MakeVariant(dbus.SignatureOf(name, data)),
		},
		Body: []any{name, data},
	}, nil)
}

// endOf matches the signal that the program with this unique name has left the bus.
func endOf(by string) []dbus.MatchOption {
	return []dbus.MatchOption{
		dbus.WithMatchSender(msgbus.BusName), dbus.WithMatchInterface(msgbus.BusName),
		dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, by),
	}
}

// ends hears that programs have left the bus.
type ends struct {
	server *Server
	conn   atomic.Pointer[dbus.Conn] // nil: it does not stand yet, and nothing is claimed by it
}

// DeliverSignal implements dbus.SignalHandler. Every program may send signals here, as many as
// it likes: each is dealt with at once, and none is kept.
func (e *ends) DeliverSignal(_, _ string, signal *dbus.Signal) {
	conn := e.conn.Load()
	if conn == nil || signal.Sender != msgbus.BusName || signal.Name != msgbus.NameOwnerChanged {
		return
	}
	var name, before, now string
	if dbus.Store(signal.Body, &name, &before, &now) == nil && now == "" {
		e.server.ended(conn, name)
	}
}

// ended ends the claims of a program, and forgets it, without waiting for the bus.
func (s *Server) ended(conn *dbus.Conn, by string) {
	for range s.cfg.Custom.Gone(by) {
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
			defer cancel()
			_ = conn.RemoveMatchSignalContext(ctx, endOf(by)...)
		}()
	}
}
