package control

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

// export puts the object on the bus.
func (s *Server) export(conn *dbus.Conn) error {
	for name, methods := range map[string]map[string]any{
		Interface: {
			"Erase": func(sender dbus.Sender) *dbus.Error { return s.erase(conn, string(sender)) },
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

// erase does for root what an ERASE of a phone does. The bus policy refuses everybody
// else; a bus without that policy must not be the way around it.
func (s *Server) erase(conn *dbus.Conn, sender string) *dbus.Error {
	var uid uint32
	err := theBus(conn).Call(context.Background(), msgbus.BusPath,
		msgbus.BusName+".GetConnectionUnixUser", []any{sender}, &uid)
	switch {
	case err != nil:
		return failure(msgbus.ErrorPrefix+"AccessDenied", "the bus does not name the caller's user")
	case !s.cfg.MayErase(uid):
		s.cfg.Log.Warn("ERASE over D-Bus refused: the caller is not root", "uid", uid)
		return failure(msgbus.ErrorPrefix+"AccessDenied", "only root may erase; use sudo")
	}
	s.cfg.Log.Info("ERASE requested over D-Bus", "event", "erase-requested", "uid", uid)
	switch err := s.cfg.Control.Erase(gateway.Operator()); {
	case errors.Is(err, gateway.ErrBusy):
		return failure(errorBusy, "the daemon is starting or ending; try again")
	case err != nil:
		return failure(msgbus.ErrorPrefix+"Failed", err.Error())
	}
	return nil
}

// theBus returns the bus itself as a program to call.
func theBus(conn *dbus.Conn) msgbus.Program {
	return msgbus.Program{Conn: conn, Name: msgbus.BusName, Timeout: answerTimeout}
}

func failure(name, message string) *dbus.Error { return dbus.NewError(name, []any{message}) }
