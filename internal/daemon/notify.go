package daemon

import (
	"log/slog"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
)

// readyAtLatest bounds how long systemd is kept waiting for the advertisement:
// without an adapter the gateway still has a network to join.
const readyAtLatest = 20 * time.Second

// notifier tells systemd how the daemon is (sd_notify(3)). Without systemd it
// does nothing.
type notifier struct {
	log   *slog.Logger
	ready bool
}

func (n *notifier) send(state string) {
	if _, err := systemd.SdNotify(false, state); err != nil {
		n.log.Warn("systemd cannot be notified", "err", err)
	}
}

func (n *notifier) setReady() {
	if !n.ready {
		n.ready = true
		n.send(systemd.SdNotifyReady)
	}
}

func (n *notifier) status(text string) { n.send("STATUS=" + text) }
func (n *notifier) stopping()          { n.send(systemd.SdNotifyStopping) }
func (n *notifier) watchdog()          { n.send(systemd.SdNotifyWatchdog) }

// watchdogTicks returns a channel that ticks twice in the watchdog's interval, or
// nil when systemd asks for none.
func watchdogTicks(log *slog.Logger) (ticks <-chan time.Time, stop func()) {
	interval, err := systemd.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("systemd's watchdog interval cannot be read", "err", err)
	}
	if interval <= 0 {
		return nil, func() {}
	}
	ticker := time.NewTicker(interval / 2)
	return ticker.C, ticker.Stop
}
