// Package native is the provisioning service that a phone sees: the GATT
// contract of the Zephyr sample "Wi-Fi provisioning over BLE" (docs/protocol.md).
// It decodes and checks what is written, stages it per central until CONNECT,
// and shows the status. It knows neither D-Bus nor the state machine.
package native

import (
	"errors"
	"log/slog"
	"sync"

	"github.com/wifiprovd/wifiprovd/internal/bluez/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// The service's UUIDs.
const (
	ServiceUUID  = "8b840001-f6fa-4e33-9a0c-e14d9f35f201"
	SSIDUUID     = "8b840002-f6fa-4e33-9a0c-e14d9f35f201"
	PasswordUUID = "8b840003-f6fa-4e33-9a0c-e14d9f35f201"
	SecurityUUID = "8b840004-f6fa-4e33-9a0c-e14d9f35f201"
	ControlUUID  = "8b840005-f6fa-4e33-9a0c-e14d9f35f201"
	StatusUUID   = "8b840006-f6fa-4e33-9a0c-e14d9f35f201"
)

// What is written to Control.
const (
	ControlConnect byte = 0x01
	ControlErase   byte = 0x02
)

// What a write of a value that is not defined is answered.
const (
	ErrUnknownSecurity gatt.ApplicationError = 0x81
	ErrUnknownControl  gatt.ApplicationError = 0x82
)

// ErrBusy is what a Daemon returns for a request that it cannot take now. The
// phone is answered In Progress (0xFE).
var ErrBusy = errors.New("busy with another central's attempt")

// Daemon is what the service asks for. The calls come one at a time and must
// not block.
type Daemon interface {
	// Busy reports whether an attempt of a central other than this one runs.
	Busy(central string) bool

	// Expect tells that a central has staged this SSID.
	Expect(ssid wifi.SSID)

	// Connect returns nil if it takes c over, which the daemon then wipes, and
	// ErrBusy if not. Whether c can join any network is for the daemon to say.
	Connect(central string, c wifi.Credentials) error

	// Erase returns nil if the request was accepted, ErrBusy if not.
	Erase(central string) error
}

// Profile is the service. Its methods may be called from any goroutine.
type Profile struct {
	daemon Daemon
	log    *slog.Logger
	notify gatt.Notifier
	staged staging

	mu     sync.Mutex
	status byte
}

// New returns the service on daemon, with status 0 (IDLE).
func New(daemon Daemon, log *slog.Logger) *Profile {
	return &Profile{daemon: daemon, log: log}
}

// Service returns the service's declaration.
func (p *Profile) Service() gatt.Service {
	return gatt.Service{UUID: ServiceUUID, Characteristics: []*gatt.Characteristic{
		{UUID: SSIDUUID, Write: p.guarded(p.writeSSID)},
		{UUID: PasswordUUID, Write: p.guarded(p.writePassword)},
		{UUID: SecurityUUID, Write: p.guarded(p.writeSecurity)},
		{UUID: ControlUUID, Write: p.guarded(p.writeControl)},
		{UUID: StatusUUID, Read: p.readStatus, Notify: &p.notify},
	}}
}

// Publish makes status, a value of the contract's table, what is read, and
// notifies it.
func (p *Profile) Publish(status byte) {
	p.mu.Lock()
	p.status = status
	p.mu.Unlock()
	p.notify.Send([]byte{status})
}

// CentralGone wipes what the central at address has staged.
func (p *Profile) CentralGone(address string) { p.staged.drop(address) }

func (p *Profile) readStatus(gatt.Request) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return []byte{p.status}, nil
}
