// Package details is the service that tells a phone what the provisioning
// service, which stays as the sample has it, cannot: why an attempt failed, which
// network is joined and with which address, what networks are around, and what
// the gateway is (docs/protocol.md).
package details

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/bluez/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// The service's UUIDs.
const (
	ServiceUUID  = "8b840100-f6fa-4e33-9a0c-e14d9f35f201"
	ReasonUUID   = "8b840101-f6fa-4e33-9a0c-e14d9f35f201"
	NetworkUUID  = "8b840102-f6fa-4e33-9a0c-e14d9f35f201"
	ScanUUID     = "8b840103-f6fa-4e33-9a0c-e14d9f35f201"
	ScanPageUUID = "8b840104-f6fa-4e33-9a0c-e14d9f35f201"
	DeviceUUID   = "8b840105-f6fa-4e33-9a0c-e14d9f35f201"
)

// MaxValue is the longest value of an attribute in bytes (Bluetooth Core 5.4, Vol
// 3, Part F, 3.2.9).
const MaxValue = 512

// Config is what the service needs. The functions must not block.
type Config struct {
	Device    Device
	StartScan func() // looks for networks, and then calls Scanned
	Refresh   func() // looks at the joined network again, and then calls PublishNetwork
}

// Profile is the service. Its methods may be called from any goroutine.
type Profile struct {
	cfg    Config
	device []byte
	reason atomic.Uint32

	reasonChanged  gatt.Notifier
	networkChanged gatt.Notifier
	scanChanged    gatt.Notifier

	mu      sync.Mutex
	network *Network // nil: none is joined
	scan    scan
	views   map[string]*view // by central
}

// New returns the service. No network is joined.
func New(cfg Config) *Profile {
	return &Profile{cfg: cfg, device: cfg.Device.encode(), views: map[string]*view{}}
}

// Service returns the service's declaration. New characteristics go to the end:
// phones keep the handles that they saw.
func (p *Profile) Service() gatt.Service {
	return gatt.Service{UUID: ServiceUUID, Characteristics: []*gatt.Characteristic{
		{UUID: ReasonUUID, Read: p.readReason, Notify: &p.reasonChanged},
		{UUID: NetworkUUID, Read: p.readNetwork, Notify: &p.networkChanged},
		{UUID: ScanUUID, Write: p.writeScan, Notify: &p.scanChanged},
		{UUID: ScanPageUUID, Write: p.writePage, Read: p.readPage},
		{UUID: DeviceUUID, Read: func(gatt.Request) ([]byte, error) { return p.device, nil }},
	}}
}

// Publish makes reason what is read, and notifies it.
func (p *Profile) Publish(reason wifi.Failure) {
	p.reason.Store(uint32(reason))
	p.reasonChanged.Send([]byte{byte(reason)})
}

func (p *Profile) readReason(gatt.Request) ([]byte, error) {
	return []byte{byte(p.reason.Load())}, nil
}

// CentralGone forgets what the central at address was reading.
func (p *Profile) CentralGone(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.views, address)
}

// maxViews bounds what is kept for centrals; the one that was served longest ago
// makes room.
const maxViews = 8

// view is what one central is reading, piece by piece: it stays the same until
// the central begins anew.
type view struct {
	used    time.Time
	network []byte
	pages   [][]byte // of the scan whose page 0 was asked for
	page    []byte   // the one that was asked for last
}

// view returns what central is reading. p.mu is held.
func (p *Profile) view(central string) *view {
	v := p.views[central]
	if v == nil {
		if len(p.views) >= maxViews {
			oldest := ""
			for address, other := range p.views {
				if oldest == "" || other.used.Before(p.views[oldest].used) {
					oldest = address
				}
			}
			delete(p.views, oldest)
		}
		v = &view{}
		p.views[central] = v
	}
	v.used = time.Now()
	return v
}
