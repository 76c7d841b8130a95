package credstore

import (
	"errors"
	"slices"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

// MaxBonds bounds the bonds that are kept: whoever is in radio range may pair.
const MaxBonds = 32

// AddBond notes a bond that was made when Erasures returned since. It reports
// whether the bond is marked Erased, as one is that an Erase came after, and
// returns the oldest bonds that no longer fit in: they are gone from the store and
// the caller removes them from the adapter.
func (s *Store) AddBond(b gatt.Bond, since uint64) (erased bool, surplus []gatt.Bond, err error) {
	if !validText(b.Adapter) || !validText(string(b.Central)) {
		return false, nil, errors.New("an address is too long or not UTF-8")
	}
	err = s.update(func(c *contents) (bool, error) {
		b.Erased = b.Erased || s.erasures.Load() != since
		i := c.bond(b)
		if i < 0 {
			c.bonds = append(c.bonds, b)
			n := max(0, len(c.bonds)-MaxBonds)
			surplus, c.bonds = c.bonds[:n], c.bonds[n:]
			return true, nil
		}
		// A bond that is used again is as strong as it was made, whatever pairing is
		// required by now, and still to be removed if it was erased.
		old := c.bonds[i]
		b.Erased, b.Pairing = old.Erased, max(b.Pairing, old.Pairing)
		c.bonds[i] = b
		return b != old, nil
	})
	if err != nil {
		return false, nil, err
	}
	return b.Erased, surplus, nil
}

// Bonds returns the bonds, the oldest first.
func (s *Store) Bonds() (bonds []gatt.Bond, err error) {
	err = s.update(func(c *contents) (bool, error) {
		bonds = c.bonds
		return false, nil
	})
	return bonds, err
}

// DropBond forgets the bond of b's central with b's adapter, if there is one.
func (s *Store) DropBond(b gatt.Bond) error {
	return s.update(func(c *contents) (bool, error) {
		i := c.bond(b)
		if i < 0 {
			return false, nil
		}
		c.bonds = slices.Delete(c.bonds, i, i+1)
		return true, nil
	})
}
