package credstore

import (
	"errors"
	"fmt"
	"slices"
)

// Erase empties the store, that of a newer wifiprovd too, and removes what was set
// aside of it. It keeps what is left to do: bonds, marked Erased, until DropBond,
// and that the network is to be left, until Left.
func (s *Store) Erase() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.load()
	defer f.wipe()
	if err != nil && !errors.Is(err, ErrNewer) {
		return err
	}
	// First, for if it fails nothing has changed. After load, which may set aside.
	if err := s.removeAside(0); err != nil {
		return fmt.Errorf("remove corrupt stores that were set aside: %w", err)
	}
	c := contents{bonds: slices.Clone(f.bonds), leave: true}
	for i := range c.bonds {
		c.bonds[i].Erased = true
	}
	s.erasures.Add(1) // before the write: a bond that is made during it stays
	return s.save(c, f.data)
}

// Left notes that the network was left after Erase.
func (s *Store) Left() error {
	return s.update(func(c *contents) (bool, error) {
		was := c.leave
		c.leave = false
		return was, nil
	})
}

// Erasures returns how often the store was erased since Open, for AddBond.
func (s *Store) Erasures() uint64 { return s.erasures.Load() }
