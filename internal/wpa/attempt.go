package wpa

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/wifiprovd/wifiprovd/internal/verdict"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// maxKnown is on how many frequencies a Join looks first.
const maxKnown = 3

// maxPrompt is after how many answers a Join pauses before it asks again.
const maxPrompt = 2

var (
	// errUnreachable: an access point does not answer at all; what was known of it
	// may be stale.
	errUnreachable = errors.New("the access point does not answer")

	// errRemoved and errTaken: another program meddles.
	errRemoved = errors.New("another program removed the network")
	errTaken   = errors.New("another program selected its own network")
)

// join is one run of Join with one device.
type join struct {
	*Client
	dev    *device
	turn   *turn
	keeper keeper
	target wifi.Target
	cred   wifi.Credentials
	known  string         // BSSID of the last join; empty: none
	sae    wifi.SAERecord // what is known of WPA3 there
	psk    *derived
	last   verdict.Verdict // what to say if the time is up
	unfit  error           // what to say if one that was heard lately, and did not fit, is missed now

	// answers are the verdicts of the access points that have answered, by BSSID.
	answers map[string]verdict.Verdict
}

// search is what is known of the access points that a Join has found.
type search struct {
	hidden bool // their name had to be called
	looked bool // they were heard in this Join, so that what they offer is as they say
	all    bool // all access points of the name in reach were heard, now or in the last minutes
	last   bool // there is nowhere else to look
}

// final reports whether a verdict of all the access points that were found is that of the
// network: then the search is over.
func (s search) final(v verdict.Verdict) bool {
	return s.all && (s.looked || v.Failure == wifi.FailureWrongPassword)
}

// run looks for the network where it is quickest to find, then everywhere.
func (j *join) run(ctx context.Context, hint wifi.Hint) (*Link, error) {
	if err := j.keeper.clear(ctx); err != nil {
		return nil, err
	}
	found, err := j.dev.results(ctx, j.cred.SSID, freshAge)
	if err != nil {
		return nil, err
	}
	all := j.turn.hasHeard(j.cred.SSID)
	if l, err := j.connect(ctx, found, search{hidden: j.turn.called == j.cred.SSID, all: all}); !errors.Is(err, errUnreachable) {
		return l, err
	}
	frequencies, err := j.where(ctx, hint)
	if err != nil {
		return nil, err
	}
	if len(frequencies) > 0 {
		found, hidden, err := scanner{j.Client, j.dev}.find(ctx, j.turn, j.cred.SSID, frequencies)
		if err != nil {
			return nil, err
		}
		if l, err := j.connect(ctx, found, search{hidden: hidden, looked: true, all: all}); !errors.Is(err, errUnreachable) {
			return l, err
		}
	}
	found, hidden, err := scanner{j.Client, j.dev}.find(ctx, j.turn, j.cred.SSID, nil)
	if err != nil {
		return nil, err
	}
	if l, err := j.connect(ctx, found, search{hidden: hidden, looked: true, all: true, last: true}); !errors.Is(err, errUnreachable) {
		return l, err
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
	case len(j.answers) > 0:
		return asError(verdict.Together(slices.Collect(maps.Values(j.answers))))
	case j.unfit != nil:
		return j.unfit // one scan in many misses an access point
	}
	return &wifi.Error{Failure: wifi.FailureNotFound, Detail: fmt.Sprintf(
		"no access point called %s is in reach; is it on, and on a channel that the country setting allows?", j.cred.SSID)}
}

// where returns the frequencies to look at first, in MHz: where the network was joined
// last, and where it was heard in the last minutes.
func (j *join) where(ctx context.Context, hint wifi.Hint) ([]int, error) {
	known, err := j.dev.results(ctx, j.cred.SSID, knownAge)
	if err != nil {
		return nil, err
	}
	if hint.FrequencyMHz > 0 {
		return frequencies(known, []int{hint.FrequencyMHz}), nil
	}
	return frequencies(known, nil), nil
}

// frequencies adds those of the access points found, each once, but no more than maxKnown.
func frequencies(found []bss, all []int) []int {
	for _, b := range found {
		if !slices.Contains(all, b.frequency) && len(all) < maxKnown {
			all = append(all, b.frequency)
		}
	}
	return all
}

// connect joins one of the access points found. It returns errUnreachable if there are
// none and, unless the search was a full one, if none answers or fits.
func (j *join) connect(ctx context.Context, found []bss, s search) (*Link, error) {
	if len(found) == 0 {
		return nil, errUnreachable
	}
	p, fitting, err := choose(j.cred, found, j.dev, j.sae, s.hidden)
	if err != nil {
		if !s.last {
			j.unfit, err = err, errUnreachable
		}
		return nil, err
	}
	return j.tryAll(ctx, p, fitting, s)
}

// attempt tries to connect as p says, until it is connected or the outcome is certain.
// Unless patient, an access point that does not answer is given up, too. The verdict is
// the zero one if wpa_supplicant did not even try. usesSAE tells that the access point has
// WPA3, sae what is known of that if the attempt succeeds with WPA2.
func (j *join) attempt(ctx context.Context, p plan, usesSAE, patient bool, sae wifi.SAERecord) (*Link, verdict.Verdict, error) {
	if !j.view.Load().usable(j.dev) {
		return nil, verdict.Verdict{}, errGone // NetworkManager has taken the interface, for one
	}
	a := &attempt{Attempt: verdict.Attempt{Protected: p.protected(), SAE: usesSAE}}
	if err := j.keeper.add(ctx, p, a); err != nil {
		return nil, verdict.Verdict{}, err
	}
	j.cfg.Log.Debug("connecting", "ssid", j.cred.SSID, "key_mgmt", p.akms, "frequencies", p.scan, "hidden", p.hidden, "bssid", p.bssid)
	now, v, err := j.follow(ctx, a, patient)
	if err != nil || now.network == "" {
		j.keeper.remove(ctx, a)
		return nil, v, err
	}
	j.keeper.keep(ctx, a, p)
	return j.watch(j.dev, now, sae), v, nil
}

// follow turns to the network of a and waits for a connection or a final verdict. The
// connection is the zero one if there is none.
func (j *join) follow(ctx context.Context, a *attempt, patient bool) (connection, verdict.Verdict, error) {
	j.on(j.dev, func(s *station) { s.attempt = a })
	defer j.on(j.dev, func(s *station) { s.attempt = nil })
	if err := j.keeper.try(ctx, a); err != nil {
		return connection{}, verdict.Verdict{}, err
	}
	return j.outcome(ctx, a, patient)
}

// outcome waits for what becomes of a.
func (j *join) outcome(ctx context.Context, a *attempt, patient bool) (connection, verdict.Verdict, error) {
	if !patient {
		start, cancel := context.WithTimeout(ctx, j.times.start)
		defer cancel()
		if _, err := j.progress(start, a, progress.begun); err != nil && ctx.Err() == nil {
			return connection{}, verdict.Verdict{}, nil
		}
	}
	p, err := j.insist(ctx, a, patient)
	if err != nil {
		return connection{}, verdict.Verdict{}, j.interrupted(a, err)
	}
	switch {
	case p.taken:
		err = errTaken
	case p.connected:
		now, err := j.arrived(ctx, a)
		return now, verdict.Verdict{}, err
	case !p.able:
		err = errGone
	case p.removed:
		err = errRemoved
	}
	return connection{}, p.last(), err
}

// insist waits until an attempt is over or, unless patient, the access point has not
// answered. wpa_supplicant would try again by itself, but first disable the network for ten
// seconds or more (wpa_supplicant.c, wpas_auth_failed); SelectNetwork makes it do so now.
func (j *join) insist(ctx context.Context, a *attempt, patient bool) (progress, error) {
	for tries := 0; ; {
		p, err := j.progress(ctx, a, func(p progress) bool { return p.over() || p.tries > tries })
		if err != nil || p.over() || !patient && p.verdict.Failure == wifi.FailureTimedOut {
			return p, err
		}
		tries = p.tries
		if !p.verdict.Answered() || tries > maxPrompt {
			pause, cancel := context.WithTimeout(ctx, j.times.again)
			p, err = j.progress(pause, a, func(p progress) bool { return p.over() || p.state != "" })
			cancel()
			if err == nil || ctx.Err() != nil {
				continue
			}
		}
		if err := j.keeper.try(ctx, a); err != nil {
			return p, err
		}
	}
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
func (j *join) arrived(ctx context.Context, a *attempt) (connection, error) {
	now, err := j.dev.connection(ctx)
	switch {
	case errors.Is(err, errNotConnected):
		err = &wifi.Error{Failure: wifi.FailureRefused, Detail: "the access point ended the connection at once"}
	case err == nil && !j.keeper.ours(ctx, a, now):
		err = errTaken
	}
	if err != nil {
		now = connection{}
	}
	return now, err
}

// progress is how far an attempt has come.
type progress struct {
	able      bool // the device is there and in working order
	taken     bool // another program has selected its own network
	removed   bool // another program has removed ours
	tried     bool // wpa_supplicant has tried the access point
	tries     int  // that have ended
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
		p := progress{able: j.view.Load().usable(j.dev)}
		if s := o.station; s != nil && s.dev == j.dev {
			p.taken = s.taken
		}
		if a != nil {
			p.taken = p.taken || a.taken
			p.removed, p.tried, p.tries, p.connected, p.state = a.removed, a.Begun(), a.Tries(), a.Connected(), a.State()
			p.verdict, p.final = a.Verdict()
		}
		return p, cond(p)
	})
}
