package credstore

import "github.com/wifiprovd/wifiprovd/internal/wifi"

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
