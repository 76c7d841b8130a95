// Package details is the service that tells a phone what the provisioning
// service, which stays as the sample has it, cannot: why an attempt failed
// (docs/protocol.md).
package details

import (
	"sync/atomic"

	"github.com/wifiprovd/wifiprovd/internal/bluez/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// The service's UUIDs.
const (
	ServiceUUID = "8b840100-f6fa-4e33-9a0c-e14d9f35f201"
	ReasonUUID  = "8b840101-f6fa-4e33-9a0c-e14d9f35f201"
)

// Profile is the service. Its methods may be called from any goroutine. The zero
// value is ready.
type Profile struct {
	reason atomic.Uint32
	notify gatt.Notifier
}

// Service returns the service's declaration.
func (p *Profile) Service() gatt.Service {
	return gatt.Service{UUID: ServiceUUID, Characteristics: []*gatt.Characteristic{
		{UUID: ReasonUUID, Read: p.read, Notify: &p.notify},
	}}
}

// Publish makes reason what is read, and notifies it.
func (p *Profile) Publish(reason wifi.Failure) {
	p.reason.Store(uint32(reason))
	p.notify.Send([]byte{byte(reason)})
}

func (p *Profile) read(gatt.Request) ([]byte, error) {
	return []byte{byte(p.reason.Load())}, nil
}
