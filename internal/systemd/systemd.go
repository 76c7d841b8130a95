// Package systemd tells the service manager how the daemon is (sd_notify(3)), and has it
// start and stop the targets of the gateway's states. Without systemd it does nothing.
package systemd

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
)

// readyAtLatest bounds how long systemd waits for the advertisement: without an
// adapter the gateway still has a network to join.
const readyAtLatest = 20 * time.Second

// Notifier is an Observer that shows the status in systemctl status, and says READY
// when phones can find the gateway.
type Notifier struct {
	log   *slog.Logger
	ready chan struct{} // closed when the gateway is advertised for the first time, or is not meant to be
	once  sync.Once
}

// New returns a Notifier. Run has to be called for READY.
func New(log *slog.Logger) *Notifier { return &Notifier{log: log, ready: make(chan struct{})} }

// Changed implements gateway.Observer.
func (n *Notifier) Changed(before, now *gateway.Snapshot) {
	if now.Turn != before.Turn || now.Message != before.Message {
		n.send(fmt.Sprintf("STATUS=%s: %s; next: %s", now.Status, now.Message, now.Next))
	}
	shut := !now.Advertising.Wanted && now.Phase != gateway.Starting // as bluetooth.access says
	if now.Advertising.Adapter != "" || shut {
		n.once.Do(func() { close(n.ready) })
	}
}

// Run says READY once, at the latest after 20 s, and STOPPING when ctx ends.
func (n *Notifier) Run(ctx context.Context) error {
	defer n.send(daemon.SdNotifyStopping)
	select {
	case <-ctx.Done():
		return nil
	case <-n.ready:
	case <-time.After(readyAtLatest):
		n.log.Warn(fmt.Sprintf("still not advertising after %s: phones cannot find this gateway; its Wi-Fi is served all the same", readyAtLatest))
	}
	n.send(daemon.SdNotifyReady)
	<-ctx.Done()
	return nil
}

// Alive feeds the watchdog.
func (n *Notifier) Alive() { n.send(daemon.SdNotifyWatchdog) }

func (n *Notifier) send(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		n.log.Warn("systemd cannot be notified", "err", err)
	}
}

// Watchdog returns the interval within which systemd wants to hear from the daemon
// (WatchdogSec=), 0 if it does not.
func Watchdog(log *slog.Logger) time.Duration {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("cannot read systemd's watchdog interval", "err", err)
	}
	return interval
}
