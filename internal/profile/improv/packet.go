package improv

import (
	"strconv"
	"unicode/utf8"

	"github.com/wifiprovd/wifiprovd/internal/profile"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Command is the first byte of a packet.
type Command byte

// The commands of version 2.4.
const (
	CommandWifi       Command = 0x01 // join a network; the result is the URL to open next
	CommandIdentify   Command = 0x02 // show which gateway this is; no result
	CommandDevice     Command = 0x03 // what the gateway is
	CommandScan       Command = 0x04 // which networks are around
	CommandHostname   Command = 0x05 // the host name, or a new one
	CommandDeviceName Command = 0x06 // the name that is advertised
)

// A packet is command, length of the data, data, checksum.
const (
	headerLen = 2
	maxData   = 255
	maxPacket = headerLen + maxData + 1
	maxString = 127 // of a result: the Android SDK reads lengths as signed
)

// checksum is the low byte of the sum.
func checksum(b []byte) (sum byte) {
	for _, c := range b {
		sum += c
	}
	return sum
}

// packetLen returns how long the packet that begins with b will be, 0 if b is too short to
// tell.
func packetLen(b []byte) int {
	if len(b) < headerLen {
		return 0
	}
	return headerLen + int(b[1]) + 1
}

// decode returns what a whole packet says; ok is false if it is not one. data is a part of
// packet.
func decode(packet []byte) (command Command, data []byte, ok bool) {
	n := packetLen(packet)
	if n == 0 || len(packet) != n || checksum(packet[:n-1]) != packet[n-1] {
		return 0, nil, false
	}
	return Command(packet[0]), packet[headerLen : n-1], true
}

// decodeWifi returns what is to be joined; the password is a part of data.
func decodeWifi(data []byte) (ssid wifi.SSID, password []byte, ok bool) {
	name, rest, ok := cutString(data)
	if !ok {
		return "", nil, false
	}
	password, rest, ok = cutString(rest)
	if !ok || len(rest) > 0 || len(name) == 0 || len(name) > wifi.MaxSSIDLen ||
		len(password) > wifi.RawPSKLen {
		return "", nil, false
	}
	return wifi.SSID(name), password, true
}

// cutString returns the string that data begins with, after its length, and what follows.
func cutString(data []byte) (s, rest []byte, ok bool) {
	if len(data) == 0 || len(data) < 1+int(data[0]) {
		return nil, nil, false
	}
	n := 1 + int(data[0])
	return data[1:n], data[n:], true
}

// decodeName returns the name that is to be set, empty if the name is only asked for. The
// specification has the name alone; Home Assistant's client puts its length before it.
func decodeName(data []byte) string {
	if name, rest, ok := cutString(data); ok && len(rest) == 0 {
		return string(name)
	}
	return string(data)
}

// encode returns the packet of a result. Strings are cut to what a client can read; those
// that no longer fit are left out.
func encode(command Command, strings ...string) []byte {
	packet := []byte{byte(command), 0}
	for _, s := range strings {
		s = s[:min(len(s), maxString)]
		if len(packet)+1+len(s) > headerLen+maxData {
			break
		}
		packet = append(append(packet, byte(len(s))), s...)
	}
	packet[1] = byte(len(packet) - headerLen)
	return append(packet, checksum(packet))
}

// encodeScan returns the result of a scan in at most limit bytes: SSID, signal in dBm and
// authentication of each network that Improv can name and the gateway can join.
func encodeScan(found []wifi.Offer, limit int) []byte {
	var strings []string
	size := headerLen + 1
	for _, o := range found {
		if !o.Joinable || !utf8.ValidString(string(o.SSID)) {
			continue
		}
		triplet := []string{string(o.SSID), strconv.Itoa(o.SignalDBm), authentication(o.Security)}
		for _, s := range triplet {
			size += 1 + len(s)
		}
		if size > limit {
			break
		}
		strings = append(strings, triplet...)
	}
	return encode(CommandScan, strings...)
}

// authentication returns the specification's word for what a network offers.
func authentication(s wifi.Security) string {
	switch s {
	case wifi.Open:
		return "NO"
	case wifi.WPA3SAE:
		return "WPA3"
	case wifi.WPAAutoPersonal:
		return "WPA2/WPA3"
	case wifi.AutoDetect: // what none of the others joins is WPA, or of fast transition alone
		return "WPA/WPA2"
	}
	return "WPA2"
}

// Device is what the gateway is.
type Device struct {
	Name    string // that it advertises
	Model   string // of the board; empty: not known
	Version string // of the daemon
}

// maxText bounds what is told of the device, in bytes: all of it fits into a result.
const maxText = 48

// encode returns the result of the command: exactly these four, which clients count.
func (d Device) encode() []byte {
	if d.Model == "" {
		d.Model = "Linux"
	}
	return encode(CommandDevice, "wifiprovd", profile.Printable(d.Version, maxText),
		profile.Printable(d.Model, maxText), profile.Printable(d.Name, maxText))
}
