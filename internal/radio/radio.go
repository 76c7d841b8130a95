// Package radio cures what keeps a fresh gateway from sending. Raspberry Pi OS blocks Wi-Fi, and
// Bluetooth adapters that it does not know, until a country is set: a phone then finds no gateway
// that it could tell the country (RPi-Distro/pi-gen, stage2/02-net-tweaks).
package radio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/wifiprovd/wifiprovd/internal/rfkill"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Report is the file in which doctor finds what was done since the boot, one line each. Its folder
// is the unit's.
const Report = "/run/wifiprovd-radio/report"

// Config is what Cure works with.
type Config struct {
	Root    string       // of /etc, /proc, /run and /sys: / but for tests
	Country wifi.Country // that wifiprovd was told; empty: what the system says
	Source  string       // who says so, for a person
	Unblock bool         // false: nothing is changed
	Kernel  Kernel
	Manager Manager
	Log     *slog.Logger
}

// Kernel is what is asked of the kernel. Errors that are os.ErrNotExist: it can block no radio, or
// has no Wi-Fi.
type Kernel interface {
	Radios() ([]rfkill.Radio, error)
	// Unblock lets all radios of a kind send, and those that come later.
	Unblock(rfkill.Kind) error
	// Country returns the country whose rules are in force, 00 if it is none.
	Country() (string, error)
	SetCountry(wifi.Country) error
}

// Manager is NetworkManager, which has a switch of its own for all Wi-Fi.
type Manager interface {
	// EnableWireless turns the switch on. It reports whether it was off.
	EnableWireless(context.Context) (bool, error)
}

// Cure unblocks Bluetooth, and Wi-Fi if the country is known, which it puts in force first. The
// journal has a line for each thing that it did, and for what stays blocked. It returns an error
// if an order was refused.
func Cure(ctx context.Context, c Config) error {
	if !c.Unblock {
		c.told(rfkill.Bluetooth, "radio.unblock is false")
		c.told(rfkill.WiFi, "radio.unblock is false")
		return nil
	}
	err := c.unblock(rfkill.Bluetooth)
	c.told(rfkill.Bluetooth, "the kernel has refused")
	if c.findCountry(); c.Country == "" {
		c.told(rfkill.WiFi, "no country is known; have a phone name it, or set wifi.country")
		return err
	}
	c.putInForce()
	err = errors.Join(err, c.enableManaged(ctx), c.unblock(rfkill.WiFi))
	c.told(rfkill.WiFi, "the kernel has refused")
	return err
}

// findCountry looks for the country where nobody has told wifiprovd. The last resort is what is in
// force, as of raspi-config: a service of netplan's or of the owner's may have put it in force, or
// the daemon, if the disk does not take what a phone has said.
func (c *Config) findCountry() {
	if c.Country != "" {
		return
	}
	if c.Country, c.Source = SystemCountry(c.Root); c.Country != "" {
		return
	}
	if now, err := c.Kernel.Country(); err == nil {
		c.Country, _ = wifi.ParseCountry(now)
		c.Source = "the kernel, where it is in force"
	}
}

// blocked returns those radios of a kind that are.
func (c *Config) blocked(kind rfkill.Kind) (soft, hard []string) {
	all, err := c.Kernel.Radios()
	if err != nil && !errors.Is(err, os.ErrNotExist) { // a kernel without rfkill blocks nothing
		c.Log.Error("cannot tell which radios are blocked", "event", "radio-blocked", "err", err)
	}
	for _, r := range all {
		if r.Kind != kind {
			continue
		}
		name := strings.TrimSpace(string(text(c.path(fmt.Sprintf("/sys/class/rfkill/rfkill%d/name", r.Index)))))
		if name == "" { // of another network namespace
			name = fmt.Sprintf("rfkill%d", r.Index)
		}
		if r.Soft {
			soft = append(soft, name)
		}
		if r.Hard {
			hard = append(hard, name)
		}
	}
	return soft, hard
}

// unblock has the kernel let all radios of a kind send.
func (c *Config) unblock(kind rfkill.Kind) error {
	soft, _ := c.blocked(kind)
	err := c.Kernel.Unblock(kind)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("unblock %s: %w", kind, err)
	}
	if len(soft) > 0 {
		c.did(kind, fmt.Sprintf("%s (%s) is unblocked", kind, strings.Join(soft, ", ")))
	}
	return nil
}

// told says what of a kind is still blocked, and why by software.
func (c *Config) told(kind rfkill.Kind, why string) {
	soft, hard := c.blocked(kind)
	if len(hard) > 0 {
		c.Log.Warn(fmt.Sprintf("%s (%s) is blocked by a hardware switch, which only a hand can flip", kind, strings.Join(hard, ", ")), "event", "radio-blocked", "radio", kind.String())
	}
	if len(soft) > 0 {
		level := slog.LevelWarn
		if !c.Unblock { // as the owner wants it
			level = slog.LevelInfo
		}
		c.Log.Log(context.Background(), level, fmt.Sprintf("%s (%s) stays blocked: %s", kind, strings.Join(soft, ", "), why), "event", "radio-blocked", "radio", kind.String())
	}
}

// putInForce tells the kernel the country. Without it the radio works by rules that are good
// everywhere: that is no reason to keep it blocked.
func (c *Config) putInForce() {
	now, err := c.Kernel.Country()
	if err == nil && now != string(c.Country) {
		err = c.Kernel.SetCountry(c.Country)
	}
	switch {
	case errors.Is(err, os.ErrNotExist): // no Wi-Fi either
	case err != nil:
		c.Log.Warn("the Wi-Fi country is not in force", "event", "country", "country", string(c.Country), "err", err)
	case now != string(c.Country):
		c.Log.Info(fmt.Sprintf("Wi-Fi country: %s, says %s", c.Country, c.Source), "event", "country", "country", string(c.Country))
	}
}

// enableManaged has NetworkManager use Wi-Fi. What it has switched off it blocks.
func (c *Config) enableManaged(ctx context.Context) error {
	was, err := c.Manager.EnableWireless(ctx)
	if err != nil {
		return fmt.Errorf("switch Wi-Fi on in NetworkManager: %w", err)
	}
	if was {
		c.did(rfkill.WiFi, "Wi-Fi is switched on in NetworkManager")
	}
	return nil
}

// did says what was done for the radios of a kind, in the journal and for doctor.
func (c *Config) did(kind rfkill.Kind, what string) {
	fields := []any{"event", "radio-unblocked", "radio", kind.String()}
	if kind == rfkill.WiFi {
		what += fmt.Sprintf(": the country is %s, says %s", c.Country, c.Source)
		fields = append(fields, "country", string(c.Country))
	}
	c.Log.Info(what, fields...)
	f, err := os.OpenFile(c.path(Report), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err == nil {
		_, err = fmt.Fprintln(f, what)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		c.Log.Debug("doctor will not know", "err", err)
	}
}

func (c *Config) path(name string) string { return filepath.Join(c.Root, name) }
