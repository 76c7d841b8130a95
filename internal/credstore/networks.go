package credstore

import (
	"errors"
	"slices"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Networks returns the stored networks, at most one that is proven and one that is
// not (the candidate), and whether Erase has left it to the caller to leave the
// network; see Left.
func (s *Store) Networks() (known []wifi.Known, leave bool, err error) {
	err = s.update(func(c *contents) (bool, error) {
		for _, n := range c.networks {
			known = append(known, wifi.Known{
				ID:       n.ID,
				SSID:     n.Credentials.SSID,
				Security: n.Credentials.Security,
				Proven:   n.Proven,
			})
		}
		leave = c.leave
		return false, nil
	})
	return known, leave, err
}

// Target returns the network id with its secret; the caller wipes it. It returns an
// error if there is no such network.
func (s *Store) Target(id wifi.ID) (target wifi.Target, err error) {
	err = s.update(func(c *contents) (bool, error) {
		n, err := c.network(id)
		if err != nil {
			return false, err
		}
		target = *n
		target.Credentials = n.Credentials.Clone()
		return false, nil
	})
	return target, err
}

// SaveCandidate stores creds as the candidate, in place of an earlier one, under an
// ID that this Store has not used before. creds must be valid, or the file is
// corrupt when it is read again; they stay the caller's.
func (s *Store) SaveCandidate(creds wifi.Credentials) (id wifi.ID, err error) {
	err = s.update(func(c *contents) (bool, error) {
		id = s.newID(c)
		c.dropCandidate()
		c.networks = append(c.networks, wifi.Target{ID: id, Credentials: creds})
		return true, nil
	})
	if err != nil {
		return 0, err
	}
	return id, nil
}

// newID returns an ID that no network has and, unless all 2^32 were used, none had
// since Open: a late answer about one network must not be taken for another's.
// Across a restart nobody keeps IDs.
func (s *Store) newID(c *contents) wifi.ID {
	for {
		s.lastID++ // wraps around
		taken := slices.ContainsFunc(c.all(), func(n wifi.Target) bool { return n.ID == s.lastID })
		if s.lastID != 0 && !taken {
			return s.lastID
		}
	}
}

// Prove notes that the network id was joined, at hint. It replaces the network
// proven before, and what could not be opened. It returns an error if there is no such network.
func (s *Store) Prove(id wifi.ID, hint wifi.Hint) error {
	return s.setHint(id, hint, func(c *contents, n *wifi.Target) bool {
		n.Proven, n.Hint = true, hint
		c.locked = nil
		c.networks = slices.DeleteFunc(c.networks, func(n wifi.Target) bool {
			return n.Proven && n.ID != id
		})
		return true
	})
}

// Remember notes where the network id was joined last. It returns an error if there
// is no such network.
func (s *Store) Remember(id wifi.ID, hint wifi.Hint) error {
	return s.setHint(id, hint, func(_ *contents, n *wifi.Target) bool {
		changed := n.Hint != hint
		n.Hint = hint
		return changed
	})
}

// setHint lets set alter the network id if hint can be stored.
func (s *Store) setHint(id wifi.ID, hint wifi.Hint, set func(*contents, *wifi.Target) bool) error {
	if !validText(hint.BSSID) {
		return errors.New("a BSSID is too long or not UTF-8")
	}
	return s.update(func(c *contents) (bool, error) {
		n, err := c.network(id)
		if err != nil {
			return false, err
		}
		return set(c, n), nil
	})
}

// DropCandidate removes the candidate, if there is one.
func (s *Store) DropCandidate() error {
	return s.update(func(c *contents) (bool, error) {
		return c.dropCandidate(), nil
	})
}
