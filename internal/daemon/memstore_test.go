package daemon

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// memStore is a store in memory that can be told to fail.
type memStore struct {
	mu       sync.Mutex
	networks []wifi.Target
	bonds    []gatt.Bond
	leave    bool
	lastID   wifi.ID
	erasures uint64
	country  wifi.Country
	writes   int
	fail     error         // of each write
	unusable error         // of everything, until Erase
	pause    time.Duration // of each write
}

// proven returns a store with a network that was joined before.
func proven(ssid string) *memStore {
	return &memStore{networks: []wifi.Target{{ID: 1, Credentials: creds(ssid), Proven: true}}, lastID: 1}
}

// write changes the store, unless it fails.
func (m *memStore) write(change func()) error {
	time.Sleep(m.pause)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	if err := errors.Join(m.unusable, m.fail); err != nil {
		return err
	}
	change()
	return nil
}

func (m *memStore) fails(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

// remove removes the networks that are proven, or those that are not. m.mu is held.
func (m *memStore) remove(proven bool) {
	m.networks = slices.DeleteFunc(m.networks, func(t wifi.Target) bool { return t.Proven == proven })
}

func (m *memStore) Networks() (known []wifi.Known, leave bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.networks {
		known = append(known, wifi.Known{ID: t.ID, SSID: t.Credentials.SSID, Security: t.Credentials.Security, Proven: t.Proven})
	}
	return known, m.leave, m.unusable
}

func (m *memStore) Target(id wifi.ID) (wifi.Target, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.networks {
		if t.ID == id {
			t.Credentials = t.Credentials.Clone()
			return t, nil
		}
	}
	return wifi.Target{}, errors.New("no such network")
}

func (m *memStore) SaveCandidate(c wifi.Credentials) (id wifi.ID, err error) {
	err = m.write(func() {
		m.remove(false)
		m.lastID++
		id = m.lastID
		m.networks = append(m.networks, wifi.Target{ID: id, Credentials: c.Clone()})
	})
	return id, err
}

func (m *memStore) DropCandidate() error { return m.write(func() { m.remove(false) }) }

func (m *memStore) Prove(id wifi.ID, h wifi.Hint) error {
	return m.write(func() {
		m.networks = slices.DeleteFunc(m.networks, func(t wifi.Target) bool { return t.ID != id })
		m.networks[0].Proven, m.networks[0].Hint = true, h
	})
}

func (m *memStore) Remember(id wifi.ID, h wifi.Hint) error {
	return m.write(func() {
		for i := range m.networks {
			if m.networks[i].ID == id {
				m.networks[i].Hint = h
			}
		}
	})
}

func (m *memStore) Erase() error {
	m.mu.Lock()
	m.unusable = nil
	m.mu.Unlock()
	return m.write(func() {
		m.networks, m.leave, m.country = nil, true, ""
		m.erasures++
		for i := range m.bonds {
			m.bonds[i].Erased = true
		}
	})
}

func (m *memStore) Erasures() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.erasures
}

func (m *memStore) Country() (wifi.Country, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.country, m.unusable
}

func (m *memStore) SetCountry(c wifi.Country) error { return m.write(func() { m.country = c }) }

func (m *memStore) Left() error { return m.write(func() { m.leave = false }) }

func (m *memStore) AddBond(b gatt.Bond, erasures uint64) (erased bool, surplus []gatt.Bond, err error) {
	err = m.write(func() {
		b.Erased = b.Erased || m.erasures != erasures
		m.bonds = append(m.bonds, b)
		erased = b.Erased
	})
	return erased, nil, err
}

func (m *memStore) Bonds() ([]gatt.Bond, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.bonds), nil
}

func (m *memStore) DropBond(b gatt.Bond) error {
	return m.write(func() {
		m.bonds = slices.DeleteFunc(m.bonds, func(other gatt.Bond) bool { return other.Central == b.Central })
	})
}

// holds returns the SSIDs of the proven network and of the candidate.
func (m *memStore) holds() (proven, candidate string) {
	known, _, _ := m.Networks()
	for _, k := range known {
		if k.Proven {
			proven = string(k.SSID)
		} else {
			candidate = string(k.SSID)
		}
	}
	return proven, candidate
}
