package doctor

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/wifiprovd/wifiprovd/internal/control"
	"github.com/wifiprovd/wifiprovd/internal/credstore"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const (
	unitName = "wifiprovd.service"
	install  = "apt-get install --reinstall wifiprovd, or make install" // brings back what is missing
	earliest = 2025                                                     // no clock that was set shows an earlier year
)

func (v *visit) configuration(context.Context) Result {
	if v.cfgErr != nil {
		return wrong("wifiprovd -check -config "+v.Config+", then systemctl restart wifiprovd", "%v; until it is mended phones need the passkey from the journal", v.cfgErr)
	}
	if v.cfg.Former != "" {
		return ok("%s is valid, but %s: write that instead", v.Config, v.cfg.Former)
	}
	if len(v.cfgFiles) > 1 {
		return ok("%s is valid, with %s", v.Config, strings.Join(v.cfgFiles[1:], ", "))
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
		return wrong(install, "%s is not installed", unitName)
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
	case !exists(dir):
		return wrong("mkdir -m 0700 "+dir+" && systemctl restart wifiprovd", "%s is missing: what phones provision is lost at the next start", dir)
	}
	if err := credstore.Try(dir); err != nil {
		return wrong("df "+dir+"; findmnt -T "+dir, "%s cannot be written: what phones provision is lost at the next start: %v", dir, err)
	}
	if aside := credstore.Aside(dir); len(aside) > 0 {
		return wrong("provision the gateway, then rm "+strings.Join(aside, " "), "a store was corrupt, and set aside as %s", strings.Join(aside, ", "))
	}
	return ok("owner and mode of %s are right, and it can be written", dir)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (v *visit) clock(context.Context) Result {
	if v.Now.Year() < earliest {
		return wrong("timedatectl set-ntp true", "the clock says %s", v.Now.Format("2006-01-02"))
	}
	return ok("it is %s", v.Now.UTC().Format("2006-01-02 15:04 UTC"))
}
