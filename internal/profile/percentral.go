package profile

import (
	"sync"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

// PerCentral keeps a T for each central. It is bounded in number and in time, whatever
// those in radio range do, and wipes each T that it drops. Its methods may be called from
// any goroutine.
type PerCentral[T any] struct {
	limit int
	idle  time.Duration
	fresh func() T
	wipe  func(*T)

	mu   sync.Mutex
	kept map[gatt.Central]*entry[T]
}

type entry[T any] struct {
	value  T
	used   time.Time
	expiry *time.Timer
}

// NewPerCentral returns a PerCentral for at most limit centrals, each of which is dropped
// when it was not used for idle. fresh makes a central's first T; wipe overwrites the
// secrets of one that is dropped, nil if it has none.
func NewPerCentral[T any](
	limit int, idle time.Duration, fresh func() T, wipe func(*T),
) *PerCentral[T] {
	if wipe == nil {
		wipe = func(*T) {}
	}
	kept := map[gatt.Central]*entry[T]{}
	return &PerCentral[T]{limit: limit, idle: idle, fresh: fresh, wipe: wipe, kept: kept}
}

// Update calls change with what is kept for c. If that is nothing, a fresh T is kept from
// now on, and the central idle for longest makes room. A secret that change overwrites is
// for change to wipe. change must not call methods of p.
func (p *PerCentral[T]) Update(c gatt.Central, change func(*T)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.kept[c]
	if e == nil {
		e = p.add(c)
	}
	change(&e.value)
	e.used = time.Now()
	e.expiry.Reset(p.idle)
}

// Look calls look with what is kept for c, if anything is. It does not count as use. look
// must not call methods of p.
func (p *PerCentral[T]) Look(c gatt.Central, look func(*T)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.kept[c]; e != nil {
		look(&e.value)
	}
}

// Drop wipes what is kept for c.
func (p *PerCentral[T]) Drop(c gatt.Central) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop(c)
}

func (p *PerCentral[T]) add(c gatt.Central) *entry[T] {
	if len(p.kept) >= p.limit {
		p.dropOldest()
	}
	e := &entry[T]{value: p.fresh()}
	e.expiry = time.AfterFunc(p.idle, func() { p.expire(c, e) })
	p.kept[c] = e
	return e
}

func (p *PerCentral[T]) dropOldest() {
	var oldest gatt.Central
	var last *entry[T]
	for c, e := range p.kept {
		if last == nil || e.used.Before(last.used) {
			oldest, last = c, e
		}
	}
	p.drop(oldest)
}

// expire drops e, unless it was used while the timer's goroutine waited for the lock.
func (p *PerCentral[T]) expire(c gatt.Central, e *entry[T]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept[c] == e && time.Since(e.used) >= p.idle {
		p.drop(c)
	}
}

func (p *PerCentral[T]) drop(c gatt.Central) {
	if e := p.kept[c]; e != nil {
		e.expiry.Stop()
		p.wipe(&e.value)
		delete(p.kept, c)
	}
}
