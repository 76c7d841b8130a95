package credstore

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Country returns the country that a phone has named since the last Erase; empty: none
// has.
func (s *Store) Country() (country wifi.Country, err error) {
	err = s.update(func(c *contents) (bool, error) {
		country = c.country
		return false, nil
	})
	return country, err
}

// SetCountry notes where the gateway is.
func (s *Store) SetCountry(country wifi.Country) error {
	return s.update(func(c *contents) (bool, error) {
		changed := c.country != country
		c.country = country
		return changed, nil
	})
}

// ReadCountry returns what Country would of the store in dir, and changes nothing there. A store
// that is not there yet, or is corrupt, has no country.
func ReadCountry(dir string) (wifi.Country, error) {
	d := disk{dir: filepath.Clean(dir), uid: uint32(os.Geteuid())}
	err := d.checkDir()
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	data, err := d.readFile()
	if err != nil || data == nil {
		return "", err
	}
	defer clear(data)
	c, err := Sealing{}.decode(data) // the country is not sealed
	defer c.wipe()
	if errors.Is(err, ErrNewer) {
		return "", d.refuseNewer(err)
	}
	return c.country, nil
}
