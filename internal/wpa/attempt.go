package wpa

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
	"github.com/wifiprovd/wifiprovd/internal/verdict"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// maxKnown is on how many frequencies a Join looks first.
const maxKnown = 3

var (
	// errUnreachable: an access point does not answer at all; what was known of it
	// may be stale.
	errUnreachable = errors.New("the access point does not answer")

	// errRemoved and errTaken: another program meddles.
	errRemoved = errors.New("another program removed the network from wpa_supplicant")
	errTaken   = errors.New("another program selected its own network")
)

// join is one run of Join with one device.
type join struct {
	*Client
	dev   *device
	turn  *turn
	cred  wifi.Credentials
	last  verdict.Verdict // what to say if the time is up
	unfit error           // what to say if one that was heard lately, and did not fit, is missed now
}

// adopt takes over the connection that stands, if it is to the right SSID.
func (j *join) adopt(ctx context.Context) *Link {
	now, err := j.dev.connection(ctx)
	if err != nil {
		return nil
	}
	if b, err := j.dev.bssByPath(ctx, now.bss); err != nil || b.ssid != j.cred.SSID {
		return nil
	}
	j.cfg.Log.Debug("taking over the connection that stands", "ssid", j.cred.SSID)
	return j.watch(j.dev, now)
}

// run looks for the network where it is quickest to find, then everywhere.
func (j *join) run(ctx context.Context, hint wifi.Hint) (*Link, error) {
	at, err := j.dev.call(ctx, "RemoveAllNetworks", nil)
	if err != nil {
		return nil, err
	}
	j.on(j.dev, func(s *station) { s.begin(at) })
	found, err := j.dev.results(ctx, j.cred.SSID, freshAge)
	if err != nil {
		return nil, err
	}
	if l, err := j.connect(ctx, found, j.turn.called == j.cred.SSID, false); !errors.Is(err, errUnreachable) {
		return l, err
	}
	frequencies, err := j.where(ctx, hint)
	if err != nil {
		return nil, err
	}
	for _, frequency := range frequencies {
		found, hidden, err := scanner{j.Client, j.dev}.find(ctx, j.cred.SSID, frequency)
		if err != nil {
			return nil, err
		}
		if l, err := j.connect(ctx, found, hidden, frequency == 0); !errors.Is(err, errUnreachable) {
			return l, err
		}
	}
	return nil, j.notFound(ctx)
}

// notFound says why a search everywhere found nothing to connect to.
func (j *join) notFound(ctx context.Context) error {
	p, err := j.progress(ctx, nil, func(progress) bool { return true })
	switch {
	case err != nil:
		return err
	case p.taken:
		return errTaken
	case j.unfit != nil:
		return j.unfit // one scan in many misses an access point
	}
	return &wifi.Error{Failure: wifi.FailureNotFound, Detail: fmt.Sprintf(
		"no access point called %s is in reach; is it on, and on a channel that the country setting allows?", j.cred.SSID)}
}

// where returns the frequencies to look at, in MHz: where the network was joined last,
// where it was heard in the last minutes, and 0 for everywhere.
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

// connect joins one of the access points found. It returns errUnreachable if there are
// none and, unless the search was a full one, if none answers or fits.
func (j *join) connect(ctx context.Context, found []bss, hidden, full bool) (*Link, error) {
	if len(found) == 0 {
		return nil, errUnreachable
	}
	p, fitting, err := choose(j.cred, found, j.dev, hidden)
	if err != nil {
		if !full {
			j.unfit, err = err, errUnreachable
		}
		return nil, err
	}
	if !j.usable(j.dev) {
		return nil, errGone // NetworkManager has taken the interface, for one
	}
	path, err := j.add(ctx, p)
	if err != nil {
		return nil, err
	}
	j.cfg.Log.Debug("connecting", "ssid", j.cred.SSID, "key_mgmt", p.akms, "frequencies", p.scan, "hidden", p.hidden)
	a := &attempt{network: path, Attempt: verdict.Attempt{Protected: p.protected(), SAE: p.sae() && anySAE(fitting)}}
	now, err := j.follow(ctx, a, full)
	if err != nil {
		j.remove(ctx, path)
		return nil, err
	}
	return j.watch(j.dev, now), nil
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
	j.on(j.dev, func(s *station) { s.mine = path })
	return path, nil
}

// remove removes a network that failed, even if ctx has ended.
func (j *join) remove(ctx context.Context, path dbus.ObjectPath) {
	if j.isGone(j.dev) {
		return
	}
	at, err := j.dev.call(context.WithoutCancel(ctx), "RemoveNetwork", []any{path})
	if err != nil {
		j.cfg.Log.Warn("cannot remove the network that failed", "err", msgbus.Plain(err))
		return
	}
	j.on(j.dev, func(s *station) { s.mine, s.none = "", at })
}

// follow selects the network of a and waits for a connection or a final verdict.
func (j *join) follow(ctx context.Context, a *attempt, full bool) (connection, error) {
	j.on(j.dev, func(s *station) { s.attempt = a })
	defer j.on(j.dev, func(s *station) { s.attempt = nil })
	if _, err := j.dev.call(ctx, "SelectNetwork", []any{a.network}); err != nil {
		return connection{}, err
	}
	if !full {
		start, cancel := context.WithTimeout(ctx, j.times.start)
		defer cancel()
		if _, err := j.progress(start, a, progress.begun); err != nil && ctx.Err() == nil {
			return connection{}, errUnreachable
		}
	}
	p, err := j.progress(ctx, a, func(p progress) bool {
		return p.over() || !full && p.verdict.Failure == wifi.FailureTimedOut
	})
	if err != nil {
		return connection{}, j.interrupted(a, err)
	}
	j.last = p.last()
	switch stale := !full && p.verdict.Failure != wifi.FailureWrongPassword; {
	case p.taken:
		return connection{}, errTaken
	case p.connected:
		return j.arrived(ctx, a.network)
	case !p.able:
		return connection{}, errGone
	case p.removed:
		return connection{}, errRemoved
	case stale:
		return connection{}, errUnreachable
	}
	return connection{}, &wifi.Error{Failure: p.verdict.Failure, Detail: p.verdict.Detail}
}

// interrupted notes how far an attempt came, and returns the error that ended the wait
// for it.
func (j *join) interrupted(a *attempt, err error) error {
	ctx, cancel := context.WithTimeout(context.Background(), j.times.answer)
	defer cancel()
	if p, err := j.progress(ctx, a, func(progress) bool { return true }); err == nil {
		j.last = p.last()
	}
	return err
}

// arrived returns the connection that was made, after checking that it is ours.
func (j *join) arrived(ctx context.Context, ours dbus.ObjectPath) (connection, error) {
	now, err := j.dev.connection(ctx)
	switch {
	case errors.Is(err, errNotConnected):
		err = &wifi.Error{Failure: wifi.FailureRefused, Detail: "the access point ended the connection at once"}
	case err == nil && now.network != ours:
		err = errTaken
	}
	return now, err
}

// progress is how far an attempt has come.
type progress struct {
	able      bool // the device is there and in working order
	taken     bool // another program has selected its own network
	removed   bool // another program has removed ours
	tried     bool // wpa_supplicant has tried the access point
	connected bool
	state     string // of the try that runs
	verdict   verdict.Verdict
	final     bool
}

func (p progress) begun() bool { return p.tried || p.removed || p.taken || !p.able }
func (p progress) over() bool {
	return p.connected || p.final || p.removed || p.taken || !p.able
}

// last returns what to say if nothing more comes.
func (p progress) last() verdict.Verdict {
	switch {
	case p.verdict.Failure != wifi.FailureNone:
		return p.verdict
	case p.state != "":
		return verdict.Verdict{Failure: wifi.FailureTimedOut, Detail: "the access point did not finish (state " + p.state + ")"}
	}
	return verdict.Verdict{Failure: wifi.FailureTimedOut,
		Detail: "wpa_supplicant did not try the access point; does it support its ciphers?"}
}

// progress waits until cond is true of how far a has come; a may be nil.
func (j *join) progress(ctx context.Context, a *attempt, cond func(progress) bool) (progress, error) {
	return await(ctx, j.Client, func(o *owner) (progress, bool) {
		p := progress{able: j.usable(j.dev)}
		if s := o.station; s != nil && s.dev == j.dev {
			p.taken = s.taken
		}
		if a != nil {
			p.removed, p.tried, p.connected, p.state = a.removed, a.Begun(), a.Connected(), a.State()
			p.verdict, p.final = a.Verdict()
		}
		return p, cond(p)
	})
}

func anySAE(found []bss) bool {
	return slices.ContainsFunc(found, func(b bss) bool { return len(offers(b, []string{akmSAE}, b.rsn)) > 0 })
}
