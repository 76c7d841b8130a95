// Package wifi holds the domain types that every other package shares: what a
// network is called, what its secret is, how it is protected, and why joining
// it failed. It imports nothing of this project.
package wifi

import (
	"fmt"
	"strconv"
)

// MaxSSIDLen is the longest SSID in bytes (IEEE 802.11-2020, 9.4.2.2).
const MaxSSIDLen = 32

// SSID is a network's name: 1 to 32 arbitrary bytes, not necessarily UTF-8.
type SSID string

// String returns the SSID quoted, with everything escaped that could deceive a
// terminal or a log reader. Use string(s) for the bytes.
func (s SSID) String() string { return strconv.Quote(string(s)) }

// Security is how a network is protected. The values are those of Zephyr's enum
// wifi_security_type, which is what a phone writes.
type Security byte

// The security types a phone may ask for.
const (
	Open            Security = 0
	WPA2PSK         Security = 1
	WPA2PSKSHA256   Security = 2
	WPA3SAE         Security = 3
	WPAAutoPersonal Security = 6    // WPA2/WPA3 transition
	AutoDetect      Security = 0xFF // open without a password, else what the access point offers
)

// securityNames are also what configuration, store and command line use.
var securityNames = map[Security]string{
	Open:            "open",
	WPA2PSK:         "wpa2",
	WPA2PSKSHA256:   "wpa2-sha256",
	WPA3SAE:         "wpa3",
	WPAAutoPersonal: "transition",
	AutoDetect:      "auto",
}

// Valid reports whether s is one of the defined security types.
func (s Security) Valid() bool { _, ok := securityNames[s]; return ok }

// String returns the name ParseSecurity takes.
func (s Security) String() string {
	if name, ok := securityNames[s]; ok {
		return name
	}
	return fmt.Sprintf("unknown (0x%02x)", byte(s))
}

// ParseSecurity returns the type called name: open, wpa2, wpa2-sha256, wpa3,
// transition or auto.
func ParseSecurity(name string) (Security, error) {
	for s, n := range securityNames {
		if n == name {
			return s, nil
		}
	}
	return 0, fmt.Errorf("unknown security type %q; use open, wpa2, wpa2-sha256, wpa3, transition or auto", name)
}

// AKM is the authentication and key management that a network was joined with. It
// has the names that phones and programs read, whatever the back-end calls it.
type AKM string

// The AKMs there are names for. A back-end passes on what it knows of others.
const (
	AKMNone      AKM = "NONE" // an open network
	AKMWPAPSK    AKM = "WPA-PSK"
	AKMPSK       AKM = "WPA2-PSK"
	AKMPSKSHA256 AKM = "WPA2-PSK-SHA256"
	AKMSAE       AKM = "SAE"    // WPA3
	AKMFTPSK     AKM = "FT-PSK" // WPA2 with fast transition (802.11r)
	AKMFTSAE     AKM = "FT-SAE" // WPA3 with it
)

// SAE reports whether a is WPA3.
func (a AKM) SAE() bool { return a == AKMSAE || a == AKMFTSAE }

// Network is an access point's BSS that the gateway has joined.
type Network struct {
	SSID         SSID
	BSSID        string // aa:bb:cc:dd:ee:ff
	FrequencyMHz int
	SignalDBm    int
	AKM          AKM
	SAE          SAERecord // with this join
}

// Hint returns where to look for n the next time.
func (n Network) Hint() Hint { return Hint{n.BSSID, n.FrequencyMHz, n.SAE} }

// Offer is a network that can be heard.
type Offer struct {
	SSID      SSID
	SignalDBm int      // of its strongest access point
	Security  Security // to ask for; AutoDetect where nothing else joins it
	Joinable  bool     // false: it takes more than a password (WEP, a user name)
	Several   bool     // more than one access point has this name
}
