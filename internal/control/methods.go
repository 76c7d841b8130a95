package control

import (
	"context"
	"fmt"
	"maps"

	"github.com/godbus/dbus/v5"
)

// export puts the object on the bus.
func (s *Server) export(conn *dbus.Conn) error {
	for name, methods := range map[string]map[string]any{
		Interface: {"Erase": func(sender dbus.Sender) *dbus.Error { return s.erase(conn, string(sender)) }},
		properties: {
			"Get":    s.get,
			"GetAll": s.getAll,
			"Set":    s.set,
		},
		introspectable: {"Introspect": func() (string, *dbus.Error) { return introspection, nil }},
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
		return v, failure(errorPrefix+"UnknownProperty", "there is no such property; see busctl introspect "+Name+" "+string(Path))
	}
	return v, nil
}

func (s *Server) getAll(iface string) (map[string]dbus.Variant, *dbus.Error) {
	if iface != Interface && iface != "" {
		return nil, failure(errorPrefix+"UnknownInterface", "only "+Interface+" has properties here")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.values), nil
}

func (s *Server) set(_, _ string, _ dbus.Variant) *dbus.Error {
	return failure(errorPrefix+"PropertyReadOnly", "the properties are to be read only")
}

// erase does what an ERASE of a phone does, for root. The bus policy lets nobody
// else through; a bus without that policy must not be the way around it.
func (s *Server) erase(conn *dbus.Conn, sender string) *dbus.Error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	var uid uint32
	err := conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetConnectionUnixUser", 0, sender).Store(&uid)
	switch {
	case err != nil:
		return failure(errorPrefix+"AccessDenied", "the bus does not say who asks")
	case !s.cfg.MayErase(uid):
		s.cfg.Log.Warn("an erase over D-Bus was refused: only root may", "uid", uid)
		return failure(errorPrefix+"AccessDenied", "only root may erase; use sudo")
	}
	s.cfg.Log.Info("ERASE was asked for over D-Bus", "uid", uid)
	if err := s.cfg.Erase(); err != nil {
		return failure(errorBusy, "the daemon is starting or ending; try again")
	}
	return nil
}

func failure(name, message string) *dbus.Error { return dbus.NewError(name, []any{message}) }
