package espressif

import (
	"sync"
	"time"
	"unicode/utf8"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/profile"
	"github.com/wifiprovd/wifiprovd/internal/protocomm"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const (
	// scanPatience is how long a phone may wait for a scan. BlueZ waits for 25 s, and the phone
	// for 30. Then it gets what an earlier scan has found.
	scanPatience = 15 * time.Second

	maxNetworks = 20 // that are told of: as many as a person looks at
)

// scans has the gateway look for networks for those who have proved the code.
type scans struct {
	scanner  *profile.Scanner
	sessions *sessions

	mu      sync.Mutex
	waiting map[gatt.Central]reply // who waits for a scan
}

// gone: c waits no longer.
func (s *scans) gone(c gatt.Central) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, c)
}

// request carries out a request of prov-scan. Clients take the answer to ScanStart for the end of
// the scan, and none asks again.
func (s *scans) request(plain []byte, to reply) error {
	r, err := protocomm.ParseScan(plain)
	if err != nil || !s.sessions.proved(to.central) {
		return protocomm.ErrMalformed
	}
	switch r.Command {
	case protocomm.ScanStart:
		s.start(to)
	case protocomm.ScanStatus:
		s.sessions.answer(to, protocomm.EncodeScan(r.Command, protocomm.Success, len(s.networks(to.central))))
	case protocomm.ScanResult:
		s.sessions.answer(to, page(s.networks(to.central), r))
	default:
		return protocomm.ErrMalformed
	}
	return nil
}

func (s *scans) networks(c gatt.Central) (list []protocomm.Network) {
	s.sessions.Look(c, func(kept *session) { list = kept.networks })
	return list
}

// page returns the networks that are asked for, as many as fit. A page without one makes a client
// crash.
func page(all []protocomm.Network, r protocomm.ScanRequest) []byte {
	n := uint64(len(all))
	if r.Start >= n || r.Count == 0 {
		return protocomm.EncodeScan(r.Command, protocomm.InvalidArgument, 0)
	}
	end := r.Start + min(r.Count, n-r.Start)
	return protocomm.EncodeNetworks(all[r.Start:end], protocomm.MaxMessage-protocomm.Overhead)
}

// start answers to once a scan ends, whoever started it.
func (s *scans) start(to reply) {
	s.mu.Lock()
	s.waiting[to.central] = to
	s.mu.Unlock()
	time.AfterFunc(scanPatience, func() { s.end(to, profile.Scan{Failed: true}) })
	_ = s.scanner.Start(to.central) // one that runs already will do
}

// scanned answers those who wait for a scan.
func (s *scans) scanned(now profile.Scan) {
	if now.Running {
		return
	}
	s.mu.Lock()
	waiting := make([]reply, 0, len(s.waiting))
	for _, to := range s.waiting {
		waiting = append(waiting, to)
	}
	s.mu.Unlock()
	for _, to := range waiting {
		go s.end(to, now) // it may ask the Scanner, which must not be asked from here
	}
}

// end answers to, unless that was done: with what the scan has found, or else with what an
// earlier one has.
func (s *scans) end(to reply, ended profile.Scan) {
	s.mu.Lock()
	waits := s.waiting[to.central] == to
	if waits {
		delete(s.waiting, to.central)
	}
	s.mu.Unlock()
	if !waits {
		return
	}
	found, result := ended.Found, protocomm.Success
	if ended.Failed {
		if found = s.scanner.Latest(); len(found) == 0 {
			result = protocomm.InternalError
		}
	}
	s.sessions.Look(to.central, func(kept *session) { kept.networks = networksOf(found) })
	s.sessions.answer(to, protocomm.EncodeScan(protocomm.ScanStart, result, 0))
}

// networksOf returns those that a person can choose: phones send a name back as UTF-8.
func networksOf(found []wifi.Offer) []protocomm.Network {
	var list []protocomm.Network
	for _, o := range found {
		if !o.Joinable || !utf8.ValidString(string(o.SSID)) || len(list) == maxNetworks {
			continue
		}
		list = append(list, protocomm.Network{SSID: []byte(o.SSID), RSSI: o.SignalDBm, Auth: offered(o.Security)})
	}
	return list
}

func offered(s wifi.Security) protocomm.Auth {
	switch s {
	case wifi.Open:
		return protocomm.AuthOpen
	case wifi.WPA3SAE:
		return protocomm.AuthWPA3
	case wifi.WPAAutoPersonal:
		return protocomm.AuthWPA2WPA3
	}
	return protocomm.AuthWPA2
}
