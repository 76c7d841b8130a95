package wifi

import "context"

// Link is a connection to a network that a back-end has made.
type Link interface {
	// Network returns the network as it is now: the access point may be another one
	// than at the join, and the signal changes all the time.
	Network(ctx context.Context) (Network, error)

	// Lost delivers one text for a person when the connection is lost, and is closed
	// then. It is closed without a text when a later Join or Leave has ended the
	// connection. Roaming and rekeying are no loss.
	Lost() <-chan string

	// Roamed delivers after the access point has changed; several changes may be
	// one delivery.
	Roamed() <-chan struct{}
}
