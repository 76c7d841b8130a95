package native

import (
	"errors"

	"github.com/wifiprovd/wifiprovd/internal/bluez/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

type writer func(central string, value []byte) error

// guarded refuses writes while another central's attempt runs, and forgets the
// value afterwards, which may be a secret.
func (p *Profile) guarded(write writer) func(gatt.Request, []byte) error {
	return func(r gatt.Request, value []byte) error {
		defer clear(value)
		if p.daemon.Busy(r.Central) {
			return gatt.ErrInProgress
		}
		return write(r.Central, value)
	}
}

func (p *Profile) writeSSID(central string, value []byte) error {
	if len(value) == 0 || len(value) > wifi.MaxSSIDLen {
		return gatt.ErrInvalidLength
	}
	ssid := wifi.SSID(value)
	p.staged.update(central, func(c *wifi.Credentials) { c.SSID = ssid })
	p.daemon.Expect(ssid)
	return nil
}

func (p *Profile) writePassword(central string, value []byte) error {
	if len(value) > wifi.RawPSKLen {
		return gatt.ErrInvalidLength
	}
	p.staged.update(central, func(c *wifi.Credentials) {
		c.Wipe()
		c.Passphrase = wifi.NewPassphrase(value)
	})
	return nil
}

func (p *Profile) writeSecurity(central string, value []byte) error {
	if len(value) != 1 {
		return gatt.ErrInvalidLength
	}
	security := wifi.Security(value[0])
	if !security.Valid() {
		return ErrUnknownSecurity
	}
	p.staged.update(central, func(c *wifi.Credentials) { c.Security = security })
	return nil
}

func (p *Profile) writeControl(central string, value []byte) error {
	if len(value) != 1 {
		return gatt.ErrInvalidLength
	}
	switch value[0] {
	case ControlConnect:
		return p.connect(central)
	case ControlErase:
		return p.erase(central)
	}
	return ErrUnknownControl
}

// connect hands over what central has staged. What the daemon does not take
// stays staged.
func (p *Profile) connect(central string) error {
	credentials := p.staged.get(central)
	if credentials.Security == wifi.Open && credentials.Passphrase.Len() > 0 {
		p.log.Warn("the password is ignored: the phone asked for an open network", "central", central)
		credentials.Wipe()
		credentials.Passphrase = wifi.Passphrase{}
	}
	if err := p.daemon.Connect(central, credentials); err != nil {
		credentials.Wipe()
		return answer(err)
	}
	p.staged.drop(central)
	return nil
}

func (p *Profile) erase(central string) error {
	if err := p.daemon.Erase(central); err != nil {
		return answer(err)
	}
	p.staged.drop(central)
	return nil
}

func answer(err error) error {
	if errors.Is(err, ErrBusy) {
		return gatt.ErrInProgress
	}
	return err
}
