package fsm

import (
	"fmt"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
)

const (
	AdvertiseAfter = 10 * time.Second // with offline, advertising goes on this long after the gateway is online ...
	AdvertiseLost  = time.Minute      // ... and comes back when it has been offline for this long

	// CloseAfter is how long a window stays open after a phone's attempt has succeeded, so
	// that the phone can read with which address. A phone that waits for how its attempt
	// ends, when all else is over, may read it for as long.
	CloseAfter = 10 * time.Second

	// Grace is how long the phones that are connected when the time of a window is over
	// may go on. Nobody finds the gateway any more: no other phone comes.
	Grace = time.Minute
)

// Stage is how far the window is that a person has opened. The stages follow each other in
// this order, and each has an end that no phone can put off: whoever keeps connecting, or
// keeps asking, does not hold the door open.
type Stage uint8

// The stages.
const (
	Shut    Stage = iota // nobody has opened it, or it is over
	Opened               // phones find the gateway
	Ending               // the time is over: the phones that are connected may finish
	Leaving              // all are refused; the phone whose attempt runs learns how it ends
)

var stageNames = [...]string{"shut", "opened", "ending", "leaving"}

func (s Stage) String() string {
	if int(s) < len(stageNames) {
		return stageNames[s]
	}
	return fmt.Sprintf("unknown (%d)", uint8(s))
}

// Door is whether phones may find the gateway, and whether they are served.
type Door struct {
	Access      gateway.Access // bluetooth.access of the configuration
	Advertising bool           // phones may find the gateway
	Elsewhere   bool           // another interface than the Wi-Fi's has a network
	Phones      bool           // one is connected

	Offline bool  // with offline: phones may find the gateway, as far as its networks say
	Timer   Timer // switches that

	Stage       Stage // of the window that a person has opened
	Final       bool  // the stage's end was brought near, once: an attempt has ended
	WindowTimer Timer // ends the stage
}

// attempted is what a step has changed of the attempt and of what is shown.
type attempted struct {
	started     bool
	before, now gateway.Status
	owned       bool // a phone waits for its end
	ended       bool // a phone waited for its end, which has come
	joined      bool
}

// Open reports whether phones may find and provision the gateway.
func (d *Door) Open() bool { return d.Advertising || d.Stage == Ending }

func (d *Door) handle(event Event, a attempted, out *output) {
	wasOnline := a.before == gateway.Connected || d.Elsewhere
	switch event.(type) {
	case OnlineElsewhere:
		d.Elsewhere = d.Access == gateway.AccessOffline // else it says nothing
	case OfflineElsewhere:
		d.Elsewhere = false
	case PhoneCame:
		d.Phones = true
	case PhonesLeft:
		d.Phones = false
	}
	d.handleOffline(event, a, wasOnline, out)
	d.handleWindow(event, a, out)
	d.Advertising = d.Stage == Opened || out.Turn > 0 && (d.Access == gateway.AccessAlways || d.Offline)
}

// handleOffline carries out access: offline. Advertising ends a while after the gateway is
// online, and begins again when it stays offline or everything was erased.
func (d *Door) handleOffline(event Event, a attempted, wasOnline bool, out *output) {
	if d.Access != gateway.AccessOffline {
		return
	}
	if a.started {
		d.Offline, wasOnline = true, false
	}
	if d.Timer.fired(AdvertisingTimer, event) {
		d.Offline = !d.Offline
	}
	online := a.now == gateway.Connected || d.Elsewhere
	erased := a.now == gateway.Idle && a.before != gateway.Idle
	switch {
	case out.Turn == 0: // not started yet
	case erased && !online:
		d.Offline = true
		d.Timer.stop(AdvertisingTimer, out)
	case online == wasOnline:
	case online && d.Offline:
		d.Timer.start(AdvertisingTimer, AdvertiseAfter, out)
	case online, d.Offline:
		d.Timer.stop(AdvertisingTimer, out)
	default:
		d.Timer.start(AdvertisingTimer, AdvertiseLost, out)
	}
}

// handleWindow leads the window that a person has opened through its stages.
func (d *Door) handleWindow(event Event, a attempted, out *output) {
	over := d.WindowTimer.fired(WindowTimer, event)
	_, closed := event.(WindowClosed)
	_, left := event.(PhonesLeft)
	_, came := event.(PhoneCame)
	opened, isOpened := event.(WindowOpened)
	final := a.ended && !d.Final && (d.Stage == Leaving || a.joined && d.Stage != Shut)
	switch {
	case came && d.Stage == Shut && d.Access == gateway.AccessWindow: // nobody has found it here
		out.do(Disconnect{})
	case isOpened:
		d.enter(Opened, opened.For, out)
	case closed && d.Stage != Shut && d.Stage != Leaving,
		over && d.Stage == Ending:
		d.leave(a.owned, out)
	case over && d.Stage == Opened && d.Phones && (a.owned || !d.Final):
		d.enter(Ending, Grace, out)
	case over, left && (d.Stage == Ending || d.Stage == Leaving):
		d.shut(out)
	case final:
		d.Final = true
		d.WindowTimer.start(WindowTimer, CloseAfter, out)
	}
}

func (d *Door) enter(stage Stage, after time.Duration, out *output) {
	d.Stage, d.Final = stage, false
	d.WindowTimer.start(WindowTimer, after, out)
}

// leave ends the window, but for a phone that waits for how its attempt ends.
func (d *Door) leave(waits bool, out *output) {
	if waits && d.Phones && d.Access == gateway.AccessWindow {
		d.Stage, d.Final = Leaving, false
		d.WindowTimer.stop(WindowTimer, out)
		return
	}
	d.shut(out)
}

// shut ends the window. Without it no phone is served where it takes one.
func (d *Door) shut(out *output) {
	d.Stage, d.Final = Shut, false
	d.WindowTimer.stop(WindowTimer, out)
	if d.Access == gateway.AccessWindow && d.Phones {
		out.do(Disconnect{})
	}
}
