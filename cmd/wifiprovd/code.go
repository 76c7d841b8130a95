package main

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/wifiprovd/wifiprovd/internal/code"
	"github.com/wifiprovd/wifiprovd/internal/credstore"
	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/profile/espressif"
	"github.com/wifiprovd/wifiprovd/internal/srp"
)

// codeDoor is whether phones must prove the code on the box, whichever protocol they speak.
type codeDoor struct {
	rule   string             // bluetooth.require_code
	prover *espressif.Profile // nil: no protocol can prove it
	others []string           // protocols that ask for no code themselves
	log    *slog.Logger

	exists  atomic.Bool // there is a code, or one that cannot be used
	offered atomic.Bool // the prover is to be served
	news    func()      // what is to be served and advertised may have changed

	known  bool // what follows was told; of the goroutine that calls changed
	last   *srp.Verifier
	broken string
}

// keeper returns what keeps the code in the store's folder, where it lies as store.seal says before
// systemd is told that the daemon is ready. What is wrong is told once it is followed.
func keeper(dir string, s credstore.Sealing, log *slog.Logger) code.Keeper {
	k := code.Keeper{Dir: dir, Key: s.Key, Seal: s.Want, Log: log}
	_, _ = k.Load()
	return k
}

// followCode takes this gateway's code out of those that its image came with, and follows it.
func followCode(ctx context.Context, codes code.Keeper, door *codeDoor) error {
	serial, err := code.Adopt(codes.Dir, serials("/sys"))
	if serial != "" {
		door.log.Info("this gateway's code was found by its serial number "+serial, "event", "code-found")
	}
	if err != nil {
		door.log.Error("the codes that the image came with are of no use", "event", "code-broken", "err", err)
	}
	return codes.Follow(ctx, door.changed)
}

// shut reports whether those who have not proved the code are refused.
func (d *codeDoor) shut() bool {
	switch d.rule {
	case "true":
		return true
	case "false":
		return false
	}
	return d.prover != nil && d.exists.Load()
}

// alone reports whether no phone gets in that does not prove the code.
func (d *codeDoor) alone() bool { return d.shut() || len(d.others) == 0 }

// proved reports whether c has proved the code.
func (d *codeDoor) proved(c gatt.Central) bool { return d.prover != nil && d.prover.Proved(c) }

// state returns what is known of the code. It is for news.
func (d *codeDoor) state() gateway.Code {
	switch {
	case !d.known:
		return gateway.CodeUnknown
	case d.broken != "":
		return gateway.CodeUnreadable
	case d.last == nil:
		return gateway.CodeNone
	}
	return gateway.CodeSet
}

// changed takes in the code that there is now, nil for none. broken says why it cannot be used: a
// gateway that has one does not open its other doors for that.
func (d *codeDoor) changed(v *srp.Verifier, broken error) {
	why := ""
	if broken != nil {
		why = broken.Error()
	}
	if d.known && sameCode(v, d.last) && why == d.broken { // the file was touched, or read again
		return
	}
	d.known, d.last, d.broken = true, v, why
	d.exists.Store(v != nil || broken != nil)
	if d.prover != nil {
		d.prover.SetCode(v)
		d.offered.Store(v != nil)
	}
	d.tell(v != nil, broken)
	d.news()
}

func sameCode(a, b *srp.Verifier) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.User == b.User && bytes.Equal(a.Salt, b.Salt) && bytes.Equal(a.V, b.V)
}

// tell says in the journal which doors are shut.
func (d *codeDoor) tell(exists bool, broken error) {
	shut := strings.Join(d.others, ", ")
	log := func(level func(string, ...any), event, text string) { level(text, "event", event) }
	switch {
	case broken != nil:
		d.log.Error("the code cannot be used, so nobody can prove it", "event", "code-broken", "err", broken)
	case exists && d.prover == nil && d.rule == "true":
		log(d.log.Warn, "code", "nobody can provision the gateway: bluetooth.require_code is true, and bluetooth.protocols does not have espressif, by which phones prove the code")
	case exists && d.prover == nil:
		log(d.log.Warn, "code", "there is a code, which nothing asks for: bluetooth.protocols does not have espressif")
	case !exists && d.rule == "true":
		log(d.log.Warn, "code-none", "nobody can provision the gateway: bluetooth.require_code is true, and there is no code; wifiprovctl code new")
	case exists && d.shut() && shut != "":
		log(d.log.Info, "code", "there is a code: phones must prove it by Espressif's protocol; without that these take no writes, and are not advertised: "+shut)
	case exists && shut != "":
		log(d.log.Warn, "code", "there is a code, and bluetooth.require_code is false: without it phones may still provision by "+shut)
	case exists:
		log(d.log.Info, "code", "there is a code: phones must prove it by Espressif's protocol")
	case d.prover != nil:
		log(d.log.Info, "code-none", "there is no code, so Espressif's protocol is off: wifiprovctl code new")
	}
}
