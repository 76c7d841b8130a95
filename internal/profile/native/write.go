package native

import (
	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/profile"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// What is written to Control.
const (
	ControlConnect byte = 0x01
	ControlErase   byte = 0x02
)

// What a write of a value that is not defined is answered. The sample answers an unknown
// Security with Value Not Allowed (0x13) and only logs an unknown Control; of what a
// service may choose, BlueZ passes on application errors only
// (BlueZ 5.66, src/gatt-database.c, dbus_error_to_att_ecode).
const (
	ErrUnknownSecurity gatt.ApplicationError = 0x81
	ErrUnknownControl  gatt.ApplicationError = 0x82
)

// unstaged is what a central has staged that has written nothing.
func unstaged() wifi.Credentials { return wifi.Credentials{Security: wifi.AutoDetect} }

type writer func(r gateway.Requester, value []byte) error

// guarded refuses writes of those who may not ask for anything now. It wipes the value
// afterwards, which may be a secret.
func (p *Profile) guarded(write writer) func(gatt.Request, []byte) error {
	return func(request gatt.Request, value []byte) error {
		defer clear(value)
		r := gateway.Phone(request.Central)
		if err := profile.MayAsk(p.control, r); err != nil {
			return err
		}
		return write(r, value)
	}
}

// writeSSID also has the back-end look for the network, while the user still types the
// password.
func (p *Profile) writeSSID(r gateway.Requester, value []byte) error {
	if len(value) == 0 || len(value) > wifi.MaxSSIDLen {
		return gatt.ErrInvalidLength
	}
	ssid := wifi.SSID(value)
	p.staged.Update(r.Central(), func(c *wifi.Credentials) { c.SSID = ssid })
	p.control.Prepare(ssid)
	return nil
}

func (p *Profile) writePassword(r gateway.Requester, value []byte) error {
	if len(value) > wifi.RawPSKLen {
		return gatt.ErrInvalidLength
	}
	p.staged.Update(r.Central(), func(c *wifi.Credentials) {
		c.Wipe()
		c.Passphrase = wifi.NewPassphrase(value)
	})
	return nil
}

func (p *Profile) writeSecurity(r gateway.Requester, value []byte) error {
	if len(value) != 1 {
		return gatt.ErrInvalidLength
	}
	security := wifi.Security(value[0])
	if !security.Valid() {
		return ErrUnknownSecurity
	}
	p.staged.Update(r.Central(), func(c *wifi.Credentials) { c.Security = security })
	return nil
}

func (p *Profile) writeControl(r gateway.Requester, value []byte) error {
	if len(value) != 1 {
		return gatt.ErrInvalidLength
	}
	switch value[0] {
	case ControlConnect:
		return p.connect(r)
	case ControlErase:
		return p.erase(r)
	}
	return ErrUnknownControl
}

// connect hands over a copy of what r has staged, which stays staged if it is refused:
// the phone can write CONNECT again.
func (p *Profile) connect(r gateway.Requester) error {
	credentials := unstaged()
	p.staged.Look(r.Central(), func(c *wifi.Credentials) { credentials = c.Clone() })
	if credentials.Security == wifi.Open && credentials.Passphrase.Len() > 0 { // as the sample does
		p.log.Warn("password ignored: the phone asked for an open network",
			"event", "password-ignored", "central", r.Central())
		credentials.Wipe()
		credentials.Passphrase = wifi.Passphrase{}
	}
	if err := p.control.Connect(r, credentials); err != nil {
		credentials.Wipe()
		return profile.Answer(err)
	}
	p.staged.Drop(r.Central())
	return nil
}

func (p *Profile) erase(r gateway.Requester) error {
	if err := p.control.Erase(r); err != nil {
		return profile.Answer(err)
	}
	p.staged.Drop(r.Central())
	return nil
}
