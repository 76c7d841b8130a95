package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/fsm"
	"github.com/wifiprovd/wifiprovd/internal/netaddr"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Report is what an operator is told.
type Report struct {
	State     fsm.State
	Why, Next string        // of the status
	Since     time.Time     // of the status
	Network   wifi.Network  // that is joined; zero if none
	Addresses netaddr.State // that it gave
}

// tellOperators reports the state after a step, or a change of the addresses.
func (d *Daemon) tellOperators() {
	if d.Report == nil {
		return
	}
	d.reported.State = d.state
	if !d.state.Link {
		d.reported.Network = wifi.Network{}
	}
	d.reported.Addresses = netaddr.State{}
	if d.network.link {
		d.reported.Addresses = d.network.own()
	}
	d.Report(d.reported)
}

// publish shows a status wherever it is looked for: phones, journal, systemd.
func (d *Daemon) publish(a fsm.Publish) {
	if a.Status == fsm.Failed {
		d.Log.Error(fmt.Sprintf("failed: %s: %s", a.Reason, a.Why), messageIDKey, MessageFailed,
			"state", a.Status, "reason", a.Reason, "ssid", d.latest())
	}
	d.Log.Info(fmt.Sprintf("status -> %s (%d): %s; next: %s", a.Status, uint8(a.Status), a.Why, a.Next),
		"state", a.Status, "reason", a.Reason)
	d.notify.status(fmt.Sprintf("%s: %s; next: %s", a.Status, a.Why, a.Next))
	d.reported.Why, d.reported.Next, d.reported.Since = a.Why, a.Next, time.Now()
	d.Publish(a.Status, a.Reason)
}

// explain shows that the reason has changed and the status has not.
func (d *Daemon) explain(a fsm.Explain) {
	level, id := slog.LevelInfo, MessageAddress
	if a.Reason != wifi.FailureNone {
		level, id = slog.LevelWarn, MessageNoAddress
	}
	d.Log.Log(context.Background(), level, fmt.Sprintf("status stays %s (%d): %s; next: %s", a.Status, uint8(a.Status), a.Why, a.Next),
		messageIDKey, id, "state", a.Status, "reason", a.Reason, "ssid", d.latest())
	d.notify.status(fmt.Sprintf("%s: %s; next: %s", a.Status, a.Why, a.Next))
	d.reported.Why, d.reported.Next = a.Why, a.Next
	d.PublishReason(a.Reason)
}

func (d *Daemon) logJoined(n wifi.Network) {
	d.reported.Network = n
	d.Log.Info(fmt.Sprintf("connected to %s by access point %s at %d MHz, %d dBm, %s", n.SSID, n.BSSID, n.FrequencyMHz, n.SignalDBm, n.KeyMgmt),
		messageIDKey, MessageConnected, "state", fsm.Connected, "ssid", n.SSID, "bssid", n.BSSID,
		"frequency_mhz", n.FrequencyMHz, "signal_dbm", n.SignalDBm, "key_mgmt", n.KeyMgmt)
}

// latest returns the SSID of the latest attempt.
func (d *Daemon) latest() wifi.SSID {
	if ssid := d.latestSSID.Load(); ssid != nil {
		return *ssid
	}
	return ""
}

// advertised follows the advertisement: systemd's READY waits for it, and bonds
// can be removed once there is an adapter.
func (d *Daemon) advertised(ctx context.Context) {
	d.notify.setReady()
	d.dropStaleBonds(ctx)
}

func (d *Daemon) lateReady() {
	if !d.notify.ready {
		d.Log.Warn(fmt.Sprintf("still not advertising after %s: phones cannot find this gateway; its Wi-Fi is served all the same", readyAtLatest))
		d.notify.setReady()
	}
}
