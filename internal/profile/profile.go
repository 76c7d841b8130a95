// Package profile is how a phone protocol is written: a value that declares GATT
// services, follows the gateway's snapshots, and asks for things by gateway.Control.
// Each protocol has a folder of its own below this one.
package profile

import (
	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

// Profile is one phone protocol. Its methods may be called from any goroutine and
// must not block.
type Profile interface {
	gateway.Observer

	// Services returns the protocol's services, the same ones each time.
	Services() []gatt.Service

	// Adverts returns what is to be advertised while now is the latest Snapshot and
	// advertising is wanted. It is the caller's to keep, and not changed later.
	Adverts(now *gateway.Snapshot) []gatt.Advert

	// Gone says that a central has disconnected: what is kept for it is to be
	// wiped. It comes before anything that the same central asks for on its next
	// connection.
	Gone(c gatt.Central)
}
