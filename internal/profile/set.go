package profile

import (
	"reflect"
	"sync"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

// Set is several protocols as one Profile. Their order is that of the handles, which
// phones cache: a new protocol goes to the end.
type Set []Profile

// Changed implements gateway.Observer.
func (s Set) Changed(before, now *gateway.Snapshot) {
	for _, p := range s {
		p.Changed(before, now)
	}
}

// Services implements Profile.
func (s Set) Services() []gatt.Service {
	var services []gatt.Service
	for _, p := range s {
		services = append(services, p.Services()...)
	}
	return services
}

// Adverts implements Profile.
func (s Set) Adverts(now *gateway.Snapshot) []gatt.Advert {
	var adverts []gatt.Advert
	for _, p := range s {
		adverts = append(adverts, p.Adverts(now)...)
	}
	return adverts
}

// Gone implements Profile.
func (s Set) Gone(c gatt.Central) {
	for _, p := range s {
		p.Gone(c)
	}
}

// Advertiser is the Observer that has a profile's adverts put on the air.
type Advertiser struct {
	profile   Profile
	advertise func([]gatt.Advert)

	mu   sync.Mutex
	now  *gateway.Snapshot // the latest; nil: there was none yet
	last []gatt.Advert     // that advertise was called with; nil: off, as at the start
}

// NewAdvertiser returns an Advertiser that calls advertise, which must not block, with
// p's adverts when they change, and with nil when advertising is no longer wanted.
func NewAdvertiser(p Profile, advertise func([]gatt.Advert)) *Advertiser {
	return &Advertiser{profile: p, advertise: advertise}
}

// Changed implements gateway.Observer.
func (a *Advertiser) Changed(_, now *gateway.Snapshot) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now = now
	a.update()
}

// Refresh takes in adverts that have changed without a Snapshot. It may be called from any
// goroutine.
func (a *Advertiser) Refresh() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.now != nil {
		a.update()
	}
}

func (a *Advertiser) update() {
	var adverts []gatt.Advert
	if a.now.Advertising.Wanted {
		adverts = a.profile.Adverts(a.now)
	}
	if !reflect.DeepEqual(adverts, a.last) {
		a.last = adverts
		a.advertise(adverts)
	}
}
