package profile

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Bounds of the scans that phones ask for.
const (
	ScanTimeout = 30 * time.Second // another scan or an attempt may have to end first
	ScanPause   = 10 * time.Second // a scan asked for sooner after one gets its result
	FailedPause = 2 * time.Second  // the same if it failed
	MaxNetworks = 64               // that are told of, the strongest
)

// Scanner runs the scans that phones ask for, by whichever protocol, one at a time, and keeps
// what the latest one found.
type Scanner struct {
	scan      func(context.Context) ([]wifi.Offer, error)
	log       *slog.Logger
	followers []func(Scan)

	mu      sync.Mutex
	running bool
	ended   time.Time    // of the latest one
	last    *Scan        // that was told then
	found   []wifi.Offer // by the latest one that did not fail, strongest first
}

// Scan is what is told of a scan: that it runs, that it has failed, or else what it has found.
type Scan struct {
	Running bool
	Failed  bool
	Found   []wifi.Offer // strongest first; must not be changed
}

// NewScanner returns a Scanner that has the gateway scan by scan.
func NewScanner(scan func(context.Context) ([]wifi.Offer, error), log *slog.Logger) *Scanner {
	return &Scanner{scan: scan, log: log}
}

// Follow has f told of every scan, whoever asked for it. f must neither block nor call the
// Scanner. Follow is for the time before phones are served.
func (s *Scanner) Follow(f func(Scan)) { s.followers = append(s.followers, f) }

// Start starts a scan for c; gatt.ErrInProgress says that one runs. Whoever asks again soon
// after one gets the same result again, so that no phone can keep the radio busy, which Wi-Fi
// and Bluetooth may share.
func (s *Scanner) Start(c gatt.Central) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.running:
		return gatt.ErrInProgress
	case s.pausing():
		s.tell(*s.last)
		return nil
	}
	s.running = true
	s.tell(Scan{Running: true})
	go s.run(c)
	return nil
}

func (s *Scanner) tell(now Scan) {
	for _, f := range s.followers {
		f(now)
	}
}

func (s *Scanner) pausing() bool {
	switch {
	case s.last == nil:
		return false
	case s.last.Failed:
		return time.Since(s.ended) < FailedPause
	}
	return time.Since(s.ended) < ScanPause
}

func (s *Scanner) run(c gatt.Central) {
	ctx, cancel := context.WithTimeout(context.Background(), ScanTimeout)
	defer cancel()
	found, err := s.scan(ctx)
	if err != nil {
		s.log.Warn("Wi-Fi scan requested by a phone failed", "err", err, "central", c)
	} else {
		s.log.Info(fmt.Sprintf("Wi-Fi scan requested by a phone: %d networks", len(found)),
			"event", "scanned", "central", c)
	}
	s.end(found, err)
}

// end keeps the result of a scan, and tells it. A failed one leaves what the one before found.
func (s *Scanner) end(found []wifi.Offer, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running, s.ended = false, time.Now()
	s.last = &Scan{Failed: true}
	if err == nil {
		s.found = strongest(found)
		s.last = &Scan{Found: s.found}
	}
	s.tell(*s.last)
}

// Latest returns what the latest scan that did not fail found, strongest first. It must not
// be changed.
func (s *Scanner) Latest() []wifi.Offer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.found
}

// strongest returns the networks that are told of, strongest first.
func strongest(found []wifi.Offer) []wifi.Offer {
	found = slices.DeleteFunc(slices.Clone(found), func(o wifi.Offer) bool {
		return len(o.SSID) == 0 || len(o.SSID) > wifi.MaxSSIDLen
	})
	slices.SortStableFunc(found, func(a, b wifi.Offer) int {
		return cmp.Or(cmp.Compare(b.SignalDBm, a.SignalDBm), cmp.Compare(a.SSID, b.SSID))
	})
	return found[:min(len(found), MaxNetworks)]
}
