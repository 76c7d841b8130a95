package wpa

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"unicode/utf8"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
	"github.com/wifiprovd/wifiprovd/internal/nm"
	"github.com/wifiprovd/wifiprovd/internal/verdict"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// managed has NetworkManager add networks to wpa_supplicant, as profiles. What becomes of
// them is told by wpa_supplicant alone: NetworkManager calls a wrong WPA3 password, an
// access point that refuses and one that is not there the same, 25 s later.
type managed struct {
	*join
	manager *nm.Manager
	kept    nm.Activation // the profile that NetworkManager keeps for us; the zero value: none
	trial   nm.Activation // the profile of this Join
	profile nm.Profile    // what is in it
}

func (k *managed) adopt(ctx context.Context, _ bool) *Link {
	kept, err := k.manager.Kept(ctx)
	if err != nil {
		k.cfg.Log.Warn("cannot look for the profile that NetworkManager keeps", "err", msgbus.Plain(err))
	}
	d := k.manager.Look(ctx)
	k.kept = kept
	of := k.turn.kept == 0 || k.turn.kept == k.target.ID
	if !k.target.Proven || !of || !kept.Is(d) || d.State <= nm.Disconnected {
		return nil
	}
	now, err := k.dev.connection(ctx)
	if err != nil {
		now, err = k.comes(ctx, kept, d)
	}
	if err != nil || now.network == "" {
		return nil
	}
	l := k.takeOver(ctx, now)
	if l != nil {
		k.turn.kept = k.target.ID
	}
	return l
}

// comes waits for the connection that NetworkManager is making with the profile that it keeps.
func (k *managed) comes(ctx context.Context, kept nm.Activation, d nm.Device) (connection, error) {
	k.trial = kept.As(d)
	defer func() { k.trial = nm.Activation{} }() // what fails stays: it is kept
	a := &attempt{Attempt: verdict.Attempt{Protected: k.cred.Passphrase.Len() > 0}, active: d.Active, running: true}
	k.on(k.dev, func(s *station) { s.attempt = a })
	defer k.on(k.dev, func(s *station) { s.attempt = nil })
	now, _, err := k.outcome(ctx, a, false)
	return now, err
}

// clear notes what the interface is on, so that a trial that fails can give it back.
func (k *managed) clear(ctx context.Context) error {
	d := k.manager.Look(ctx)
	if d.Active == "" || k.kept.Is(d) || !k.manager.Ours(d.Profile) {
		k.turn.before = d
	}
	return nil
}

func (k *managed) add(_ context.Context, p plan, _ *attempt) (err error) {
	k.trial = nm.Activation{}
	k.profile, err = k.describe(p)
	return err
}

// describe returns p as a profile.
func (k *managed) describe(p plan) (nm.Profile, error) {
	profile := nm.Profile{SSID: []byte(k.cred.SSID), Hidden: p.hidden, BSSID: p.bssid, WPA1: p.proto == "WPA"}
	if !p.protected() {
		return profile, nil
	}
	profile.Key = "wpa-psk" // and WPA3, where access point, radio and password allow it
	if !p.psk() {
		profile.Key = "sae"
	}
	withoutSAE := p.offered && !p.sae() && !k.dev.alwaysSAE
	if withoutSAE {
		profile.PMF = nm.PMFOff // and no WPA3, see findStation
	} else if p.pmf == 2 || slices.Equal(p.akms, []string{akmPSKSHA256}) && k.cred.Security == wifi.WPA2PSKSHA256 {
		profile.PMF = nm.PMFRequired
	}
	secret := k.cred.Passphrase.Bytes()
	switch {
	case !p.offered, !p.sae() && !utf8.Valid(secret): // a derived key: NetworkManager never sees the password
		psk, err := k.psk.get()
		profile.Secret = hex.EncodeToString(psk)
		return profile, err
	case !utf8.Valid(secret):
		return nm.Profile{}, &wifi.Error{Failure: wifi.FailureInvalidCredentials,
			Detail: "NetworkManager takes a WPA3 password only if it is UTF-8"}
	}
	profile.Secret = string(secret)
	return profile, nil
}

func (k *managed) try(ctx context.Context, a *attempt) (err error) {
	d := k.manager.Look(ctx)
	if k.trial == (nm.Activation{}) {
		k.trial, err = k.manager.Try(ctx, d, k.profile, k.kept)
	} else {
		k.trial, err = k.manager.Again(ctx, d, k.trial)
	}
	if err != nil {
		return err
	}
	active := k.trial.Active
	k.inbox.post(func(o *owner) {
		a.active, a.running = active, false
		a.activation(o.manager.device)
	})
	return nil
}

func (k *managed) ours(ctx context.Context, _ *attempt, _ connection) bool {
	return k.trial.Active == k.manager.Look(ctx).Active
}

func (k *managed) keep(ctx context.Context, _ *attempt, p plan) {
	k.turn.kept, k.turn.before = k.target.ID, nm.Device{}
	if err := k.manager.Keep(ctx, k.trial, k.profile); err != nil {
		k.cfg.Log.Warn("NetworkManager does not keep the network; it is joined anew when it is lost", "err", msgbus.Plain(err))
	}
	// The profile that is kept names no access point, but the connection that stands has it
	// from the trial.
	if now, err := k.dev.connection(ctx); err == nil {
		k.unpin(ctx, now.network, p)
	}
}

// remove leaves it to the next trial, or to failed: NetworkManager would turn to another
// network meanwhile.
func (k *managed) remove(context.Context, *attempt) {}

// failed gives the interface back to what it was on, at once. NetworkManager by itself
// would look around first.
func (k *managed) failed(ctx context.Context) {
	if k.trial == (nm.Activation{}) {
		return
	}
	superseded := errors.Is(ctx.Err(), context.Canceled)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.times.answer)
	defer cancel()
	if !superseded && k.turn.before.Profile != "" {
		if err := k.manager.Back(ctx, k.turn.before); err != nil {
			k.cfg.Log.Debug("NetworkManager does not go back", "to", k.turn.before.Title, "err", msgbus.Plain(err))
		}
		k.turn.before = nm.Device{}
	}
	if err := k.manager.Drop(ctx, k.trial); err != nil {
		k.cfg.Log.Warn("cannot remove the profile that failed", "err", msgbus.Plain(err))
	}
}
