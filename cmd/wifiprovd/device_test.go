package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/config"
	"github.com/wifiprovd/wifiprovd/internal/profile/native"
)

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDevice(t *testing.T) {
	c := config.Default()
	want := native.Device{Name: c.Bluetooth.Name, Version: version, Security: "encrypt"}
	sys := t.TempDir()
	write := func(name, text string) { writeFile(t, filepath.Join(sys, name), text) }
	check := func(what string) {
		t.Helper()
		if got := device(sys, c); got != want {
			t.Errorf("%s: got %+v, want %+v", what, got, want)
		}
	}
	check("nothing known")
	write("class/dmi/id/product_name", "A PC\n")
	write("class/dmi/id/product_serial", "not for phones\n")
	want.Model = "A PC"
	check("DMI")
	write("firmware/devicetree/base/model", "Raspberry Pi 4 Model B Rev 1.4\x00")
	write("firmware/devicetree/base/serial-number", "10000000deadbeef\x00")
	want.Model, want.Serial = "Raspberry Pi 4 Model B Rev 1.4", "10000000deadbeef"
	check("a device tree")
}

// TestSerials: what a maker's list may call the machine; not a bridge, nor an address that was set.
func TestSerials(t *testing.T) {
	sys := t.TempDir()
	for name, text := range map[string]string{
		"firmware/devicetree/base/serial-number": "10000000deadbeef\x00",
		"class/dmi/id/product_serial":            "PC-1\n",
		"class/ieee80211/phy0/macaddress":        "02:00:00:00:00:01\n",
		"class/net/wlan0/address":                "a6:1c:b0:9c:89:21\n", // of NetworkManager
		"class/net/wlan0/addr_assign_type":       "3\n",
		"class/net/wlan0/device/vendor":          "",
		"class/net/eth0/address":                 "02:00:00:00:00:02\n",
		"class/net/eth0/addr_assign_type":        "0\n",
		"class/net/eth0/device/vendor":           "",
		"class/net/br0/address":                  "02:00:00:00:00:03\n",
		"class/net/br0/addr_assign_type":         "0\n",
	} {
		writeFile(t, filepath.Join(sys, name), text)
	}
	want := []string{"10000000deadbeef", "PC-1", "02:00:00:00:00:01", "02:00:00:00:00:02"}
	if got := serials(sys); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
