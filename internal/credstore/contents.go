package credstore

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const (
	// maxText is the longest text beside the credentials, in bytes: an address.
	maxText = 64
	// maxStoredBonds is more than MaxBonds, so that a file is not corrupt to a
	// wifiprovd that keeps fewer.
	maxStoredBonds = 128
)

// contents are all that is stored. The zero value is what an unprovisioned gateway
// has.
type contents struct {
	networks []wifi.Target
	locked   []locked    // networks that are sealed by a key that is not at hand
	inClear  []wifi.ID   // networks whose secret was in clear where it was read
	bonds    []gatt.Bond // the oldest first
	leave    bool        // everything was erased, and the network is still to be left
	country  wifi.Country
}

// wipe overwrites the secrets in c with zeros.
func (c contents) wipe() {
	for _, n := range c.networks {
		n.Wipe()
	}
}

// clone returns contents whose lists can be altered; the secrets are c's own.
func (c contents) clone() contents {
	c.networks, c.bonds, c.locked = slices.Clone(c.networks), slices.Clone(c.bonds), slices.Clone(c.locked)
	return c
}

// all returns every network, without the secrets of those that are locked.
func (c contents) all() []wifi.Target {
	all := slices.Clone(c.networks)
	for _, n := range c.locked {
		all = append(all, n.Target)
	}
	return all
}

// network returns the network id, with its secret.
func (c contents) network(id wifi.ID) (*wifi.Target, error) {
	for i := range c.networks {
		if c.networks[i].ID == id {
			return &c.networks[i], nil
		}
	}
	return nil, fmt.Errorf("the store has no network %d", id)
}

// dropCandidate reports whether there was one.
func (c *contents) dropCandidate() bool {
	n := len(c.networks) + len(c.locked)
	c.networks = slices.DeleteFunc(c.networks, func(n wifi.Target) bool { return !n.Proven })
	c.locked = slices.DeleteFunc(c.locked, func(n locked) bool { return !n.Proven })
	return len(c.networks)+len(c.locked) < n
}

// bond returns the index of the bond of b's central with b's adapter, or -1.
func (c contents) bond(b gatt.Bond) int {
	return slices.IndexFunc(c.bonds, func(old gatt.Bond) bool {
		return old.Central == b.Central && old.Adapter == b.Adapter
	})
}

// validate returns an error if no operation could have left c.
func (c contents) validate() error {
	var proven, candidates int
	for _, n := range c.networks {
		if err := n.Credentials.Validate(); err != nil {
			return err
		}
	}
	all := c.all()
	for _, n := range all {
		if n.Proven {
			proven++
		} else {
			candidates++
		}
		if !validText(n.Hint.BSSID) {
			return errors.New("a BSSID is not valid")
		}
	}
	switch {
	case proven > 1 || candidates > 1:
		return fmt.Errorf("%d proven networks and %d candidates are too many", proven, candidates)
	case len(all) == 2 && all[0].ID == all[1].ID:
		return errors.New("two networks have the same ID")
	case slices.ContainsFunc(all, func(n wifi.Target) bool { return n.ID == 0 }):
		return errors.New("a network has no ID")
	}
	return validateBonds(c.bonds)
}

func validateBonds(bonds []gatt.Bond) error {
	if len(bonds) > maxStoredBonds {
		return fmt.Errorf("%d bonds are more than %d", len(bonds), maxStoredBonds)
	}
	for _, b := range bonds {
		if !validText(b.Adapter) || !validText(string(b.Central)) {
			return errors.New("a bond is not valid")
		}
	}
	return nil
}

func validText(s string) bool { return len(s) <= maxText && utf8.ValidString(s) }
