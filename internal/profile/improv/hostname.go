package improv

import (
	"context"
	"fmt"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

// Hosts is what keeps the gateway's host name.
type Hosts interface {
	// Name returns the host name.
	Name(ctx context.Context) (string, error)

	// SetName sets it, also for after a restart.
	SetName(ctx context.Context, name string) error
}

const (
	hostTimeout = 10 * time.Second
	maxHostname = 63 // of a label (RFC 1123, 2.1)
)

// validHostname reports whether name is what the specification takes of RFC 1123: letters,
// digits, and hyphens that are not at an end.
func validHostname(name string) bool {
	for i, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-' && i > 0 && i < len(name)-1:
		default:
			return false
		}
	}
	return 0 < len(name) && len(name) <= maxHostname
}

// hostname tells c the host name, after setting it if name is not empty.
func (p *Profile) hostname(c gatt.Central, name string) {
	p.mu.Lock()
	busy := p.naming
	p.mu.Unlock()
	switch {
	case !p.progress.mayChange(c):
		p.progress.fail(c, ErrorNotAuthorized)
	case name != "" && !validHostname(name):
		p.progress.fail(c, ErrorBadHostname)
	case busy:
		p.progress.fail(c, ErrorUnknown)
	default:
		p.setNaming(true)
		go p.nameHost(c, name)
	}
}

func (p *Profile) setNaming(naming bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.naming = naming
}

// nameHost is the slow part of hostname.
func (p *Profile) nameHost(c gatt.Central, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), hostTimeout)
	defer cancel()
	defer p.setNaming(false)
	if name != "" {
		if err := p.cfg.Hosts.SetName(ctx, name); err != nil {
			p.cfg.Log.Warn("the host name cannot be set", "err", err, "central", c)
			p.progress.fail(c, ErrorUnknown)
			return
		}
		p.cfg.Log.Info(fmt.Sprintf("host name set to %s by %s", name, c),
			"event", "hostname", "central", c, "hostname", name)
	}
	name, err := p.cfg.Hosts.Name(ctx)
	if err != nil {
		p.cfg.Log.Warn("the host name cannot be read", "err", err, "central", c)
		p.progress.fail(c, ErrorUnknown)
		return
	}
	p.progress.answer(c, encode(CommandHostname, name))
}
