package native

import (
	"errors"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/profile"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// What a write of a country is answered that is none, or is not the configured one.
const (
	ErrUnknownCountry    gatt.ApplicationError = 0x84
	ErrConfiguredCountry gatt.ApplicationError = 0x85
)

// readCountry answers with two letters, or with nothing.
func (p *Profile) readCountry(gatt.Request) ([]byte, error) {
	return []byte(p.latest.Load().Country), nil
}

func (p *Profile) writeCountry(r gateway.Requester, value []byte) error {
	if len(value) != 2 {
		return gatt.ErrInvalidLength
	}
	country, err := wifi.ParseCountry(string(value))
	if err != nil {
		return ErrUnknownCountry
	}
	err = p.control.SetCountry(r, country)
	if errors.Is(err, gateway.ErrConfigured) {
		return ErrConfiguredCountry
	}
	return profile.Answer(err)
}
