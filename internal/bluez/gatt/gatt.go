// Package gatt is how a GATT service is declared: which characteristics there
// are, what answers a phone's reads and writes, and how values are notified. It
// knows nothing of how a service is put on the air; package bluez does that.
package gatt

import (
	"errors"
	"fmt"
	"sync"
)

// Service is a primary service.
type Service struct {
	UUID            string            // 128 bits: 8b840001-f6fa-4e33-9a0c-e14d9f35f201
	Characteristics []*Characteristic // in the order of their handles
}

// Characteristic is a value of a service. What it allows follows from what is
// set. Handlers are called one at a time, in the order in which the requests
// came, and must not block: a phone gives up after 30 s (Bluetooth Core 5.4,
// Vol 3, Part F, 3.3.3).
type Characteristic struct {
	UUID string

	// Write handles a value that a central wrote, whole; value is the handler's
	// to keep. Nil: cannot be written.
	Write func(r Request, value []byte) error

	// Read returns the whole value, at most 512 bytes. A central with a small
	// MTU asks for the rest with further requests at an offset; each of them
	// calls Read again. Nil: cannot be read.
	Read func(r Request) ([]byte, error)

	// Notify is where the values to notify come from. Nil: cannot be subscribed.
	// What is notified can be seen by every program on the gateway.
	Notify *Notifier
}

// Request says where a read or a write came from.
type Request struct {
	Central string // the phone's address, the same for as long as it is connected
	MTU     uint16 // ATT_MTU in bytes; 0 if BlueZ did not say
	Offset  uint16 // of a read; a write is always whole
}

// What a handler can answer. Any other error is answered Unlikely Error (0x0E).
var (
	ErrInvalidLength = errors.New("invalid attribute value length") // 0x0D
	ErrInvalidOffset = errors.New("invalid offset")                 // 0x07
	ErrInProgress    = errors.New("procedure already in progress")  // 0xFE
	ErrNotPermitted  = errors.New("not permitted")                  // 0x02 read, 0x03 write
	ErrNotSupported  = errors.New("request not supported")          // 0x06
)

// ApplicationError is an answer whose meaning the service defines: 0x80 to 0x9F
// (Bluetooth Core 5.4, Vol 3, Part F, 3.4.1.1).
type ApplicationError byte

func (e ApplicationError) Error() string { return fmt.Sprintf("application error 0x%02x", byte(e)) }

// Notifier carries a characteristic's notifications to the centrals that have
// subscribed. The zero value is ready.
type Notifier struct {
	mu   sync.Mutex
	sink func(value []byte)
}

// Send notifies value, which must not be changed afterwards. It does not block.
// A value sent before the service is on the air reaches nobody.
func (n *Notifier) Send(value []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.sink != nil {
		n.sink(value)
	}
}

// Bind makes sink, which must not block, take what is sent.
func (n *Notifier) Bind(sink func(value []byte)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sink = sink
}
