package daemon

import (
	"context"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// What the daemon drives. All of it is said in domain types: a back-end is a value of
// Networks, whatever runs underneath.

// Networks joins Wi-Fi networks.
type Networks interface {
	// Join leaves the network that is joined and joins t, which it neither keeps nor
	// wipes. An error carries a wifi.Failure. A target that is proven may be found
	// joined already, by an earlier run. ctx has a deadline.
	Join(ctx context.Context, t wifi.Target) (wifi.Link, error)

	// Leave disconnects and removes what Join added.
	Leave(ctx context.Context) error

	// Scan returns the networks that can be heard, one per SSID.
	Scan(ctx context.Context) ([]wifi.Offer, error)

	// Prepare says that a Join of ssid is likely to come, or of some network if it is
	// empty. It does not block.
	Prepare(ssid wifi.SSID)

	// SetCountry has the radio work by the rules of a country from now on. Networks that
	// were heard before do not count.
	SetCountry(ctx context.Context, c wifi.Country) error

	// Check finds out, without waiting, whether the back-end's daemon still answers.
	Check()
}

// Peripheral is the gateway's Bluetooth LE side.
type Peripheral interface {
	// RemoveBond deletes the keys shared with a central, which is disconnected. No such
	// bond is no error.
	RemoveBond(ctx context.Context, b gatt.Bond) error

	// Disconnect disconnects a bonded central, without waiting, if it is connected.
	Disconnect(b gatt.Bond)

	// DisconnectAll disconnects all centrals, without waiting.
	DisconnectAll()

	// Check finds out, without waiting, whether bluetoothd still answers.
	Check()
}

// Store keeps the credentials and the bonds. What an operation has changed is durable
// when it returns nil; after an error nothing has changed. The candidate is the one
// network that is not proven.
type Store interface {
	// Networks returns what is stored without the secrets, and whether an ERASE was cut
	// off before the network was left.
	Networks() (known []wifi.Known, leave bool, err error)

	// Target returns a stored network with its secret, which the caller wipes.
	Target(id wifi.ID) (wifi.Target, error)

	// SaveCandidate stores c, which stays the caller's, in place of an earlier candidate.
	SaveCandidate(c wifi.Credentials) (wifi.ID, error)

	// DropCandidate removes the candidate, if there is one.
	DropCandidate() error

	// Prove notes that a network was joined, in place of the one that was proven before.
	Prove(id wifi.ID, h wifi.Hint) error

	// Remember notes where a network was found.
	Remember(id wifi.ID, h wifi.Hint) error

	// Erase removes all networks and marks all bonds erased, until Left is noted and the
	// bonds are dropped. Erasures counts how often it did.
	Erase() error
	Erasures() uint64
	Left() error

	// Country returns the country that SetCountry has noted since the last Erase; empty:
	// none.
	Country() (wifi.Country, error)
	SetCountry(c wifi.Country) error

	// AddBond notes a bond that was made when Erasures was erasures, and returns whether
	// it was erased since, and those that make room for it.
	AddBond(b gatt.Bond, erasures uint64) (erased bool, surplus []gatt.Bond, err error)
	Bonds() ([]gatt.Bond, error)
	DropBond(b gatt.Bond) error
}
