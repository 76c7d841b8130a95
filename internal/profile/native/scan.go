package native

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

// What is written to Scan, and what another value is answered.
const (
	ScanStart      byte                  = 0x01
	ErrUnknownScan gatt.ApplicationError = 0x83
)

// States of a scan: the first byte that Scan notifies. The second one is the number of
// networks found.
const (
	ScanRunning byte = 1
	ScanDone    byte = 2
	ScanFailed  byte = 3
)

const (
	scanTimeout = 30 * time.Second // another scan or an attempt may have to end first
	scanPause   = 10 * time.Second // a scan asked for sooner after one gets its result
	failedPause = 2 * time.Second  // the same if it failed
	maxNetworks = 64               // that are told of, the strongest
)

// scanner runs the scans that phones ask for, one at a time, and keeps what the latest
// one found. Its states go to all subscribers: BlueZ cannot notify a single one.
type scanner struct {
	scan    func(context.Context) ([]wifi.Offer, error)
	log     *slog.Logger
	changed gatt.Notifier

	mu      sync.Mutex
	running bool
	ended   time.Time    // of the latest one
	result  []byte       // that was notified then: state and count
	found   []wifi.Offer // by the latest one that did not fail, strongest first
}

// write starts a scan. Whoever asks again soon after one gets the same result again, so
// that no phone can keep the radio busy, which Wi-Fi and Bluetooth may share.
func (s *scanner) write(r gatt.Request, value []byte) error {
	switch {
	case len(value) != 1:
		return gatt.ErrInvalidLength
	case value[0] != ScanStart:
		return ErrUnknownScan
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.running:
		return gatt.ErrInProgress
	case s.pausing():
		s.changed.Send(s.result)
		return nil
	}
	s.running = true
	s.changed.Send([]byte{ScanRunning, 0})
	go s.run(r.Central)
	return nil
}

func (s *scanner) pausing() bool {
	switch {
	case s.result == nil:
		return false
	case s.result[0] == ScanFailed:
		return time.Since(s.ended) < failedPause
	}
	return time.Since(s.ended) < scanPause
}

func (s *scanner) run(c gatt.Central) {
	ctx, cancel := context.WithTimeout(context.Background(), scanTimeout)
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

// end keeps the result of a scan, and notifies it. A failed one leaves what the one before
// found.
func (s *scanner) end(found []wifi.Offer, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running, s.ended = false, time.Now()
	s.result = []byte{ScanFailed, 0}
	if err == nil {
		s.found = strongest(found)
		s.result = []byte{ScanDone, byte(len(s.found))}
	}
	s.changed.Send(s.result)
}

// latest returns what the latest scan that did not fail found, strongest first. It must
// not be changed.
func (s *scanner) latest() []wifi.Offer {
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
	return found[:min(len(found), maxNetworks)]
}
