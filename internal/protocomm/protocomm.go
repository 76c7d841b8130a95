// Package protocomm is what goes over the air in Espressif's provisioning protocol, for both
// sides: the names of the attributes, the messages (protobuf, by hand: there are few), and the
// encryption of Security 2. It knows neither a gateway nor BlueZ. docs/protocol.md says what of
// the protocol is spoken.
package protocomm

import "fmt"

// MaxMessage is the longest message in bytes: an attribute holds no more (Bluetooth Core 5.4,
// Vol 3, Part F, 3.2.9).
const MaxMessage = 512

// DefaultUser is the user name that Espressif's apps take unless they are told another one.
const DefaultUser = "wifiprov"

// ServiceUUID is that of the example which nearly every device is made from.
const ServiceUUID = "021a9004-0382-4aea-bff4-6b3f1c5adfb4"

// Endpoint is a characteristic of the service. Clients tell them apart by the name in the
// descriptor DescriptionUUID, not by the UUID.
type Endpoint string

// The endpoints, by their names.
const (
	Control Endpoint = "prov-ctrl"
	Scan    Endpoint = "prov-scan"
	Session Endpoint = "prov-session"
	Config  Endpoint = "prov-config"
	Version Endpoint = "proto-ver"
	Custom  Endpoint = "custom-data" // bytes of the device's own, both ways
)

// Endpoints are all there are, in the order of their handles: those of Espressif's devices. A
// further one goes to the end.
var Endpoints = []Endpoint{Control, Scan, Session, Config, Version, Custom}

// DescriptionUUID is the Characteristic User Description.
const DescriptionUUID = "00002901-0000-1000-8000-00805f9b34fb"

// firstEndpoint is the number of Endpoints[0], in the UUID in place of the service's 9004.
const firstEndpoint = 0xff4f

// UUID returns the UUID of the endpoint's characteristic.
func (e Endpoint) UUID() string {
	for i, known := range Endpoints {
		if e == known {
			return fmt.Sprintf("021a%04x%s", firstEndpoint+i, ServiceUUID[8:])
		}
	}
	return ""
}

// What Version answers: Security 2 with counted nonces. A device may add members of its own, which
// Espressif's clients leave alone (wifi_prov_mgr_set_app_info of ESP-IDF): ours says that phones get
// in by no other service. docs/protocol.md has both.
const (
	Capabilities     = `{"prov":` + prov + `}`
	CapabilitiesOnly = `{"prov":` + prov + `,"wifiprovd":{"ver":"v1.0","cap":["code_only"]}}`

	prov = `{"ver":"v1.1","sec_ver":2,"sec_patch_ver":1,"cap":["wifi_prov","wifi_scan"]}`
)

// Result is how a request has ended.
type Result uint64

// The results there are names for.
const (
	Success         Result = 0
	InvalidArgument Result = 4
	InternalError   Result = 5
)
