package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"

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

// serials returns what a maker's list may call this machine: its serial numbers, the board's first, then
// the addresses of its network hardware. That of a PC's DMI is for root alone: phones are not told it.
func serials(sys string) (list []string) {
	for _, name := range []string{"firmware/devicetree/base/serial-number", "class/dmi/id/product_serial", "class/dmi/id/board_serial"} {
		if serial := firmware(sys, name); serial != "" {
			list = append(list, serial)
		}
	}
	return append(list, addresses(sys)...)
}

// addresses returns the addresses that the network hardware was made with, as in aa:bb:cc:dd:ee:ff. An
// interface may have another one, such as NetworkManager's for scanning
// (Documentation/ABI/testing/sysfs-class-net, addr_assign_type).
func addresses(sys string) (list []string) {
	radios, _ := filepath.Glob(filepath.Join(sys, "class/ieee80211/*"))
	for _, radio := range radios {
		list = append(list, firmware(radio, "macaddress"))
	}
	cards, _ := filepath.Glob(filepath.Join(sys, "class/net/*"))
	for _, card := range cards {
		_, err := os.Stat(filepath.Join(card, "device"))
		if address := firmware(card, "address"); err == nil && firmware(card, "addr_assign_type") == "0" && !slices.Contains(list, address) {
			list = append(list, address)
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
