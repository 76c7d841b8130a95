// Package gatt is how a Bluetooth LE peripheral is declared: its services with
// their characteristics and descriptors, what it advertises, and what a central
// must have done before it is served. How all of it is put on the air is not its
// concern; package bluez does that.
package gatt

import (
	"errors"
	"fmt"
	"sync"
)

// Central is a connected phone, by its Bluetooth address (AA:BB:CC:DD:EE:FF), the
// same for as long as it is connected. The zero value is no central.
type Central string

// Service is a primary service.
type Service struct {
	UUID            string            // 128 bits: 8b840001-f6fa-4e33-9a0c-e14d9f35f201
	Pairing         Pairing           // required for every read, write and subscription
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

	// Read returns the whole value, at most MaxValue bytes. A central with a small
	// MTU asks for the rest with further requests at an offset; each of them
	// calls Read again. Nil: cannot be read.
	Read func(r Request) ([]byte, error)

	// ReadLater is Read for a value that may take a while to come: it returns at once, and
	// answer is called once, from any goroutine, within 20 s. Nil: there is Read, or none.
	ReadLater func(r Request, answer func(value []byte, err error))

	// Notify is where the values to notify come from. Nil: cannot be subscribed to.
	// Every program on the gateway can see what is notified.
	Notify *Notifier

	Descriptors []Descriptor // in the order of their handles
}

// Descriptor says something about a characteristic that never changes, such as
// its name for people (Bluetooth Core 5.4, Vol 3, Part G, 3.3.3.2). It can be read
// at the pairing level of the service.
type Descriptor struct {
	UUID  string // 00002901-0000-1000-8000-00805f9b34fb: Characteristic User Description
	Value []byte // at most MaxValue bytes
}

// MaxValue is the longest value of an attribute in bytes (Bluetooth Core 5.4, Vol
// 3, Part F, 3.2.9).
const MaxValue = 512

// Request says where a read or a write came from.
type Request struct {
	Central Central // zero if BlueZ did not say
	MTU     uint16  // ATT_MTU in bytes; 0 if BlueZ did not say
	Offset  uint16  // of a read; a write is always whole
}

// What a handler can answer. Any other error is answered Unlikely Error (0x0E), and logged.
var (
	ErrInvalidLength = errors.New("invalid attribute value length") // 0x0D
	ErrInvalidOffset = errors.New("invalid offset")                 // 0x07
	ErrInProgress    = errors.New("procedure already in progress")  // 0xFE
	ErrNotPermitted  = errors.New("not permitted")                  // 0x02 read, 0x03 write
	ErrNotSupported  = errors.New("request not supported")          // 0x06
	ErrUnlikely      = errors.New("refused")                        // 0x0E: for no reason that a phone is told
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
