package wpa

import (
	"context"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

// keeper keeps the network that a Join adds: wpa_supplicant itself, or NetworkManager,
// which adds it to wpa_supplicant. What wpa_supplicant says of it is the same.
type keeper interface {
	// adopt returns the connection to a proven target that stands already, or comes about
	// by itself; nil: there is none. first tells that this is the Client's first Join, so that
	// what stands may be of an earlier run.
	adopt(ctx context.Context, first bool) *Link

	// clear makes room for a network.
	clear(ctx context.Context) error

	// add adds the network that p describes.
	add(ctx context.Context, p plan, a *attempt) error

	// try has wpa_supplicant turn to the network, at once, however often it has failed.
	try(ctx context.Context, a *attempt) error

	// ours reports whether a connection is to that network.
	ours(ctx context.Context, a *attempt, now connection) bool

	// keep has the network that was joined stay, and lets it move to its other access points.
	keep(ctx context.Context, a *attempt, p plan)

	// remove removes a network that failed, even if ctx has ended.
	remove(ctx context.Context, a *attempt)

	// failed ends a Join that has not made a connection.
	failed(ctx context.Context)
}

// direct adds networks to wpa_supplicant.
type direct struct{ *join }

func (k direct) adopt(ctx context.Context, first bool) *Link {
	if !first || !k.target.Proven { // a candidate's password would not have been tried
		return nil
	}
	now, err := k.dev.connection(ctx)
	if err != nil {
		return nil
	}
	return k.takeOver(ctx, now)
}

// takeOver returns a connection that stands, if it is to the right SSID.
func (j *join) takeOver(ctx context.Context, now connection) *Link {
	if b, err := j.dev.bssByPath(ctx, now.bss); err != nil || b.ssid != j.cred.SSID {
		return nil
	}
	j.cfg.Log.Debug("taking over the connection that stands", "ssid", j.cred.SSID)
	return j.watch(j.dev, now, j.sae)
}

func (k direct) clear(ctx context.Context) error {
	at, err := k.dev.call(ctx, "RemoveAllNetworks", nil)
	if err == nil {
		k.on(k.dev, func(s *station) { s.begin(at) })
	}
	return err
}

func (k direct) add(ctx context.Context, p plan, a *attempt) error {
	var psk []byte
	if p.psk() {
		var err error
		if psk, err = k.psk.get(); err != nil {
			return err
		}
	}
	at, err := k.dev.call(ctx, "AddNetwork", []any{p.properties(k.cred, psk)}, &a.network)
	if err != nil {
		return err
	}
	a.since = at
	k.on(k.dev, func(s *station) { s.mine = a.network })
	return nil
}

func (k direct) try(ctx context.Context, a *attempt) error {
	_, err := k.dev.call(ctx, "SelectNetwork", []any{a.network})
	return err
}

func (k direct) ours(_ context.Context, a *attempt, now connection) bool {
	return now.network == a.network
}

func (k direct) keep(ctx context.Context, a *attempt, p plan) { k.unpin(ctx, a.network, p) }

// unpin lets a network move to access points other than the one that it was tried with.
func (j *join) unpin(ctx context.Context, network dbus.ObjectPath, p plan) {
	if p.bssid == "" {
		return
	}
	any := map[string]dbus.Variant{"bssid": dbus.MakeVariant("any")}
	if err := j.dev.supplicant.Set(ctx, network, netIface, "Properties", any); err != nil {
		j.cfg.Log.Warn("the network cannot move to its other access points", "err", msgbus.Plain(err))
	}
}

func (k direct) remove(ctx context.Context, a *attempt) {
	if k.isGone(k.dev) {
		return
	}
	at, err := k.dev.call(context.WithoutCancel(ctx), "RemoveNetwork", []any{a.network})
	if err != nil {
		k.cfg.Log.Warn("cannot remove the network that failed", "err", msgbus.Plain(err))
		return
	}
	k.on(k.dev, func(s *station) { s.mine, s.none = "", at })
}

func (k direct) failed(context.Context) {}
