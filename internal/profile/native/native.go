// Package native is the phone protocol of docs/protocol.md. Its provisioning service is
// the GATT contract of the Zephyr sample "Wi-Fi provisioning over BLE", to the byte. Its
// details service tells what that one cannot: why an attempt failed, which network is
// joined and with which address, what networks are around, and what the gateway is. It
// also carries a maker's own data between a phone and a program on the gateway.
package native

import (
	"context"
	"encoding/binary"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/profile"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// The provisioning service.
const (
	ServiceUUID  = "8b840001-f6fa-4e33-9a0c-e14d9f35f201"
	SSIDUUID     = "8b840002-f6fa-4e33-9a0c-e14d9f35f201"
	PasswordUUID = "8b840003-f6fa-4e33-9a0c-e14d9f35f201"
	SecurityUUID = "8b840004-f6fa-4e33-9a0c-e14d9f35f201"
	ControlUUID  = "8b840005-f6fa-4e33-9a0c-e14d9f35f201"
	StatusUUID   = "8b840006-f6fa-4e33-9a0c-e14d9f35f201"
)

// The details service.
const (
	DetailsUUID  = "8b840100-f6fa-4e33-9a0c-e14d9f35f201"
	ReasonUUID   = "8b840101-f6fa-4e33-9a0c-e14d9f35f201"
	NetworkUUID  = "8b840102-f6fa-4e33-9a0c-e14d9f35f201"
	ScanUUID     = "8b840103-f6fa-4e33-9a0c-e14d9f35f201"
	ScanPageUUID = "8b840104-f6fa-4e33-9a0c-e14d9f35f201"
	DeviceUUID   = "8b840105-f6fa-4e33-9a0c-e14d9f35f201"
	CountryUUID  = "8b840106-f6fa-4e33-9a0c-e14d9f35f201"
	CustomUUID   = "8b840107-f6fa-4e33-9a0c-e14d9f35f201"
)

// What is kept for each central is bounded, whether BlueZ says that one has gone or not: a
// central can come back with another address as often as it likes.
const (
	maxCentrals  = 8
	stageTimeout = 5 * time.Minute // since the central's last write
	viewTimeout  = time.Hour       // since its last read or page: longer than anybody looks at a list
)

// Config is what the protocol needs.
type Config struct {
	Control gateway.Control
	Scans   *profile.Scanner
	Device  Device       // its Name is what is advertised
	Pairing gatt.Pairing // for both services
	Log     *slog.Logger

	// Deliver hands what a phone sends to the program that has claimed its name, and
	// returns the reply: that of custom.Exchange. Both are wiped afterwards.
	Deliver func(ctx context.Context, r gateway.Requester, name string, data []byte) ([]byte, error)
}

// Profile is the protocol: it implements profile.Profile.
type Profile struct {
	control  gateway.Control
	log      *slog.Logger
	name     string
	services []gatt.Service

	// latest is what Changed was told last. Reads answer from it, and not from
	// Control.Snapshot: no read is ahead of the notifications, or of another read.
	latest atomic.Pointer[gateway.Snapshot]

	statusChanged, reasonChanged, networkChanged, scanChanged gatt.Notifier

	staged *profile.PerCentral[wifi.Credentials] // written since the central's last CONNECT
	views  *profile.PerCentral[view]
	scans  *profile.Scanner
	custom *transfers
}

// view is what one central is reading, piece by piece: it stays the same until the
// central begins anew.
type view struct {
	network []byte
	pages   [][]byte // of the scan that was the latest when page 0 was written
	page    []byte   // the one whose number was written last
}

// New returns the protocol. Until Changed is called the status is IDLE.
func New(cfg Config) *Profile {
	p := &Profile{
		control: cfg.Control,
		log:     cfg.Log,
		name:    cfg.Device.Name,
		staged: profile.NewPerCentral(maxCentrals, stageTimeout, unstaged,
			func(c *wifi.Credentials) { c.Wipe() }),
		views:  profile.NewPerCentral(maxCentrals, viewTimeout, func() view { return view{} }, nil),
		scans:  cfg.Scans,
		custom: newTransfers(cfg.Deliver),
	}
	p.latest.Store(&gateway.Snapshot{})
	p.scans.Follow(p.scanned)
	p.services = p.declare(cfg.Pairing, cfg.Device.encode())
	return p
}

// declare returns both services. Phones cache the handles, which follow the order here:
// a new characteristic goes to the end of the last service.
func (p *Profile) declare(pairing gatt.Pairing, device []byte) []gatt.Service {
	return []gatt.Service{
		{UUID: ServiceUUID, Pairing: pairing, Characteristics: []*gatt.Characteristic{
			{UUID: SSIDUUID, Write: p.guarded(p.writeSSID)},
			{UUID: PasswordUUID, Write: p.guarded(p.writePassword)},
			{UUID: SecurityUUID, Write: p.guarded(p.writeSecurity)},
			{UUID: ControlUUID, Write: p.guarded(p.writeControl)},
			{UUID: StatusUUID, Read: p.readStatus, Notify: &p.statusChanged},
		}},
		{UUID: DetailsUUID, Pairing: pairing, Characteristics: []*gatt.Characteristic{
			{UUID: ReasonUUID, Read: p.readReason, Notify: &p.reasonChanged},
			{UUID: NetworkUUID, Read: p.readNetwork, Notify: &p.networkChanged},
			{UUID: ScanUUID, Write: p.writeScan, Notify: &p.scanChanged},
			{UUID: ScanPageUUID, Write: p.writePage, Read: p.readPage},
			{UUID: DeviceUUID, Read: func(gatt.Request) ([]byte, error) { return device, nil }},
			{UUID: CountryUUID, Read: p.readCountry, Write: p.guarded(p.writeCountry)},
			{UUID: CustomUUID, Read: p.custom.read, Write: p.guarded(p.custom.write)},
		}},
	}
}

// Services implements profile.Profile: the provisioning service, then the details.
func (p *Profile) Services() []gatt.Service { return p.services }

// Adverts implements profile.Profile. The service's UUID lets phones filter by it.
func (p *Profile) Adverts(*gateway.Snapshot) []gatt.Advert {
	return []gatt.Advert{{ServiceUUIDs: []string{ServiceUUID}, Name: p.name}}
}

// Gone implements profile.Profile: what c has staged or sent is wiped.
func (p *Profile) Gone(c gatt.Central) {
	p.staged.Drop(c)
	p.custom.kept.Drop(c)
	p.views.Drop(c)
}

// Changed implements gateway.Observer: it is all that phones are told of the gateway's
// state. The network comes first, so that whoever sees CONNECTED can read it; the reason
// comes before the status, so that whoever sees FAILED can read why.
func (p *Profile) Changed(before, now *gateway.Snapshot) {
	if before == nil {
		before = &gateway.Snapshot{}
	}
	p.latest.Store(now)
	if !sameNetwork(before, now) {
		// Its length only: the value may not fit into a notification.
		length := uint16(len(encodeNetwork(now)))
		p.networkChanged.Send(binary.LittleEndian.AppendUint16(nil, length))
	}
	newTurn := now.Turn != before.Turn
	if newTurn || now.Reason != before.Reason {
		p.reasonChanged.Send([]byte{byte(now.Reason)})
	}
	if newTurn {
		p.statusChanged.Send([]byte{byte(now.Status)})
	}
}

func (p *Profile) readStatus(gatt.Request) ([]byte, error) {
	return []byte{byte(p.latest.Load().Status)}, nil
}

func (p *Profile) readReason(gatt.Request) ([]byte, error) {
	return []byte{byte(p.latest.Load().Reason)}, nil
}
