package details

import (
	"cmp"
	"slices"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/bluez/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// What is written to Scan, and what another value is answered.
const (
	ScanStart      byte                  = 0x01
	ErrUnknownScan gatt.ApplicationError = 0x83
)

// States of a scan: the first byte that Scan notifies. The second one is the
// number of networks found.
const (
	ScanRunning byte = 1
	ScanDone    byte = 2
	ScanFailed  byte = 3
)

// The third byte of a record: flags.
const (
	FlagJoined  byte = 1 // the gateway is on this network now
	FlagSeveral byte = 2 // more than one access point has this name
)

// SecurityOther stands in the second byte of a record for networks that cannot
// be provisioned: WEP, and those with a user name.
const SecurityOther byte = 0xFE

const (
	scanPause   = 10 * time.Second // a scan asked for sooner after one gets its results
	failedPause = 2 * time.Second  // the same if it failed
	maxNetworks = 64               // that are told of, the strongest
)

// scan is what the last scan ended with, or that one runs.
type scan struct {
	running bool
	ended   time.Time
	state   byte
	count   byte
	found   []wifi.Offer // by the last one that did not fail
}

// writeScan starts a scan. Whoever asks again soon after one gets the same results
// again: the radio that Bluetooth may share is not kept busy by a phone.
func (p *Profile) writeScan(_ gatt.Request, value []byte) error {
	switch {
	case len(value) != 1:
		return gatt.ErrInvalidLength
	case value[0] != ScanStart:
		return ErrUnknownScan
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	pause := scanPause
	if p.scan.state == ScanFailed {
		pause = failedPause
	}
	switch {
	case p.scan.running:
		return gatt.ErrInProgress
	case !p.scan.ended.IsZero() && time.Since(p.scan.ended) < pause:
		p.scanChanged.Send([]byte{p.scan.state, p.scan.count})
		return nil
	}
	p.scan.running = true
	p.scanChanged.Send([]byte{ScanRunning, 0})
	p.cfg.StartScan()
	return nil
}

// Scanned ends a scan with the networks it found, or with an error. Those of the
// scan before are kept if it failed.
func (p *Profile) Scanned(found []wifi.Offer, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scan.running, p.scan.ended = false, time.Now()
	p.scan.state, p.scan.count = ScanFailed, 0
	if err == nil {
		p.scan.found = strongest(found)
		p.scan.state, p.scan.count = ScanDone, byte(len(p.scan.found))
	}
	p.scanChanged.Send([]byte{p.scan.state, p.scan.count})
}

// strongest returns the networks that are told of, the strongest first.
func strongest(found []wifi.Offer) []wifi.Offer {
	found = slices.DeleteFunc(slices.Clone(found), func(o wifi.Offer) bool {
		return len(o.SSID) == 0 || len(o.SSID) > wifi.MaxSSIDLen
	})
	slices.SortStableFunc(found, func(a, b wifi.Offer) int {
		return cmp.Or(cmp.Compare(b.SignalDBm, a.SignalDBm), cmp.Compare(a.SSID, b.SSID))
	})
	return found[:min(len(found), maxNetworks)]
}

// encodePages returns the records of the networks on pages of at most MaxValue
// bytes.
func encodePages(found []wifi.Offer, joined *Network) (pages [][]byte) {
	for _, o := range found {
		r := record(o, joined != nil && o.SSID == joined.SSID)
		if last := len(pages) - 1; last >= 0 && len(pages[last])+len(r) <= MaxValue {
			pages[last] = append(pages[last], r...)
		} else {
			pages = append(pages, r)
		}
	}
	return pages
}

// record is signal in dBm, security, flags, length of the SSID, SSID.
func record(o wifi.Offer, joined bool) []byte {
	security, flags := byte(o.Security), byte(0)
	if !o.Joinable {
		security = SecurityOther
	}
	if joined {
		flags |= FlagJoined
	}
	if o.Several {
		flags |= FlagSeveral
	}
	signal := int8(max(-128, min(127, o.SignalDBm)))
	return append([]byte{byte(signal), security, flags, byte(len(o.SSID))}, o.SSID...)
}

// writePage chooses the page that is read next. Page 0 takes what the last scan
// found; the other pages are of the same scan until page 0 is chosen again.
func (p *Profile) writePage(r gatt.Request, value []byte) error {
	if len(value) != 1 {
		return gatt.ErrInvalidLength
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.view(r.Central)
	n := int(value[0])
	if n == 0 || v.pages == nil {
		v.pages = encodePages(p.scan.found, p.network)
	}
	v.page = nil
	if n < len(v.pages) {
		v.page = v.pages[n]
	}
	return nil
}

// readPage returns the page that was chosen: no bytes past the end, and before
// any was chosen.
func (p *Profile) readPage(r gatt.Request) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.view(r.Central).page, nil
}
