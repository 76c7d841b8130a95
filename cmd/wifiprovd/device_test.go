package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/config"
	"github.com/wifiprovd/wifiprovd/internal/profile/native"
)

func TestDevice(t *testing.T) {
	c := config.Default()
	want := native.Device{Name: c.Bluetooth.Name, Version: version, Security: "encrypt"}
	sys := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(sys, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
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
