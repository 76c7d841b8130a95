package native

import (
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/profile"
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

func (p *Profile) writeScan(r gatt.Request, value []byte) error {
	switch {
	case len(value) != 1:
		return gatt.ErrInvalidLength
	case value[0] != ScanStart:
		return ErrUnknownScan
	}
	return p.scans.Start(r.Central)
}

// scanned notifies the states of every scan to all subscribers: BlueZ cannot notify a single
// one.
func (p *Profile) scanned(s profile.Scan) {
	switch {
	case s.Running:
		p.scanChanged.Send([]byte{ScanRunning, 0})
	case s.Failed:
		p.scanChanged.Send([]byte{ScanFailed, 0})
	default:
		p.scanChanged.Send([]byte{ScanDone, byte(len(s.Found))})
	}
}
