package doctor

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/wifiprovd/wifiprovd/internal/button"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

// theButton says whether there is a device with the key that is configured.
func theButton(v *visit, _ context.Context) Result {
	b := v.cfg.Button
	if b.Key == 0 {
		return none
	}
	found := button.Find(v.Root, b.Device, b.Key)
	if len(found) == 0 {
		return wrong("set button.key and button.device in "+v.Config+"; evtest shows devices and keys",
			"no input device that counts has the key %d", b.Key)
	}
	return ok("key %d of %s", b.Key, strings.Join(found, ", "))
}

// theLED says whether the LED that is configured is there, and whether the daemon's unit lets
// it be written.
func theLED(v *visit, ctx context.Context) Result {
	if v.cfg.LED.Name == "" {
		return none
	}
	path := "/sys/class/leds/" + v.cfg.LED.Name
	target, err := filepath.EvalSymlinks(filepath.Join(v.Root, path))
	if err != nil {
		return wrong("set led.name in "+v.Config+" to one of: ls /sys/class/leds", "there is no LED %s", v.cfg.LED.Name)
	}
	unit, err := v.unit(ctx, unitName)
	if err != nil || !msgbus.Value[bool](unit, "ProtectKernelTunables") {
		return ok("%s is there", v.cfg.LED.Name)
	}
	for _, writable := range msgbus.Value[[]string](unit, "ReadWritePaths") {
		writable = strings.TrimLeft(writable, "-+")
		if writable == path || within(target, filepath.Join(v.Root, writable)) {
			return ok("%s is there, and can be written", v.cfg.LED.Name)
		}
	}
	return wrong(fmt.Sprintf(`systemctl edit wifiprovd, with the lines "[Service]" and "ReadWritePaths=%s"; then systemctl restart wifiprovd`, path),
		"the unit does not let the daemon write the LED %s", v.cfg.LED.Name)
}

// within reports whether path is folder, or in it.
func within(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}
