package daemon

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/wifiprovd/wifiprovd/internal/fsm"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// What the ports report, from goroutines of their own. None of it waits for slow
// work.

// tell hands an event to the loop, unless that has ended.
func (d *Daemon) tell(event fsm.Event) {
	select {
	case d.events <- event:
	case <-d.done:
	}
}

// LinkLost reports that the joined network is gone, and how.
func (d *Daemon) LinkLost(detail string) { d.tell(fsm.LinkLost{Detail: detail}) }

// WifiAvailable reports that wpa_supplicant and the radio are there, or not.
func (d *Daemon) WifiAvailable(up bool, _ string) {
	if !up {
		return
	}
	d.tell(fsm.WifiAvailable{})
	if d.centrals.Load() > 0 {
		go d.look(d.Supplicant.Look) // it could not when the central came
	}
}

// AdvertisingUp reports that phones can find the gateway on adapter.
func (d *Daemon) AdvertisingUp(adapter string) {
	d.Log.Info(fmt.Sprintf("advertising as %q on %s", d.Name, adapter), "adapter", adapter, "name", d.Name)
	select {
	case d.findable <- struct{}{}:
	case <-d.done:
	}
}

// AdvertisingDown reports that phones cannot find the gateway, and why.
func (d *Daemon) AdvertisingDown(why string) {
	d.Log.Warn("not advertising: " + why)
}

// CentralConnected reports a central. It has come to provision, most likely: the
// networks around are looked at meanwhile.
func (d *Daemon) CentralConnected(address string) {
	d.Log.Info(fmt.Sprintf("central connected: %s", address), "central", address)
	d.centrals.Add(1)
	if d.erases(address) {
		d.eraser.Store(nil) // that was an earlier connection
	}
	go d.look(d.Supplicant.Look)
}

// Expect reports that a central has named the network that it is going to ask for.
func (d *Daemon) Expect(ssid wifi.SSID) {
	go d.look(func(ctx context.Context) { d.Supplicant.LookFor(ctx, ssid) })
}

// look scans ahead.
func (d *Daemon) look(scan func(context.Context)) {
	ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
	defer cancel()
	scan(ctx)
}

// CentralDisconnected reports that a central has left, with all that it staged.
func (d *Daemon) CentralDisconnected(address string) {
	d.Log.Info(fmt.Sprintf("central disconnected: %s", address), "central", address)
	d.CentralGone(address)
	if d.centrals.Add(-1) == 0 {
		go debug.FreeOSMemory() // the next one may come in a year
	}
}

// Passkey shows the passkey that the user of the phone has to type there.
func (d *Daemon) Passkey(address string, passkey string) {
	d.Log.Info(fmt.Sprintf("passkey for %s: %s; type it on the phone", address, passkey),
		messageIDKey, MessagePasskey, "central", address, "passkey", passkey)
}
