package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

// export puts the object on the bus.
func (s *Server) export(conn *dbus.Conn) error {
	for name, methods := range map[string]map[string]any{
		Interface: {
			"Erase": func(sender dbus.Sender) *dbus.Error {
				return s.request(conn, sender, "ERASE", "erase-requested", s.cfg.Control.Erase)
			},
			"Open": func(seconds uint32, sender dbus.Sender) *dbus.Error {
				return s.open(conn, sender, seconds)
			},
			"Close": func(sender dbus.Sender) *dbus.Error {
				return s.request(conn, sender, "closing of the window", "close-requested", s.cfg.Control.Close)
			},
			"Identify": func(sender dbus.Sender) *dbus.Error {
				return s.request(conn, sender, "identification", "identify-requested", s.cfg.Control.Identify)
			},
			"Claim": func(name string, sender dbus.Sender) *dbus.Error { return s.claim(conn, sender, name) },
			"Reply": func(name string, data []byte, sender dbus.Sender) *dbus.Error {
				return s.reply(sender, name, data)
			},
		},
		msgbus.Properties: {
			"Get":    s.get,
			"GetAll": s.getAll,
			"Set":    s.set,
		},
		msgbus.Introspectable: {
			"Introspect": func() (string, *dbus.Error) { return introspection, nil },
		},
	} {
		if err := conn.ExportMethodTable(methods, Path, name); err != nil {
			return fmt.Errorf("export %s: %w", name, err)
		}
	}
	return nil
}

func (s *Server) get(iface, name string) (dbus.Variant, *dbus.Error) {
	values, err := s.getAll(iface)
	if err != nil {
		return dbus.Variant{}, err
	}
	v, ok := values[name]
	if !ok {
		return v, failure(msgbus.ErrorPrefix+"UnknownProperty",
			"no such property; see busctl introspect "+Name+" "+string(Path))
	}
	return v, nil
}

func (s *Server) getAll(iface string) (map[string]dbus.Variant, *dbus.Error) {
	if iface != Interface && iface != "" {
		return nil, failure(msgbus.ErrorPrefix+"UnknownInterface",
			"only "+Interface+" has properties here")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.values), nil
}

func (s *Server) set(_, _ string, _ dbus.Variant) *dbus.Error {
	return failure(msgbus.ErrorPrefix+"PropertyReadOnly", "all properties are read only")
}

// open opens a window for so many seconds, 0 for the configuration's.
func (s *Server) open(conn *dbus.Conn, sender dbus.Sender, seconds uint32) *dbus.Error {
	window := time.Duration(seconds) * time.Second
	if window != 0 && (window < gateway.ShortestWindow || window > gateway.LongestWindow) {
		return failure(msgbus.ErrorPrefix+"InvalidArgs",
			fmt.Sprintf("a window of %s: it may be %s to %s, or 0 s for the configured one",
				window, gateway.ShortestWindow, gateway.LongestWindow))
	}
	return s.request(conn, sender, "opening of a window", "open-requested", func(r gateway.Requester) error {
		return s.cfg.Control.Open(r, window)
	})
}

// request does for root what only root may ask for: an ERASE as a phone's, and what belongs
// to a person at the gateway.
func (s *Server) request(
	conn *dbus.Conn, sender dbus.Sender, what, event string, ask func(gateway.Requester) error,
) *dbus.Error {
	uid, refusal := s.operator(conn, sender, what)
	if refusal != nil {
		return refusal
	}
	s.cfg.Log.Info(what+" requested over D-Bus", "event", event, "uid", uid)
	switch err := ask(gateway.Operator()); {
	case errors.Is(err, gateway.ErrBusy):
		return failure(errorBusy, "the daemon is starting or ending; try again")
	case err != nil:
		return failure(msgbus.ErrorPrefix+"Failed", err.Error())
	}
	return nil
}

// operator returns the user of a caller who may operate the gateway, and refuses all others.
// The bus policy does, too; a bus without that policy must not be the way around it.
func (s *Server) operator(conn *dbus.Conn, sender dbus.Sender, what string) (uint32, *dbus.Error) {
	var uid uint32
	err := theBus(conn).Call(context.Background(), msgbus.BusPath,
		msgbus.BusName+".GetConnectionUnixUser", []any{string(sender)}, &uid)
	switch {
	case err != nil:
		return 0, failure(msgbus.ErrorPrefix+"AccessDenied", "the bus does not name the caller's user")
	case !s.cfg.MayOperate(uid):
		s.cfg.Log.Warn(what+" over D-Bus refused: the caller is not root", "uid", uid)
		return 0, failure(msgbus.ErrorPrefix+"AccessDenied", "only root may ask for this; use sudo")
	}
	return uid, nil
}

// theBus returns the bus itself as a program to call.
func theBus(conn *dbus.Conn) msgbus.Program {
	return msgbus.Program{Conn: conn, Name: msgbus.BusName, Timeout: answerTimeout}
}

func failure(name, message string) *dbus.Error { return dbus.NewError(name, []any{message}) }
