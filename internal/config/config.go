// Package config turns the YAML file of wifiprovd into values that were checked.
// configs/wifiprovd.yaml is its reference.
package config

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// MaxSize is the largest file that is read, in bytes.
const MaxSize = 64 << 10

// Config is what the file says, with the defaults for what it leaves out.
type Config struct {
	Bluetooth Bluetooth
	Improv    Improv
	Wifi      Wifi
	Store     Store
	Log       Log
}

// Bluetooth is how phones see the gateway.
type Bluetooth struct {
	Adapter          string       // hci0, hci1 ..., or its address; empty: the first that can advertise
	Name             string       // 1 to 29 bytes of UTF-8, what fits into a scan response; not blank
	Security         gatt.Pairing // what a phone must do before it may provision
	KeepAfterConnect bool         // advertise also while Wi-Fi is up
	Protocols        Protocols    // that phones may speak; one at least
}

// Protocols are the phone protocols (docs/protocol.md).
type Protocols struct {
	Native bool
	Improv bool
}

// Improv is how the gateway speaks Improv Wi-Fi.
type Improv struct {
	URL       string // that phones open after provisioning, {address} for the gateway's; empty: none
	Authorize bool   // a person has to open the door before a phone may provision
}

// Wifi is the network to provision.
type Wifi struct {
	Interface      string
	Backend        string        // auto, wpa_supplicant or networkmanager
	ConnectTimeout time.Duration // 5 s to 5 min
	AddressTimeout time.Duration // 5 s to 5 min
	Country        wifi.Country  // empty: left to the system and to phones
	ScanIdle       bool          // scan now and then while no network is joined
}

// Store is where credentials are kept.
type Store struct {
	Dir string // absolute
}

// Log is what goes to the journal.
type Log struct {
	Level slog.Level // Debug, Info, Warn or Error
}

// Default returns what an empty file means.
func Default() Config {
	return Config{
		Bluetooth: Bluetooth{Name: "Wi-Fi Provisioning", Security: gatt.Encrypt, KeepAfterConnect: true, Protocols: Protocols{Native: true}},
		Wifi:      Wifi{Interface: "wlan0", Backend: "auto", ConnectTimeout: 30 * time.Second, AddressTimeout: 30 * time.Second, ScanIdle: true},
		Store:     Store{Dir: "/var/lib/wifiprovd"},
		Log:       Log{Level: slog.LevelInfo},
	}
}

// Strict returns what counts while the file cannot be used: the defaults, but no phone is
// served without the passkey from the journal. A file that is broken must not make a gateway
// less strict than its owner meant it to be, and no part of it is believed.
func Strict() Config {
	c := Default()
	c.Bluetooth.Security = gatt.Authenticated
	return c
}

// Load reads the file at path. Its error is one line that names the file, the
// line in it, and what is allowed there.
func Load(path string) (Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("read the configuration: %w; an empty file means the defaults", err)
	}
	defer func() { _ = f.Close() }() // read only: nothing is lost
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return Config{}, fmt.Errorf("read the configuration: %w", err)
	}
	return Parse(path, data)
}
