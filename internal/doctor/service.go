package doctor

import (
	"context"
	"errors"

	"github.com/wifiprovd/wifiprovd/internal/control"
	"github.com/wifiprovd/wifiprovd/internal/credstore"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const (
	unitName = "wifiprovd.service"
	exConfig = 78 // of wifiprovd(8): the configuration is wrong
	// earliest is a year that a clock that was set cannot be before.
	earliest = 2025
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
	boot := get[string](unit, "UnitFileState")
	switch state := get[string](unit, "ActiveState"); {
	case get[string](unit, "LoadState") == "masked":
		return wrong("systemctl unmask wifiprovd && systemctl enable --now wifiprovd", "%s is masked", unitName)
	case get[string](unit, "LoadState") != "loaded":
		return wrong("make install", "%s is not installed", unitName)
	case state != "active" && get[int32](unit, "ExecMainStatus") == exConfig:
		return wrong("wifiprovd -check; then systemctl start wifiprovd", "it has ended because its configuration is wrong")
	case state == "inactive":
		return wrong("systemctl enable --now wifiprovd", "it does not run")
	case state != "active":
		return wrong("journalctl -u wifiprovd -e", "it does not run well: systemd says %s (%s)", state, get[string](unit, "SubState"))
	case errors.Is(v.daemonErr, control.ErrNotRunning):
		return wrong("systemctl reload dbus && systemctl restart wifiprovd", "it runs, but is not on the message bus as %s", control.Name)
	case v.daemonErr != nil:
		return wrong("systemctl restart wifiprovd", "it runs, but does not answer: %v", v.daemonErr)
	case boot == "disabled":
		return wrong("systemctl enable wifiprovd", "it runs, but is not started at boot")
	case v.daemon.Reason != wifi.FailureNone:
		return wrong("journalctl -x -u wifiprovd -e", "it runs, but is not on a network that works: %s: %s", v.daemon.Name, v.daemon.Why)
	}
	return ok("wifiprovd %s runs: %s: %s", v.daemon.Version, v.daemon.Name, v.daemon.Why)
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
