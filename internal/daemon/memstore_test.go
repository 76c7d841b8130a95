package daemon

import (
	"sync"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/credstore"
)

// memStore is a store in memory that can be told to fail.
type memStore struct {
	mu       sync.Mutex
	contents credstore.Contents
	fail     error
	pause    time.Duration // of each Save
	aside    int           // calls of RemoveAside
}

func (m *memStore) Load() (credstore.Contents, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return clone(m.contents), nil
}

func (m *memStore) Save(c credstore.Contents) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	time.Sleep(m.pause)
	if m.fail == nil {
		m.contents = clone(c)
	}
	return m.fail
}

func (m *memStore) RemoveAside() error { m.aside++; return nil }

func clone(c credstore.Contents) credstore.Contents {
	entry := func(e *credstore.Entry) *credstore.Entry {
		if e == nil {
			return nil
		}
		return &credstore.Entry{Credentials: e.Credentials.Clone(), Hint: e.Hint}
	}
	return credstore.Contents{Active: entry(c.Active), Candidate: entry(c.Candidate), Bonds: append([]credstore.Bond(nil), c.Bonds...), Leave: c.Leave}
}
