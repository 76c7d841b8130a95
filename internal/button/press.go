package button

import (
	"fmt"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
)

// press is what is known of the key of one device.
type press struct {
	Config
	since time.Time // the key is down since then; zero: it is not, or what it does was done
}

// deadline returns when the press becomes a long one; zero: never.
func (p *press) deadline() time.Time {
	if p.since.IsZero() || p.EraseAfter == 0 {
		return time.Time{}
	}
	return p.since.Add(p.EraseAfter)
}

// take takes in an event. Repetitions, which the kernel makes while a key is down, and other
// keys say nothing.
func (p *press) take(kind, code uint16, value int32) {
	switch {
	case kind == typeSync && code == codeDropped:
		p.since = time.Time{}
	case kind != typeKey || code != p.Key:
	case value == pressed:
		p.since = time.Now()
	case value == released && !p.since.IsZero():
		p.short(time.Since(p.since))
	}
}

// short: the key was released.
func (p *press) short(held time.Duration) {
	p.since = time.Time{}
	if held < p.Hold {
		p.Log.Info(fmt.Sprintf("the button was pressed for %s, less than button.hold",
			held.Round(time.Millisecond)), "event", "button")
		return
	}
	p.do("open a window", p.Control.Open(gateway.Operator(), 0))
}

// long: the key has been down for EraseAfter.
func (p *press) long() {
	p.since = time.Time{}
	p.do("erase everything, after "+p.EraseAfter.String(), p.Control.Erase(gateway.Operator()))
}

func (p *press) do(what string, err error) {
	if err != nil {
		p.Log.Warn("the button was pressed to "+what+", in vain", "event", "button", "err", err)
		return
	}
	p.Log.Info("the button was pressed to "+what, "event", "button")
}
