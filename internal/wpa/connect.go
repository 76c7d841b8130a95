package wpa

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// errUnreachable says that an access point did not answer at all: what was known
// about it may have been out of date.
var errUnreachable = errors.New("the access point does not answer")

// errRemoved says that another program has removed the network from wpa_supplicant.
var errRemoved = errors.New("another program removed the network from wpa_supplicant")

// errTaken says that another program made wpa_supplicant turn to its own network.
var errTaken = errors.New("another program selected its own network")

var errNotConnected = errors.New("the interface is not connected")

// join is one run of Join with one device.
type join struct {
	*Client
	dev   *device
	cred  wifi.Credentials
	last  verdict // what to say if the time is up
	unfit error   // what to say if an access point that was heard lately, and did not fit, is not heard again
}

// adopt takes over the connection that stands, if it is to the right SSID.
func (j *join) adopt(ctx context.Context) (wifi.Network, bool) {
	n, path, err := j.network(ctx)
	if err != nil || n.SSID != j.cred.SSID {
		return wifi.Network{}, false
	}
	j.opts.Log.Debug("taking over the connection that stands", "ssid", n.SSID.String())
	j.watch(j.dev, path)
	return n, true
}

// run looks for the network where it is quickest to find, then everywhere.
func (j *join) run(ctx context.Context, hint wifi.Hint) (wifi.Network, error) {
	answer, err := j.dev.call(ctx, "RemoveAllNetworks", nil)
	if err != nil {
		return wifi.Network{}, err
	}
	j.mu.Lock()
	j.dev.mine, j.dev.none, j.dev.taken = "", answer.ResponseSequence, false
	j.mu.Unlock()
	found, err := j.dev.results(ctx, j.cred.SSID, freshAge)
	if err != nil {
		return wifi.Network{}, err
	}
	if n, err := j.connect(ctx, found, j.called == j.cred.SSID, false); !errors.Is(err, errUnreachable) {
		return n, err
	}
	frequencies, err := j.where(ctx, hint)
	if err != nil {
		return wifi.Network{}, err
	}
	for _, frequency := range frequencies {
		found, hidden, err := j.find(ctx, j.dev, j.cred.SSID, frequency)
		if err != nil {
			return wifi.Network{}, err
		}
		n, err := j.connect(ctx, found, hidden, frequency == 0)
		if !errors.Is(err, errUnreachable) {
			return n, err
		}
	}
	j.mu.Lock()
	taken := j.dev.taken
	j.mu.Unlock()
	switch {
	case taken:
		return wifi.Network{}, errTaken
	case j.unfit != nil:
		return wifi.Network{}, j.unfit // one scan in many misses an access point
	}
	return wifi.Network{}, &wifi.Error{Failure: wifi.FailureNotFound,
		Detail: fmt.Sprintf("no access point called %s is in reach; is it on, and on a channel that the country setting allows?", j.cred.SSID)}
}

// where returns the frequencies to look at, in MHz: where the network was joined
// last, where it was heard in the last minutes, and 0 for everywhere.
func (j *join) where(ctx context.Context, hint wifi.Hint) ([]int, error) {
	var frequencies []int
	if hint.FrequencyMHz > 0 {
		frequencies = append(frequencies, hint.FrequencyMHz)
	}
	known, err := j.dev.results(ctx, j.cred.SSID, knownAge)
	if err != nil {
		return nil, err
	}
	for _, b := range known {
		if !slices.Contains(frequencies, b.frequency) && len(frequencies) < maxKnown {
			frequencies = append(frequencies, b.frequency)
		}
	}
	return append(frequencies, 0), nil
}

// connect joins one of the access points found. It returns errUnreachable if there
// are none and, unless the search was a full one, if none answers or fits.
func (j *join) connect(ctx context.Context, found []bss, hidden, full bool) (wifi.Network, error) {
	if len(found) == 0 {
		return wifi.Network{}, errUnreachable
	}
	p, fitting, err := choose(j.cred, found, j.dev, hidden)
	if err != nil {
		if !full {
			j.unfit, err = err, errUnreachable
		}
		return wifi.Network{}, err
	}
	if !j.usable(j.dev) {
		return wifi.Network{}, errGone // NetworkManager has taken the interface, for one
	}
	path, err := j.add(ctx, p)
	if err != nil {
		return wifi.Network{}, err
	}
	j.opts.Log.Debug("connecting", "ssid", j.cred.SSID.String(), "key_mgmt", p.akms, "frequencies", p.scan, "hidden", p.hidden)
	n, err := j.follow(ctx, path, p, fitting, full)
	if err != nil {
		j.remove(ctx, path)
		return wifi.Network{}, err
	}
	j.watch(j.dev, path)
	return n, nil
}

// add adds the network to wpa_supplicant.
func (j *join) add(ctx context.Context, p plan) (dbus.ObjectPath, error) {
	props, psk, err := p.properties(j.cred)
	if err != nil {
		return "", err
	}
	defer clear(psk)
	var path dbus.ObjectPath
	if _, err = j.dev.call(ctx, "AddNetwork", []any{props}, &path); err != nil {
		return "", err
	}
	j.mu.Lock()
	j.dev.mine = path
	j.mu.Unlock()
	return path, nil
}

// remove removes a network that failed, even if ctx has ended.
func (j *join) remove(ctx context.Context, path dbus.ObjectPath) {
	ctx = context.WithoutCancel(ctx)
	if j.isGone(j.dev) {
		return
	}
	answer, err := j.dev.call(ctx, "RemoveNetwork", []any{path})
	if err != nil {
		j.opts.Log.Warn("the network that failed could not be removed", "error", err)
		return
	}
	j.mu.Lock()
	j.dev.mine, j.dev.none = "", answer.ResponseSequence
	j.mu.Unlock()
}

// follow selects the network and waits for a connection or a final verdict.
func (j *join) follow(ctx context.Context, path dbus.ObjectPath, p plan, fitting []bss, full bool) (wifi.Network, error) {
	a := &attempt{dev: j.dev, network: path, protected: p.protected(), sae: p.sae() && anySAE(fitting)}
	j.setAttempt(a)
	defer j.setAttempt(nil)
	if _, err := j.dev.call(ctx, "SelectNetwork", []any{path}); err != nil {
		return wifi.Network{}, err
	}
	j.last = verdict{failure: wifi.FailureTimedOut,
		detail: "wpa_supplicant did not try the access point; does it support its ciphers?"}
	if !full {
		begun := func() bool {
			return a.done || a.try.phase != "" || a.tries > 0 || a.removed || j.dev.taken || !j.able()
		}
		start, cancel := context.WithTimeout(ctx, startWithin)
		defer cancel()
		if err := j.wait(start, begun); err != nil && ctx.Err() == nil {
			return wifi.Network{}, errUnreachable
		}
	}
	var v verdict
	var done, able, final, removed, taken bool
	err := j.wait(ctx, func() bool {
		done, able, final, v, removed, taken = a.done, j.able(), a.final, a.verdict, a.removed, j.dev.taken
		if a.try.phase != "" {
			j.last = verdict{failure: wifi.FailureTimedOut, detail: "the access point did not finish (state " + a.try.phase + ")"}
		}
		if v.failure != wifi.FailureNone {
			j.last = v
		}
		return done || !able || final || removed || taken || !full && v.failure == wifi.FailureTimedOut
	})
	stale := !full && v.failure != wifi.FailureWrongPassword // what was known of the access point may be
	switch {
	case err != nil:
		return wifi.Network{}, err
	case taken:
		return wifi.Network{}, errTaken
	case done:
		return j.arrived(ctx, path)
	case !able:
		return wifi.Network{}, errGone
	case removed:
		return wifi.Network{}, errRemoved
	case stale:
		return wifi.Network{}, errUnreachable
	}
	return wifi.Network{}, &wifi.Error{Failure: v.failure, Detail: v.detail}
}

// arrived returns the network that was joined, after checking that it is ours.
func (j *join) arrived(ctx context.Context, path dbus.ObjectPath) (wifi.Network, error) {
	n, current, err := j.network(ctx)
	switch {
	case errors.Is(err, errNotConnected):
		return wifi.Network{}, &wifi.Error{Failure: wifi.FailureRefused, Detail: "the access point ended the connection at once"}
	case err != nil:
		return wifi.Network{}, err
	case current != path:
		return wifi.Network{}, errTaken
	}
	return n, nil
}

// network returns the network that the interface is connected to.
func (j *join) network(ctx context.Context) (wifi.Network, dbus.ObjectPath, error) {
	props, _, err := j.dev.properties(ctx)
	if err != nil {
		return wifi.Network{}, "", err
	}
	path, at := property[dbus.ObjectPath](props, "CurrentNetwork"), property[dbus.ObjectPath](props, "CurrentBSS")
	if property[string](props, "State") != "completed" || path == "" || path == noPath || at == noPath {
		return wifi.Network{}, "", errNotConnected
	}
	b, err := j.dev.bssByPath(ctx, at)
	if err != nil {
		return wifi.Network{}, "", err
	}
	return wifi.Network{
		SSID: b.ssid, BSSID: b.bssid, FrequencyMHz: b.frequency, SignalDBm: b.signal,
		KeyMgmt: property[string](props, "CurrentAuthMode"),
	}, path, nil
}

// able reports whether the device is still there and in working order. j.mu is
// held.
func (j *join) able() bool { return !j.dev.gone && j.down == "" }

func (j *join) setAttempt(a *attempt) {
	j.mu.Lock()
	j.attempt = a
	j.mu.Unlock()
}

func anySAE(found []bss) bool {
	for _, b := range found {
		if len(offers(b, []string{akmSAE}, b.rsn)) > 0 {
			return true
		}
	}
	return false
}
