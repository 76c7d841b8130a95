package profile

import (
	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

// Door is whether phones are served; it is asked at each request. Both may be called from
// any goroutine.
type Door struct {
	MayRead, MayWrite func() bool
}

// Guarded returns services that answer Not Permitted to every read and write for which the
// door is shut, and that wipe what was written, whatever the protocol. Subscriptions stay:
// what is notified afterwards is for phones that are about to be disconnected.
func Guarded(services []gatt.Service, door Door) []gatt.Service {
	guarded := make([]gatt.Service, len(services))
	for i, s := range services {
		guarded[i] = s
		guarded[i].Characteristics = make([]*gatt.Characteristic, len(s.Characteristics))
		for j, c := range s.Characteristics {
			guarded[i].Characteristics[j] = guard(*c, door)
		}
	}
	return guarded
}

// BehindCode is a Profile whose services take writes only of centrals that have proved what is
// asked of them. While it is shut to others it is not advertised: they would find what refuses
// them. Reading stays as it is.
type BehindCode struct {
	Profile
	shut     func() bool
	services []gatt.Service
}

// NewBehindCode returns p behind a code: shut is whether it is asked for, and proved whether a
// central has proved it. Both may be called from any goroutine.
func NewBehindCode(p Profile, shut func() bool, proved func(gatt.Central) bool) *BehindCode {
	b := &BehindCode{Profile: p, shut: shut}
	for _, s := range p.Services() {
		list := make([]*gatt.Characteristic, len(s.Characteristics))
		for i, c := range s.Characteristics {
			list[i] = c
			if write := c.Write; write != nil {
				guarded := *c
				guarded.Write = func(r gatt.Request, value []byte) error {
					if shut() && !proved(r.Central) {
						clear(value)
						return gatt.ErrNotPermitted
					}
					return write(r, value)
				}
				list[i] = &guarded
			}
		}
		s.Characteristics = list
		b.services = append(b.services, s)
	}
	return b
}

// Services implements Profile.
func (b *BehindCode) Services() []gatt.Service { return b.services }

// Adverts implements Profile.
func (b *BehindCode) Adverts(now *gateway.Snapshot) []gatt.Advert {
	if b.shut() {
		return nil
	}
	return b.Profile.Adverts(now)
}

func guard(c gatt.Characteristic, door Door) *gatt.Characteristic {
	if read := c.Read; read != nil {
		c.Read = func(r gatt.Request) ([]byte, error) {
			if !door.MayRead() {
				return nil, gatt.ErrNotPermitted
			}
			return read(r)
		}
	}
	if read := c.ReadLater; read != nil {
		c.ReadLater = func(r gatt.Request, answer func([]byte, error)) {
			if !door.MayRead() {
				answer(nil, gatt.ErrNotPermitted)
				return
			}
			read(r, answer)
		}
	}
	if write := c.Write; write != nil {
		c.Write = func(r gatt.Request, value []byte) error {
			if !door.MayWrite() {
				clear(value)
				return gatt.ErrNotPermitted
			}
			return write(r, value)
		}
	}
	return &c
}
