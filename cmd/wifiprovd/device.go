package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"

	"github.com/wifiprovd/wifiprovd/internal/config"
	"github.com/wifiprovd/wifiprovd/internal/profile/native"
)

// device returns what phones can read of this machine; sys is where sysfs is
// mounted. The device tree, of boards such as the Raspberry Pi, is read there and
// not in /proc, which the unit hides. A PC tells its product's name by DMI; its
// serial number is for root alone and so not told.
func device(sys string, c config.Config) native.Device {
	model := firmware(sys, "firmware/devicetree/base/model")
	if model == "" {
		model = firmware(sys, "class/dmi/id/product_name")
	}
	return native.Device{
		Name:     c.Bluetooth.Name,
		Model:    model,
		Serial:   firmware(sys, "firmware/devicetree/base/serial-number"),
		Version:  version,
		Security: c.Bluetooth.Security.String(),
	}
}

// serials returns the serial numbers of this machine, the board's first. That of a PC's DMI is for root
// alone: phones are not told it.
func serials(sys string) (list []string) {
	for _, name := range []string{"firmware/devicetree/base/serial-number", "class/dmi/id/product_serial", "class/dmi/id/board_serial"} {
		if serial := firmware(sys, name); serial != "" {
			list = append(list, serial)
		}
	}
	return list
}

// firmware returns what a file of sysfs says, without the zero byte or newline at
// its end; empty if there is no such file.
func firmware(sys, name string) string {
	file, err := os.Open(filepath.Join(sys, name))
	if err != nil {
		return ""
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, 4096))
	if err != nil {
		return ""
	}
	return string(bytes.TrimRight(text, "\x00\n "))
}
