// Package config turns the YAML files of wifiprovd into values that were checked.
// configs/wifiprovd.yaml is its reference.
package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Limits of what is read.
const (
	MaxSize    = 64 << 10 // bytes of a file
	MaxDropIns = 64       // files beside the main one
)

// Config is what the files say, with the defaults for what they leave out.
type Config struct {
	Bluetooth Bluetooth
	Button    Button
	LED       LED
	Improv    Improv
	Wifi      Wifi
	Radio     Radio
	Store     Store
	Log       Log

	// Former names the keys that go, and what to write in their place; empty: none is used.
	Former string
}

// Bluetooth is how phones see the gateway.
type Bluetooth struct {
	Adapter       string         // hci0, hci1 ..., or its address; empty (auto in the file): the first that can advertise
	Name          string         // 1 to 29 bytes of UTF-8, what fits into a scan response; not blank
	Security      gatt.Pairing   // what a phone must do before it may provision
	Access        gateway.Access // when phones may find the gateway
	AccessIgnores string         // interfaces that do not count, with spaces between; *: all but the Wi-Fi's
	Window        time.Duration  // for how long a person opens the door; 10 s to 1 h
	Protocols     Protocols      // that phones may speak; one at least
	RequireCode   string         // true, false, or auto: as soon as there is a code
}

// Button is the input device's key that opens the door.
type Button struct {
	Key        uint16        // its code (linux/input-event-codes.h); 0: there is no button
	Device     string        // the input device's name, or its path; empty: each that has the key
	Hold       time.Duration // how long to press it until it opens; at most 4 s
	EraseAfter time.Duration // how long to press it until everything is erased, 5 s to 1 min; 0: never
}

// LED is the lamp that shows the state.
type LED struct {
	Name string // of a folder in /sys/class/leds; empty: none
}

// Protocols are the phone protocols (docs/protocol.md).
type Protocols struct {
	Native    bool
	Improv    bool
	Espressif bool // only while there is a code
}

// Improv is how the gateway speaks Improv Wi-Fi.
type Improv struct {
	URL       string // that phones open after provisioning, {address} for the gateway's; empty: none
	Authorize bool   // a person has to open the door before a phone may provision
}

// Wifi is the network to provision.
type Wifi struct {
	Interface      string        // its name, or auto: the first that is a station
	Backend        string        // auto, wpa_supplicant or networkmanager
	ConnectTimeout time.Duration // 5 s to 5 min
	AddressTimeout time.Duration // 5 s to 5 min
	Country        wifi.Country  // empty: left to the system and to phones
	ScanIdle       bool          // scan now and then while no network is joined
}

// Radio is what is done so that the gateway may send.
type Radio struct {
	Unblock bool // end what blocks Bluetooth, and Wi-Fi once the country is known
}

// Store is where credentials are kept.
type Store struct {
	Dir  string // absolute
	Seal string // none, auto, host, tpm2: by what passwords are sealed; empty: whatever the daemon is handed a key for
}

// Log is what goes to the journal.
type Log struct {
	Level slog.Level // Debug, Info, Warn or Error
}

// Default returns what an empty file means.
func Default() Config {
	return Config{
		Bluetooth: Bluetooth{Name: "Wi-Fi Provisioning", Security: gatt.Encrypt, Window: 5 * time.Minute, Protocols: Protocols{Native: true}, RequireCode: "auto"},
		Button:    Button{EraseAfter: 10 * time.Second},
		Wifi:      Wifi{Interface: "auto", Backend: "auto", ConnectTimeout: 30 * time.Second, AddressTimeout: 30 * time.Second, ScanIdle: true},
		Radio:     Radio{Unblock: true},
		Store:     Store{Dir: "/var/lib/wifiprovd", Seal: "none"},
		Log:       Log{Level: slog.LevelInfo},
	}
}

// Strict returns what counts while the file cannot be used: the defaults, but no phone is
// served without the passkey from the journal. A file that is broken must not make a gateway
// less strict than its owner meant it to be, and no part of it is believed. Who has the label's
// code gets in by that, too: it may be all that an owner has.
func Strict() Config {
	c := Default()
	c.Bluetooth.Security = gatt.Authenticated
	c.Bluetooth.Protocols.Espressif, c.Bluetooth.RequireCode = true, "false"
	c.Store.Seal = "" // what is sealed stays sealed
	return c
}

// Load reads the file at path, then its drop-ins: the files *.yaml in the folder path.d, in
// the order of their names, each of which overrides what those before it say. It returns the
// files that it has read. Its error is one line that names the file, the line in it, and what
// is allowed there; then nothing of any of the files counts.
func Load(path string) (Config, []string, error) {
	files, err := dropIns(path + ".d")
	if err != nil {
		return Config{}, nil, err
	}
	files = append([]string{path}, files...)
	c := Default()
	for i, file := range files {
		data, err := read(file)
		if err == nil {
			c, err = c.with(file, data)
		}
		if err != nil {
			return Config{}, files[:i], err
		}
	}
	return c, files, nil
}

// dropIns returns the drop-ins in a folder, in the order in which they are read. It need not
// exist. Hidden files are none: editors leave some behind.
func dropIns(folder string) (files []string, err error) {
	entries, err := os.ReadDir(folder) // sorted
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	for _, e := range entries {
		if name := e.Name(); strings.HasSuffix(name, ".yaml") && !strings.HasPrefix(name, ".") {
			files = append(files, filepath.Join(folder, name))
		}
	}
	if len(files) > MaxDropIns {
		return nil, fmt.Errorf("%s: %d files; allowed are %d", folder, len(files), MaxDropIns)
	}
	return files, nil
}

// read returns what is in a file, or as much of it as shows that it is too large.
func read(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w; an empty file means the defaults", err)
	}
	defer func() { _ = f.Close() }() // read only: nothing is lost
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return data, nil
}
