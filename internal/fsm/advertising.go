package fsm

import (
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
)

const (
	AdvertiseAfter = 10 * time.Second // advertising goes on this long after CONNECTED ...
	AdvertiseLost  = time.Minute      // ... and comes back when the link is lost for this long
)

// Advertising is whether phones are meant to find the gateway.
type Advertising struct {
	Keep  bool // bluetooth.keep_after_connect of the configuration
	On    bool
	Timer Timer
}

func (a *Advertising) handle(event Event, before Shown) {
	if _, ok := event.(Started); ok && before.Turn == 0 {
		a.On = true
	}
	if a.Timer.fired(AdvertisingTimer, event) {
		a.On = !a.On
	}
}

// follow carries out keep_after_connect: false. Advertising ends a while after
// CONNECTED, and begins again when the link stays lost or everything was erased.
func (a *Advertising) follow(before gateway.Status, out *output) {
	now := out.Status
	if a.Keep || now == before {
		return
	}
	switch {
	case now == gateway.Idle:
		a.On = true
		a.Timer.stop(AdvertisingTimer, out)
	case now == gateway.Connected && a.On:
		a.Timer.start(AdvertisingTimer, AdvertiseAfter, out)
	case now == gateway.Connected, before == gateway.Connected && a.On:
		a.Timer.stop(AdvertisingTimer, out)
	case before == gateway.Connected:
		a.Timer.start(AdvertisingTimer, AdvertiseLost, out)
	}
}
