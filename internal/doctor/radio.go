package doctor

import (
	"context"
	"strings"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
	"github.com/wifiprovd/wifiprovd/internal/radio"
)

const radioUnitName = "wifiprovd-radio.service"

// radios tells what was unblocked since the boot. What is blocked still is told of the adapter and of
// the interface.
func radios(v *visit, ctx context.Context) Result {
	if !v.cfg.Radio.Unblock {
		return ok("radio.unblock is false: nothing is unblocked")
	}
	unit, err := v.unit(ctx, radioUnitName)
	switch state := msgbus.Value[string](unit, "ActiveState"); {
	case err != nil:
		return unknown("systemctl status wifiprovd-radio", "systemd does not say: %v", err)
	case msgbus.Value[string](unit, "LoadState") != "loaded":
		return wrong(install, "%s is not installed, so that nothing is unblocked", radioUnitName)
	case state == "failed":
		return wrong("journalctl -u wifiprovd-radio -e", "%s has failed", radioUnitName)
	case state != "active" && v.daemonErr == nil:
		return wrong("systemctl start wifiprovd-radio", "%s has not run", radioUnitName)
	}
	done := strings.Split(v.read(radio.Report), "\n")
	if done[0] == "" {
		return ok("nothing had to be unblocked")
	}
	return ok("since the boot, %s has said: %s", radioUnitName, strings.Join(done, "; "))
}

// unblocking returns what ends a block of Wi-Fi by software, whoever made it.
func unblocking(ctx context.Context, v *visit) string {
	command := "rfkill unblock wifi"
	if v.runs(ctx, networkManager) {
		command += "; nmcli radio wifi on"
	}
	known := v.cfg.Wifi.Country != "" || v.daemon.Country != ""
	if country, _ := radio.SystemCountry(v.Root); known || country != "" || !v.cfg.Radio.Unblock {
		return command
	}
	return "have a phone name the country, or set wifi.country in " + v.Config + ", then systemctl restart wifiprovd-radio; or " + command
}
