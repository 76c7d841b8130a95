package native

import (
	"sync"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// What is kept for centrals that do not get to CONNECT is bounded in number and
// in time.
const (
	maxStaged    = 8
	stageTimeout = 5 * time.Minute // since the central's last write
)

// staging holds what each central has written since its last CONNECT. The zero
// value is empty.
type staging struct {
	mu       sync.Mutex
	centrals map[string]*staged
}

type staged struct {
	credentials wifi.Credentials
	written     time.Time
	expiry      *time.Timer
}

// update changes what central has staged. The central that wrote longest ago
// makes room for one too many.
func (s *staging) update(central string, change func(*wifi.Credentials)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry := s.centrals[central]
	if entry == nil {
		entry = s.add(central)
	}
	change(&entry.credentials)
	entry.written = time.Now()
	entry.expiry.Reset(stageTimeout)
}

func (s *staging) add(central string) *staged {
	if len(s.centrals) >= maxStaged {
		s.remove(s.oldest())
	}
	if s.centrals == nil {
		s.centrals = map[string]*staged{}
	}
	entry := &staged{credentials: wifi.Credentials{Security: wifi.AutoDetect}}
	entry.expiry = time.AfterFunc(stageTimeout, func() { s.expire(central, entry) })
	s.centrals[central] = entry
	return entry
}

func (s *staging) oldest() string {
	var oldest string
	for central, entry := range s.centrals {
		if oldest == "" || entry.written.Before(s.centrals[oldest].written) {
			oldest = central
		}
	}
	return oldest
}

// expire drops entry unless central has written again meanwhile.
func (s *staging) expire(central string, entry *staged) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.centrals[central] == entry && time.Since(entry.written) >= stageTimeout {
		s.remove(central)
	}
}

// get returns a copy of what central has staged, which the caller wipes.
func (s *staging) get(central string) wifi.Credentials {
	s.mu.Lock()
	defer s.mu.Unlock()
	if entry := s.centrals[central]; entry != nil {
		return entry.credentials.Clone()
	}
	return wifi.Credentials{Security: wifi.AutoDetect}
}

// drop wipes what central has staged.
func (s *staging) drop(central string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(central)
}

func (s *staging) remove(central string) {
	if entry := s.centrals[central]; entry != nil {
		entry.expiry.Stop()
		entry.credentials.Wipe()
		delete(s.centrals, central)
	}
}
