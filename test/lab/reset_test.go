//go:build lab

package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// onlyBand24 is a country that allows Wi-Fi in the 2.4 GHz band only: there the gateway's radio scans
// as that of a Raspberry Pi 3 or Zero does, in a quarter of the time. bothBands is for measurements:
// a country that allows the 5 GHz band as well, but not 6 GHz and 900 MHz, which the virtual radio
// has and common ones have not.
const (
	onlyBand24 = "YE"
	bothBands  = "IN"
)

// startNeighbours starts the daemon's neighbours that a test has stopped.
func startNeighbours(t testing.TB) {
	t.Helper()
	for name, unit := range map[string]string{"org.bluez": bluetoothd, "fi.w1.wpa_supplicant1": supplicantd} {
		var there bool
		if err := bus(t).BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, name).Store(&there); err != nil {
			t.Fatal(err)
		}
		if !there {
			systemctl(t, "start", unit)
		}
	}
}

// emptyStore removes what the daemon has stored.
func emptyStore(t testing.TB) {
	t.Helper()
	files, err := filepath.Glob(storeDir + "/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if err := os.RemoveAll(file); err != nil {
			t.Fatal(err)
		}
	}
}

// removeBonds makes bluetoothd forget every device on every adapter.
func removeBonds(t testing.TB) {
	t.Helper()
	waitFor(t, "all adapters", patience, func() error {
		if n := adapters(t); n != 4 {
			return fmt.Errorf("there are %d", n)
		}
		return nil
	})
	waitFor(t, "adapters without devices", patience, func() error {
		all, err := objects(t, "org.bluez", "/")
		if err != nil {
			return err
		}
		devices := 0
		for path, interfaces := range all {
			if _, ok := interfaces["org.bluez.Device1"]; ok {
				devices++
				adapter := dbus.ObjectPath(filepath.Dir(string(path)))
				// BlueZ 5.82 does not answer if the connection is lost at this moment.
				ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
				bus(t).Object("org.bluez", adapter).CallWithContext(ctx, "org.bluez.Adapter1.RemoveDevice", 0, path)
				cancel()
			}
		}
		if devices != 0 {
			return fmt.Errorf("%d devices", devices)
		}
		return nil
	})
}

// adapters returns how many adapters bluetoothd has.
func adapters(t testing.TB) (n int) {
	t.Helper()
	all, _ := objects(t, "org.bluez", "/") // it may be starting
	for _, interfaces := range all {
		if _, ok := interfaces["org.bluez.Adapter1"]; ok {
			n++
		}
	}
	return n
}

// resetWifi makes wpa_supplicant forget the interface, its networks and its scan results, and waits
// until the interface has no address.
func resetWifi(t testing.TB) {
	t.Helper()
	if manager.on {
		manager.reset(t)
		return
	}
	supplicant := bus(t).Object("fi.w1.wpa_supplicant1", "/fi/w1/wpa_supplicant1")
	var path dbus.ObjectPath
	if supplicant.Call("fi.w1.wpa_supplicant1.GetInterface", 0, wlan).Store(&path) == nil {
		if err := supplicant.Call("fi.w1.wpa_supplicant1.RemoveInterface", 0, path).Err; err != nil {
			t.Fatalf("remove %s from wpa_supplicant: %v", wlan, err)
		}
	}
	if len(leased(t)) == 0 {
		return
	}
	// systemd-networkd may be slow to drop it.
	run(t, "networkctl", "reconfigure", wlan)
	waitFor(t, "no address on "+wlan, patience, func() error {
		if a := leased(t); len(a) > 0 {
			return fmt.Errorf("it has %v", a)
		}
		return nil
	})
}

// writeConfig writes the daemon's configuration. A value is YAML, with quotes if it needs them.
func writeConfig(t testing.TB, settings map[string]string) {
	t.Helper()
	sections := map[string][]string{"log": {"level: debug"}}
	for key, value := range settings {
		section, name, _ := strings.Cut(key, ".")
		if key == "log.level" {
			sections["log"] = nil
		}
		sections[section] = append(sections[section], name+": "+value)
	}
	var text strings.Builder
	for section, lines := range sections {
		sort.Strings(lines)
		fmt.Fprintf(&text, "%s:\n  %s\n", section, strings.Join(lines, "\n  "))
	}
	if err := os.WriteFile(configFile, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// countryNow is what setCountry has set.
var countryNow string

// setCountry sets the regulatory domain.
func setCountry(t testing.TB, country string) {
	t.Helper()
	if country == "" {
		country = onlyBand24
	}
	if country == countryNow {
		return
	}
	current := func() error {
		if global := run(t, "iw", "reg", "get"); !strings.Contains(global, "country "+country+":") {
			return fmt.Errorf("the rules are %s", global)
		}
		return nil
	}
	if current() != nil {
		run(t, "iw", "reg", "set", country)
		waitFor(t, "radio rules of "+country, patience, current)
	}
	countryNow = country
}
