package fsm

import (
	"fmt"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Address is whether the joined network has given the gateway an IP address. Getting
// one is the work of others; CONNECTED does not wait for it.
type Address struct {
	Timeout time.Duration // wifi.address_timeout of the configuration
	Bound   bool
	Timer   Timer
}

// handle waits for an address while the status is Connected, says when none came in
// time, and takes that back when one comes. before is what was shown before the step.
func (a *Address) handle(event Event, before Shown, out *output) {
	lacked := a.lacking(before)
	switch event.(type) {
	case AddressBound:
		a.Bound = true
	case AddressLost:
		a.Bound = false
	}
	switch lacks := a.lacking(out.Shown); {
	case lacks && !lacked:
		a.Timer.start(AddressTimer, a.Timeout, out)
	case lacked && !lacks:
		a.Timer.stop(AddressTimer, out)
		if out.Status == gateway.Connected && out.Reason == wifi.FailureNoAddress {
			out.explain(wifi.FailureNone, "an address came", nextOnline)
		}
	case lacks && a.Timer.fired(AddressTimer, event):
		out.explain(wifi.FailureNoAddress, fmt.Sprintf("no address from the network within %s", a.Timeout),
			"the link stays; a later address ends this")
	}
}

func (a *Address) lacking(shown Shown) bool { return shown.Status == gateway.Connected && !a.Bound }
