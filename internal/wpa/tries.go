package wpa

import (
	"context"
	"fmt"
	"slices"

	"github.com/wifiprovd/wifiprovd/internal/verdict"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// maxTried is how many access points of one name a Join tries: anybody in range can add
// some.
const maxTried = 8

// tryAll tries the access points that the plan fits, one after the other, until one takes
// the credentials. Access points of one name need not be of one network: the verdict is
// that of all which have answered. If none has, or the search goes on, it returns
// errUnreachable; when there is nowhere else to look, it tries until the time is up.
func (j *join) tryAll(ctx context.Context, p plan, fitting []bss, s search) (*Link, error) {
	if i := slices.IndexFunc(fitting, func(b bss) bool { return b.bssid == j.known }); i > 0 {
		b := fitting[i] // nobody can push out the one that it was by playing many stronger ones
		fitting = slices.Insert(slices.Delete(fitting, i, i+1), 0, b)
	}
	fitting = fitting[:min(len(fitting), maxTried)]
	for {
		var answers []verdict.Verdict
		for _, b := range fitting {
			l, v, err := j.tryUnless(ctx, p, b, len(fitting) > 1, s.last)
			if l != nil || err != nil {
				return l, err
			}
			if v.Answered() {
				answers = append(answers, v)
			}
		}
		if v := verdict.Together(answers); v.Answered() && s.final(v) {
			return nil, asError(v)
		}
		if !s.last || ctx.Err() != nil {
			return nil, errUnreachable
		}
	}
}

func asError(v verdict.Verdict) error { return &wifi.Error{Failure: v.Failure, Detail: v.Detail} }

// tryUnless tries one access point, unless it has called the password wrong before.
func (j *join) tryUnless(ctx context.Context, p plan, b bss, several, last bool) (*Link, verdict.Verdict, error) {
	if v := j.answers[b.bssid]; v.Failure == wifi.FailureWrongPassword {
		return nil, v, nil
	}
	if several {
		p.bssid = b.bssid
	}
	l, v, err := j.tryOne(ctx, p, b, last && !several)
	if v.Failure != wifi.FailureNone {
		j.last = v
	}
	if v.Answered() {
		j.answers[b.bssid] = v
	}
	return l, v, err
}

// tryOne tries one access point: with WPA3 where it has that, and then, if that fails and
// never worked, with WPA2. Some access points announce a WPA3 that cannot work.
func (j *join) tryOne(ctx context.Context, p plan, b bss, patient bool) (*Link, verdict.Verdict, error) {
	sae := (p.sae() || j.dev.alwaysSAE) && slices.ContainsFunc(b.rsn.akms, isSAE)
	both := sae && !j.dev.alwaysSAE && slices.ContainsFunc(b.rsn.akms, func(akm string) bool { return !isSAE(akm) && slices.Contains(p.akms, akm) })
	l, v, err := j.attempt(ctx, p, sae, patient && !both, j.sae)
	if l != nil || err != nil || !both {
		return l, v, err
	}
	if j.sae == wifi.SAEWorked {
		v.Detail += "; WPA2 is not tried, as WPA3 has worked here: if the network has changed, provision it again"
		return nil, v, nil
	}
	j.cfg.Log.Info("WPA3 failed; trying WPA2, which the access point offers, too", "event", "wpa3-failed", "ssid", j.cred.SSID, "bssid", b.bssid, "detail", v.Detail)
	l, w, err := j.attempt(ctx, p.withoutSAE(), false, false, wifi.SAEFailed)
	if l != nil || err != nil {
		return l, w, err
	}
	w.Detail = fmt.Sprintf("%s (WPA2; before that, WPA3: %s)", w.Detail, v.Detail)
	return nil, w, nil
}
