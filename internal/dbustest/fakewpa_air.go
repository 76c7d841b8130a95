package dbustest

import (
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"
)

// AP is an access point on the fake's air.
type AP struct {
	SSID      string
	BSSID     [6]byte
	Frequency uint16 // MHz
	Signal    int16  // dBm; 0 means -50
	Hidden    bool   // heard only when a scan calls its SSID
	Mute      bool   // answers no probe: heard only by a passive scan
	Privacy   bool
	WPA, RSN  []string // key management, as in wpa-psk

	// Steps are the changes of the interface's properties that a network
	// selected for this access point goes through. nil: all that a connection
	// takes. Empty: none, so that the test can make them itself.
	Steps []Step
}

// Step is one PropertiesChanged signal: the interface's properties by name.
type Step map[string]any

// Joined are the steps of a connection with key management mode.
func Joined(mode string) []Step {
	return []Step{
		{"State": "authenticating"},
		{"State": "associating", "AuthStatusCode": int32(0)},
		{"State": "associated"},
		{"State": "4way_handshake"},
		{"State": "completed", "CurrentAuthMode": mode},
	}
}

type heard struct {
	AP
	path dbus.ObjectPath
	at   time.Time
}

// hear adds a scan result, and returns its path. f.mu is held.
func (f *WPA) hear(ap AP, at time.Time) dbus.ObjectPath {
	for i := range f.heard {
		if f.heard[i].BSSID == ap.BSSID && f.heard[i].SSID == ap.SSID {
			f.heard[i].at, f.heard[i].AP = at, ap
			return f.heard[i].path
		}
	}
	path := dbus.ObjectPath(fmt.Sprintf("%s/BSSs/%d", wpaIface, f.nextBSS))
	f.nextBSS++
	f.heard = append(f.heard, heard{ap, path, at})
	return path
}

// play goes through the steps of the access point that the network at path is
// for.
func (f *WPA) play(path dbus.ObjectPath) {
	f.mu.Lock()
	ssid, _ := f.networks[path]["ssid"].([]byte)
	bssid, _ := f.networks[path]["bssid"].(string)
	i := slices.IndexFunc(f.air, func(ap AP) bool {
		address := net.HardwareAddr(ap.BSSID[:]).String()
		return ap.SSID == string(ssid) && (bssid == "" || bssid == address)
	})
	if i < 0 {
		f.mu.Unlock()
		f.Change(Step{"State": "scanning"})
		return
	}
	ap := f.air[i]
	bss := f.hear(ap, time.Now())
	steps := ap.Steps
	if f.next != nil {
		steps, f.next = f.next, nil
	}
	f.mu.Unlock()
	if steps == nil {
		steps = Joined("WPA2-PSK")
	}
	for _, step := range steps {
		f.mu.Lock()
		_, there := f.networks[path]
		if there && step["State"] == "completed" {
			f.props["CurrentNetwork"], f.props["CurrentBSS"] = path, bss
		}
		f.mu.Unlock()
		if !there {
			return
		}
		f.Change(step)
	}
}

// Roam makes the connection move to another access point of the same network.
func (f *WPA) Roam(ap AP) {
	f.mu.Lock()
	bss := f.hear(ap, time.Now())
	f.mu.Unlock()
	for _, step := range []Step{
		{"State": "associating"}, {"State": "associated", "CurrentBSS": bss}, {"State": "4way_handshake"}, {"State": "completed"},
	} {
		f.Change(step)
	}
}

func (h heard) properties() map[string]dbus.Variant {
	signal := h.Signal
	if signal == 0 {
		signal = -50
	}
	ies := append(element(h.RSN, 48, nil, 0x00, 0x0f, 0xac), element(h.WPA, 221, []byte{0x00, 0x50, 0xf2, 1}, 0x00, 0x50, 0xf2)...)
	return map[string]dbus.Variant{
		"SSID": dbus.MakeVariant([]byte(h.SSID)), "BSSID": dbus.MakeVariant(h.BSSID[:]),
		"Frequency": dbus.MakeVariant(h.Frequency), "Signal": dbus.MakeVariant(signal),
		"Privacy": dbus.MakeVariant(h.Privacy), "IEs": dbus.MakeVariant(ies),
		"Age": dbus.MakeVariant(uint32(time.Since(h.at) / time.Second)),
	}
}

// akmTypes are AKM suites (IEEE 802.11-2020, table 9-151).
var akmTypes = map[string]byte{
	"wpa-eap": 1, "wpa-psk": 2, "wpa-ft-psk": 4, "wpa-psk-sha256": 6, "sae": 8, "ft-sae": 9, "owe": 18,
}

// element returns an RSN or WPA element with CCMP and these AKMs (9.4.2.24).
func element(akms []string, id byte, prefix []byte, oui ...byte) []byte {
	if len(akms) == 0 {
		return nil
	}
	suite := func(of byte) []byte { return append(slices.Clone(oui), of) }
	body := append(slices.Clone(prefix), 1, 0)
	body = append(body, suite(4)...)
	body = append(append(body, 1, 0), suite(4)...)
	body = append(body, byte(len(akms)), 0)
	for _, akm := range akms {
		body = append(body, suite(akmTypes[akm])...)
	}
	return append([]byte{id, byte(len(body))}, body...)
}
