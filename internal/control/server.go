package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const (
	callTimeout = 10 * time.Second // for the bus to answer
	retryAfter  = time.Minute
	maxPending  = 64 // signals that the bus has not taken yet; more are merged
)

// Server is the daemon's side. Its methods may be called from any goroutine and
// do not wait for the bus.
type Server struct {
	cfg   ServerConfig
	retry time.Duration // until a bus that refused is asked again
	wake  chan struct{} // something is pending

	mu      sync.Mutex
	status  Status
	onAir   bool
	values  map[string]dbus.Variant
	pending []map[string]dbus.Variant // to be signalled, oldest first
}

// ServerConfig is what a Server needs.
type ServerConfig struct {
	Version, Security string
	Log               *slog.Logger
	// Erase starts to erase everything; an error means: not now.
	Erase func() error
	// Bus is the message bus; empty: the system bus.
	Bus string
	// MayErase says whether a user may erase. Nil: root may.
	MayErase func(uid uint32) bool
}

// NewServer returns a server that Run puts on the bus.
func NewServer(cfg ServerConfig) *Server {
	if cfg.MayErase == nil {
		cfg.MayErase = func(uid uint32) bool { return uid == 0 }
	}
	s := &Server{cfg: cfg, retry: retryAfter, wake: make(chan struct{}, 1)}
	s.status = Status{Version: cfg.Version, Security: cfg.Security, Trouble: "not yet: starting"}
	s.status.Name, s.status.Phase = "IDLE", "starting"
	s.status.Since, s.status.SinceMonotonic = time.Now(), monotonic()
	s.values = s.status.values()
	return s
}

// SetState shows what the daemon is doing.
func (s *Server) SetState(state State) {
	s.update(func(status *Status) {
		if !state.Since.Equal(status.Since) {
			status.SinceMonotonic = monotonic() - time.Since(state.Since)
		}
		status.State = state
		switch {
		case state.Network.SSID != "":
			status.SSID = state.Network.SSID
		case state.Name == "IDLE":
			status.SSID = ""
		}
	})
}

// SetSSID shows which network is tried.
func (s *Server) SetSSID(ssid wifi.SSID) { s.update(func(status *Status) { status.SSID = ssid }) }

// CentralConnected shows a central.
func (s *Server) CentralConnected(address string) {
	s.update(func(status *Status) { status.Centrals = append(without(status.Centrals, address), address) })
}

// CentralDisconnected takes a central away.
func (s *Server) CentralDisconnected(address string) {
	s.update(func(status *Status) { status.Centrals = without(status.Centrals, address) })
}

// AdvertisingUp shows that phones can find the gateway on adapter.
func (s *Server) AdvertisingUp(adapter string) {
	s.update(func(status *Status) { s.onAir, status.Adapter, status.Trouble = true, adapter, "" })
}

// AdvertisingDown shows why phones cannot find the gateway.
func (s *Server) AdvertisingDown(why string) {
	s.update(func(status *Status) { s.onAir, status.Adapter, status.Trouble = false, "", why })
}

// update changes the status and has the difference signalled.
func (s *Server) update(change func(*Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
	if s.onAir && !s.status.Advertise {
		s.onAir, s.status.Adapter, s.status.Trouble = false, "", "switched off while connected (bluetooth.keep_after_connect)"
	}
	s.status.Advertising = s.onAir
	values := s.status.values()
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

// Run serves until ctx ends. The gateway does its work without this interface,
// so a bus that refuses it is a warning and asked again later.
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
			s.cfg.Log.Warn(fmt.Sprintf("the D-Bus interface is not available: wifiprovctl status cannot tell the state; trying again every %s", s.retry), "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(s.retry):
		}
	}
}

// serve connects to the bus, takes the name and signals changes until the bus
// or ctx ends.
func (s *Server) serve(ctx context.Context, ready func()) error {
	conn, err := Dial(ctx, s.cfg.Bus)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	s.mu.Lock()
	s.pending = nil // nobody could follow what was before
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
			return errors.New("the connection to the message bus is lost")
		case <-s.wake:
			if err := s.signal(conn); err != nil {
				return err
			}
		}
	}
}

// Dial connects to the bus at address, or to the system bus if it is empty, within
// a deadline. The connection ends with ctx.
func Dial(ctx context.Context, address string) (*dbus.Conn, error) {
	connCtx, cancel := context.WithCancel(ctx)
	// Neither authentication nor Hello has a deadline of its own.
	timer := time.AfterFunc(callTimeout, cancel)
	connect := dbus.ConnectSystemBus
	if address != "" {
		connect = func(options ...dbus.ConnOption) (*dbus.Conn, error) { return dbus.Connect(address, options...) }
	}
	conn, err := connect(dbus.WithContext(connCtx))
	if !timer.Stop() {
		err = context.DeadlineExceeded
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("connect to the message bus: %w", plain(err))
	}
	return conn, nil
}

func takeName(ctx context.Context, conn *dbus.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var reply uint32
	err := conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.RequestName", 0, Name, uint32(dbus.NameFlagDoNotQueue)).Store(&reply)
	switch {
	case err != nil:
		return fmt.Errorf("take the name %s, which the bus policy %s.conf allows: %w", Name, Name, plain(err))
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
		if err := conn.Emit(Path, properties+".PropertiesChanged", Interface, values, []string{}); err != nil {
			return fmt.Errorf("signal a change: %w", plain(err))
		}
	}
	return nil
}
