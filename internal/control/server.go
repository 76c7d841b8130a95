package control

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/custom"
	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

const (
	retryAfter = time.Minute
	maxPending = 64 // signals that the bus has not taken yet; more are merged
)

// Server is the daemon's side of the interface: a gateway.Observer that Run puts on the bus.
type Server struct {
	cfg   ServerConfig
	retry time.Duration // until a bus that refused is asked again
	wake  chan struct{} // holds one if something is pending

	mu      sync.Mutex
	known   known
	values  map[string]dbus.Variant   // made of known
	pending []map[string]dbus.Variant // to be signalled, oldest first
}

// ServerConfig is what a Server needs.
type ServerConfig struct {
	Version  string
	Security gatt.Pairing // bluetooth.security of the configuration
	Log      *slog.Logger
	Access   gateway.Access   // bluetooth.access of the configuration
	Control  gateway.Control  // what the methods ask
	Custom   *custom.Exchange // where programs meet phones; nil: one without phones
	Bus      string           // the address of the message bus; empty: the system bus

	// MayOperate says whether a user may erase, open and close. Nil: root may.
	MayOperate func(uid uint32) bool
}

// NewServer returns a Server that tells of a daemon that is starting.
func NewServer(cfg ServerConfig) *Server {
	if cfg.MayOperate == nil {
		cfg.MayOperate = func(uid uint32) bool { return uid == 0 }
	}
	if cfg.Custom == nil {
		cfg.Custom = custom.NewExchange(cfg.Log)
	}
	s := &Server{cfg: cfg, retry: retryAfter, wake: make(chan struct{}, 1)}
	s.known = known{
		Snapshot: &gateway.Snapshot{Phase: gateway.Starting, Since: time.Now(), Access: cfg.Access},
		began:    monotonic(),
		version:  cfg.Version,
		security: cfg.Security.String(),
		access:   cfg.Access.String(),
	}
	s.values = s.known.values()
	return s
}

// Changed shows now, and has all that it changes signalled at once. It does not wait for
// the bus.
func (s *Server) Changed(_, now *gateway.Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if shown := s.known.Snapshot; now.Turn != shown.Turn || !now.Since.Equal(shown.Since) {
		s.known.began = monotonic() - time.Since(now.Since)
	}
	switch shown := s.known.Snapshot; {
	case now.Window.IsZero():
		s.known.closes = 0
	case !now.Window.Equal(shown.Window):
		s.known.closes = monotonic() + time.Until(now.Window)
	}
	s.known.Snapshot = now
	values := s.known.values()
	different := changed(s.values, values)
	s.values = values
	switch n := len(s.pending); {
	case len(different) == 0:
		return
	case n < maxPending:
		s.pending = append(s.pending, different)
	default: // the bus has been stuck for long
		maps.Copy(s.pending[n-1], different)
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run serves until ctx ends. The gateway does its work without this interface: a bus that
// refuses it is worth a warning, and is asked again later.
func (s *Server) Run(ctx context.Context) error {
	told := ""
	for {
		err := s.serve(ctx, func() {
			if told != "" {
				s.cfg.Log.Info("the D-Bus interface is available again", "name", Name)
			}
			told = ""
		})
		if ctx.Err() != nil {
			return nil
		}
		if err.Error() != told {
			told = err.Error()
			s.cfg.Log.Warn("the D-Bus interface is not available, so wifiprovctl status does not work; "+
				"trying again every "+s.retry.String(), "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(s.retry):
		}
	}
}

// serve connects to the bus, takes the name and signals changes until the bus or ctx ends.
func (s *Server) serve(ctx context.Context, ready func()) error {
	gone := &ends{server: s}
	conn, err := msgbus.Dial(ctx, s.cfg.Bus, dbus.WithSignalHandler(gone))
	if err != nil {
		return err
	}
	defer s.cfg.Custom.Clear() // once nobody can claim by this connection any more
	defer func() { _ = conn.Close() }()
	gone.conn.Store(conn)
	s.mu.Lock()
	s.pending = nil // nobody has read the values that these would change
	s.mu.Unlock()
	if err := s.export(conn); err != nil {
		return err
	}
	if err := takeName(ctx, conn); err != nil {
		return err
	}
	ready()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-conn.Context().Done():
			return msgbus.ErrLost
		case <-s.wake:
			if err := s.signal(conn); err != nil {
				return err
			}
		}
	}
}

func takeName(ctx context.Context, conn *dbus.Conn) error {
	var reply uint32
	err := theBus(conn).Call(ctx, msgbus.BusPath, msgbus.BusName+".RequestName",
		[]any{Name, uint32(dbus.NameFlagDoNotQueue)}, &reply)
	switch {
	case err != nil:
		return fmt.Errorf("take the name %s, which the bus policy %s.conf allows: %w",
			Name, Name, msgbus.Plain(err))
	case dbus.RequestNameReply(reply) != dbus.RequestNameReplyPrimaryOwner:
		return fmt.Errorf("another program has the name %s: see busctl status %s", Name, Name)
	}
	return nil
}

// signal tells what has changed.
func (s *Server) signal(conn *dbus.Conn) error {
	s.mu.Lock()
	pending := s.pending
	s.pending = nil
	s.mu.Unlock()
	for _, values := range pending {
		err := conn.Emit(Path, msgbus.PropertiesChanged, Interface, values, []string{})
		if err != nil {
			return fmt.Errorf("signal a change: %w", msgbus.Plain(err))
		}
	}
	return nil
}
