package doctor

import (
	"context"
	"errors"

	"github.com/wifiprovd/wifiprovd/internal/control"
	"github.com/wifiprovd/wifiprovd/internal/credstore"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const (
	unitName = "wifiprovd.service"
	exConfig = 78   // of wifiprovd(8): the configuration is wrong
	earliest = 2025 // no clock that was set shows an earlier year
)

func (v *visit) configuration(context.Context) Result {
	if v.cfgErr != nil {
		return wrong("wifiprovd -check -config "+v.Config, "%v", v.cfgErr)
	}
	return ok("%s is valid", v.Config)
}

func (v *visit) service(ctx context.Context) Result {
	unit, err := v.unit(ctx, unitName)
	if err != nil {
		return unknown("systemctl status wifiprovd", "systemd does not say: %v", err)
	}
	load := msgbus.Value[string](unit, "LoadState")
	switch state := msgbus.Value[string](unit, "ActiveState"); {
	case load == "masked":
		return wrong("systemctl unmask wifiprovd && systemctl enable --now wifiprovd",
			"%s is masked", unitName)
	case load != "loaded":
		return wrong("make install", "%s is not installed", unitName)
	case state != "active" && msgbus.Value[int32](unit, "ExecMainStatus") == exConfig:
		return wrong("wifiprovd -check; then systemctl start wifiprovd",
			"it has ended because its configuration is wrong")
	case state == "inactive":
		return wrong("systemctl enable --now wifiprovd", "it is not running")
	case state != "active":
		return wrong("journalctl -u wifiprovd -e", "it is not running: systemd says %s (%s)",
			state, msgbus.Value[string](unit, "SubState"))
	case errors.Is(v.daemonErr, control.ErrNotRunning):
		return wrong("systemctl reload dbus && systemctl restart wifiprovd",
			"it is running, but is not on the message bus as %s", control.Name)
	case v.daemonErr != nil:
		return wrong("systemctl restart wifiprovd", "it is running, but does not answer: %v", v.daemonErr)
	case msgbus.Value[string](unit, "UnitFileState") == "disabled":
		return wrong("systemctl enable wifiprovd", "it is running, but is not started at boot")
	case v.daemon.ReasonCode != byte(wifi.FailureNone):
		return wrong("journalctl -x -u wifiprovd -e",
			"it is running, but is not on a network that works: %s: %s",
			v.daemon.Status, v.daemon.Message)
	}
	return ok("wifiprovd %s is running: %s: %s", v.daemon.Version, v.daemon.Status, v.daemon.Message)
}

func (v *visit) store(context.Context) Result {
	dir := v.cfg.Store.Dir
	if v.UID != 0 {
		return unknown("sudo wifiprovctl doctor", "only root can look into %s", dir)
	}
	err := credstore.Check(dir)
	var refused *credstore.RefusedError
	switch {
	case errors.As(err, &refused):
		return wrong(refused.Remedy, "%s %s", refused.Path, refused.Problem)
	case err != nil:
		return wrong("ls -la "+dir, "%v", err)
	}
	return ok("owner and mode of %s are right", dir)
}

func (v *visit) clock(context.Context) Result {
	if v.Now.Year() < earliest {
		return wrong("timedatectl set-ntp true", "the clock says %s", v.Now.Format("2006-01-02"))
	}
	return ok("it is %s", v.Now.UTC().Format("2006-01-02 15:04 UTC"))
}
