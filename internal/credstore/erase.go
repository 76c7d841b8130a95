package credstore

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
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
	if s.mem != nil && f.data == nil {
		_ = s.clearWay() // if it cannot be set aside, saveErased fails
	}
	// First, for if it fails nothing has changed. After all that may set aside.
	if err := s.removeAside(0); err != nil && !isGone(err) {
		return fmt.Errorf("remove corrupt stores that were set aside: %w", err)
	}
	c := contents{bonds: slices.Clone(f.bonds), leave: true}
	for i := range c.bonds {
		c.bonds[i].Erased = true
	}
	s.erasures.Add(1) // before the write: a bond that is made during it stays
	return s.saveErased(c, f.data)
}

// saveErased is save, but keeps c in memory only if the disk holds nothing: credentials
// that are still there were not erased.
func (s *Store) saveErased(c contents, old []byte) error {
	data, err := s.seal.encode(c) // which has no secrets
	if err != nil {
		return err
	}
	err = s.write(data, old)
	if _, there := os.Lstat(s.path()); err != nil && (s.mem == nil || !isGone(there)) {
		return err
	}
	if s.mem != nil {
		s.mem.save(c, err)
	}
	return nil
}

// isGone reports whether err of a look at a path says that nothing is there.
func isGone(err error) bool { return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) }

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
