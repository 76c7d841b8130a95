package profile

import (
	"errors"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

// MayAsk returns nil if r may write something now, else what it is answered: nobody is
// refused, whose values would mix with those of the next nobody, and so is everybody else
// while a central's attempt runs.
func MayAsk(control gateway.Control, r gateway.Requester) error {
	switch {
	case !r.Known():
		return gateway.ErrNobody
	case control.Busy(r):
		return gatt.ErrInProgress
	}
	return nil
}

// Answer returns what a phone is answered for an error of gateway.Control.
func Answer(err error) error {
	switch {
	case errors.Is(err, gateway.ErrBusy):
		return gatt.ErrInProgress
	case errors.Is(err, gateway.ErrShut):
		return gatt.ErrNotPermitted
	}
	return err
}
