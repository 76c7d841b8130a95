package daemon

import (
	"sync"
	"sync/atomic"

	"github.com/wifiprovd/wifiprovd/internal/credstore"
	"github.com/wifiprovd/wifiprovd/internal/fsm"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// maxBonds bounds the book of bonds: whoever is in range may pair.
const maxBonds = 32

// Store keeps the credentials durably; internal/credstore is one.
type Store interface {
	Load() (credstore.Contents, error)
	Save(credstore.Contents) error
	RemoveAside() error
}

// vault changes the store one whole step at a time. Secrets are in memory only
// while it works.
type vault struct {
	mu       sync.Mutex
	store    Store
	erasures atomic.Uint64 // how often it was emptied
}

// update loads the contents, lets change alter them, and saves them if it
// returns true.
func (v *vault) update(change func(*credstore.Contents) bool) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	c, err := v.store.Load()
	if err != nil {
		return err
	}
	defer c.Wipe() // of what was loaded: change works on a copy
	if !change(&c) {
		return nil
	}
	return v.store.Save(c)
}

// stored returns what is stored, and whether an ERASE ended before the network was left.
func (v *vault) stored() (s fsm.Stored, leave bool, err error) {
	err = v.update(func(c *credstore.Contents) bool {
		s, leave = fsm.Stored{Active: c.Active != nil, Candidate: c.Candidate != nil}, c.Leave
		return false
	})
	return s, leave, err
}

// get returns a copy of what is in slot, nil if it is empty. The caller wipes it.
func (v *vault) get(slot fsm.Slot) (entry *credstore.Entry, err error) {
	err = v.update(func(c *credstore.Contents) bool {
		e := c.Active
		if slot == fsm.Candidate {
			e = c.Candidate
		}
		if e != nil {
			entry = &credstore.Entry{Credentials: e.Credentials.Clone(), Hint: e.Hint}
		}
		return false
	})
	return entry, err
}

func (v *vault) saveCandidate(creds wifi.Credentials) error {
	return v.update(func(c *credstore.Contents) bool {
		c.Candidate = &credstore.Entry{Credentials: creds}
		return true
	})
}

func (v *vault) dropCandidate() error {
	return v.update(func(c *credstore.Contents) bool {
		had := c.Candidate != nil
		c.Candidate = nil
		return had
	})
}

func (v *vault) promote(hint wifi.Hint) error {
	return v.update(func(c *credstore.Contents) bool {
		if c.Candidate == nil {
			return false
		}
		c.Active, c.Candidate = &credstore.Entry{Credentials: c.Candidate.Credentials, Hint: hint}, nil
		return true
	})
}

func (v *vault) remember(hint wifi.Hint) error {
	return v.update(func(c *credstore.Contents) bool {
		if c.Active == nil || c.Active.Hint == hint {
			return false
		}
		c.Active.Hint = hint
		return true
	})
}

// erase empties the store, but for what is still to be done: bonds to be removed, the
// network to be left.
func (v *vault) erase() error {
	if err := v.store.RemoveAside(); err != nil {
		return err
	}
	return v.update(func(c *credstore.Contents) bool {
		c.Active, c.Candidate, c.Leave = nil, nil, true
		for i := range c.Bonds {
			c.Bonds[i].Forget = true
		}
		v.erasures.Add(1)
		return true
	})
}

// left notes that the network was left.
func (v *vault) left() error {
	return v.update(func(c *credstore.Contents) bool {
		had := c.Leave
		c.Leave = false
		return had
	})
}

// addBond notes a bond made with this device, after so many erasures, and returns
// those that no longer fit into the book. One that was erased since is noted as that.
func (v *vault) addBond(b credstore.Bond, erasures uint64) (erased bool, surplus []credstore.Bond, err error) {
	err = v.update(func(c *credstore.Contents) bool {
		b.Forget = b.Forget || v.erasures.Load() != erasures
		defer func() { erased = b.Forget }()
		for i, old := range c.Bonds {
			if old.Address == b.Address && old.Adapter == b.Adapter {
				// An old bond that is used is worth what it was, and is still erased.
				b.Forget = old.Forget
				if modeRank[b.Mode] < modeRank[old.Mode] {
					b.Mode = old.Mode
				}
				c.Bonds[i] = b
				return b != old
			}
		}
		c.Bonds = append(c.Bonds, b)
		if n := len(c.Bonds) - maxBonds; n > 0 {
			surplus = append(surplus, c.Bonds[:n]...)
			c.Bonds = c.Bonds[n:]
		}
		return true
	})
	return erased, surplus, err
}

// bonds returns those that match.
func (v *vault) bonds(match func(credstore.Bond) bool) (found []credstore.Bond, err error) {
	err = v.update(func(c *credstore.Contents) bool {
		for _, b := range c.Bonds {
			if match(b) {
				found = append(found, b)
			}
		}
		return false
	})
	return found, err
}

func (v *vault) dropBond(b credstore.Bond) error {
	return v.update(func(c *credstore.Contents) bool {
		for i, old := range c.Bonds {
			if old.Address == b.Address && old.Adapter == b.Adapter {
				c.Bonds = append(c.Bonds[:i], c.Bonds[i+1:]...)
				return true
			}
		}
		return false
	})
}
