package wpa

import (
	"context"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
	"github.com/wifiprovd/wifiprovd/internal/nm"
	"github.com/wifiprovd/wifiprovd/internal/verdict"
)

// dial connects to the message bus and subscribes to what receive understands.
func (c *Client) dial(ctx context.Context) (*dbus.Conn, <-chan *dbus.Signal, error) {
	conn, err := msgbus.Dial(ctx, c.cfg.Bus, dbus.WithSignalHandler(dbus.NewSequentialSignalHandler()))
	if err != nil {
		return nil, nil, err
	}
	signals := make(chan *dbus.Signal, 64)
	conn.Signal(signals)
	if err := c.subscribe(ctx, conn); err != nil {
		_ = conn.Close()
		return nil, nil, fmt.Errorf("subscribe to wpa_supplicant's signals: %w", msgbus.Plain(err))
	}
	return conn, signals, nil
}

func (c *Client) subscribe(ctx context.Context, conn *dbus.Conn) error {
	match := func(sender, iface, member string, more ...dbus.MatchOption) []dbus.MatchOption {
		return append(more, dbus.WithMatchSender(sender), dbus.WithMatchInterface(iface), dbus.WithMatchMember(member))
	}
	for _, options := range append(nm.Matches(), [][]dbus.MatchOption{
		match(msgbus.BusName, msgbus.BusName, "NameOwnerChanged", dbus.WithMatchArg(0, service)),
		match(service, rootIface, "InterfaceAdded"),
		match(service, rootIface, "InterfaceRemoved"),
		match(service, msgbus.Properties, "PropertiesChanged", dbus.WithMatchArg(0, ifaceIface)),
		match(service, ifaceIface, "ScanDone"),
		match(service, ifaceIface, "NetworkSelected"),
		match(service, ifaceIface, "NetworkRemoved"),
		match(service, ifaceIface, "PskMismatch"),
		match(service, ifaceIface, "SaePasswordMismatch"),
	}...) {
		ctx, cancel := context.WithTimeout(ctx, c.times.answer)
		err := conn.AddMatchSignalContext(ctx, options...)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// receive acts on a signal. The bus delivers what anybody sends to this connection, so
// the sender is checked; only what makes the owner ask may come from anybody.
func (o *owner) receive(signal *dbus.Signal) {
	if nm.Concerns(signal) {
		o.manager.concerning(signal)
	}
	s := o.station
	switch {
	case signal.Name == msgbus.NameOwnerChanged:
		o.ownerChanged(signal)
	case s == nil && signal.Name == rootIface+".InterfaceAdded":
		o.trouble.retry = backoff{}
	case s == nil || signal.Sender != s.dev.owner || signal.Sequence < s.dev.since:
	case signal.Name == rootIface+".InterfaceRemoved":
		if len(signal.Body) > 0 && signal.Body[0] == s.dev.path {
			o.detach("wpa_supplicant let go of " + o.view.Load().iface() + "; waiting for it")
		}
	case signal.Path == s.dev.path:
		o.receiveOf(s, signal)
	}
}

// ownerChanged acts on wpa_supplicant's coming and going.
func (o *owner) ownerChanged(signal *dbus.Signal) {
	var name, before, now string
	if signal.Sender != msgbus.BusName || dbus.Store(signal.Body, &name, &before, &now) != nil || name != service {
		return
	}
	if s := o.station; s != nil {
		if now == s.dev.owner || signal.Sequence < s.dev.since {
			return
		}
		o.detach("wpa_supplicant has ended; waiting for it")
	}
	if now != "" {
		o.trouble.retry = backoff{}
	}
}

// receiveOf acts on a signal of the interface.
func (o *owner) receiveOf(s *station, signal *dbus.Signal) {
	var first any
	if len(signal.Body) > 0 {
		first = signal.Body[0]
	}
	switch signal.Name {
	case ifaceIface + ".ScanDone":
		s.scanDone, s.scanOK = signal.Sequence, first == true
	case ifaceIface + ".NetworkSelected":
		if path, ok := first.(dbus.ObjectPath); ok {
			if !o.manager.managed {
				s.selected(path, signal.Sequence)
			}
			o.apply(change{at: signal.Sequence, network: path})
		}
	case ifaceIface + ".NetworkRemoved":
		o.networkRemoved(s, first, signal.Sequence)
	case ifaceIface + ".PskMismatch":
		o.apply(change{at: signal.Sequence, Change: verdict.Change{PSKMismatch: true}})
	case ifaceIface + ".SaePasswordMismatch":
		o.apply(change{at: signal.Sequence, Change: verdict.Change{SAEMismatch: true}})
	case msgbus.PropertiesChanged:
		if len(signal.Body) < 2 {
			return
		}
		if props, ok := signal.Body[1].(map[string]dbus.Variant); ok {
			ch := decodeChange(props)
			ch.at = signal.Sequence
			o.change(s, ch)
		}
	}
}

func decodeChange(props map[string]dbus.Variant) change {
	code := func(name string) *int32 {
		if value, ok := props[name].Value().(int32); ok {
			return &value
		}
		return nil
	}
	return change{
		Change: verdict.Change{
			State:  msgbus.Value[string](props, "State"),
			Auth:   code("AuthStatusCode"),
			Assoc:  code("AssocStatusCode"),
			Reason: code("DisconnectReason"),
		},
		network: msgbus.Value[dbus.ObjectPath](props, "CurrentNetwork"),
		bss:     msgbus.Value[dbus.ObjectPath](props, "CurrentBSS"),
	}
}

// change applies a change. wpa_supplicant does not always tell which network a
// connection that has come back belongs to (2.10, seen after SelectNetwork): then it
// is asked first.
func (o *owner) change(s *station, ch change) {
	if o.linked() && ch.State == "completed" && ch.network == "" {
		s.incomplete = &ch
		return
	}
	o.apply(ch)
}

// complete asks which network an incomplete change is about, and applies it.
func (o *owner) complete() question {
	s := o.station
	return func(ctx context.Context) func() {
		props, _, err := s.dev.properties(ctx)
		return func() {
			ch := *s.incomplete
			s.incomplete = nil
			if err == nil {
				ch.network = msgbus.Value[dbus.ObjectPath](props, "CurrentNetwork")
			}
			o.apply(ch)
		}
	}
}

// apply takes in a change of the interface.
func (o *owner) apply(ch change) {
	s := o.station
	was := s.state
	s.apply(ch)
	if (was == stateDisabled) != (s.state == stateDisabled) {
		s.radio = o.radioTrouble(s.state)
	}
	if o.linked() {
		o.link.observe(s, time.Now())
		o.link.movedTo(ch.bss, s.state)
	}
}

// networkRemoved notes that a network is no longer in wpa_supplicant. If it is the one
// in use, another program has removed it.
func (o *owner) networkRemoved(s *station, path any, at dbus.Sequence) {
	if s.attempt != nil && s.attempt.network == path && at > s.attempt.since {
		s.attempt.removed = true
	}
	if o.linked() && o.link.network == path {
		o.link.removed = true
		o.link.observe(s, time.Now())
	}
}
