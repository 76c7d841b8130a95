// Package improv is the open standard Improv Wi-Fi over Bluetooth LE, version 2.4, as a phone
// protocol (https://www.improv-wifi.com/ble/). Home Assistant and its apps speak it, and so do
// browsers. docs/protocol.md says what of it there is.
package improv

import (
	"log/slog"
	"sync"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/profile"
)

// The service, its characteristics, and the service data that it advertises.
const (
	ServiceUUID      = "00467768-6228-2272-4663-277478268000"
	StateUUID        = "00467768-6228-2272-4663-277478268001"
	ErrorUUID        = "00467768-6228-2272-4663-277478268002"
	CommandUUID      = "00467768-6228-2272-4663-277478268003"
	ResultUUID       = "00467768-6228-2272-4663-277478268004"
	CapabilitiesUUID = "00467768-6228-2272-4663-277478268005"
	ServiceDataUUID  = "00004677-0000-1000-8000-00805f9b34fb"
)

// The bits of Capabilities.
const (
	CanIdentify byte = 1 << iota
	CanTellDevice
	CanScan
	CanHostname
)

// Config is what the protocol needs.
type Config struct {
	Control   gateway.Control
	Scans     *profile.Scanner
	Device    Device                        // its Name is what is advertised
	Pairing   gatt.Pairing                  // for the service
	URL       string                        // to open after provisioning, with AddressMark for the address; empty: none
	Authorize bool                          // a person has to open the door first
	Identify  func(gateway.Requester) error // has the gateway show which one it is; nil: it cannot
	Hosts     Hosts                         // nil: the host name is not told
	Log       *slog.Logger
}

// Profile is the protocol: it implements profile.Profile.
type Profile struct {
	cfg          Config
	capabilities byte
	services     []gatt.Service
	calls        *profile.PerCentral[call]
	progress     *progress

	mu         sync.Mutex
	scanning   map[gatt.Central]int // who waits for a scan, and how long a result may be
	naming     bool                 // the host name is being asked for or set
	identified time.Time            // when a phone asked for it last
}

// New returns the protocol. Until Changed is called, nothing is authorized.
func New(cfg Config) *Profile {
	calls := profile.NewPerCentral(maxCentrals, callTimeout, newCall, (*call).wipe)
	p := &Profile{
		cfg:          cfg,
		capabilities: CanTellDevice | CanScan,
		calls:        calls,
		progress: &progress{
			address: cfg.URL, authorize: cfg.Authorize, calls: calls,
			now: &gateway.Snapshot{}, state: AuthorizationRequired,
		},
		scanning: map[gatt.Central]int{},
	}
	if cfg.Identify != nil {
		p.capabilities |= CanIdentify
	}
	if cfg.Hosts != nil {
		p.capabilities |= CanHostname
	}
	cfg.Scans.Follow(p.scanned)
	p.services = []gatt.Service{p.declare()}
	return p
}

// declare returns the service. Phones cache the handles, which follow the order here.
func (p *Profile) declare() gatt.Service {
	list := []*gatt.Characteristic{
		{UUID: StateUUID, Read: p.readState, Notify: &p.progress.stateChanged},
		{UUID: ErrorUUID, Read: p.readError, Notify: &p.progress.errorChanged},
		{UUID: CommandUUID, Write: p.write},
		{UUID: ResultUUID, Read: p.readResult, Notify: &p.progress.resultChanged},
		{UUID: CapabilitiesUUID, Read: p.readCapabilities},
	}
	return gatt.Service{UUID: ServiceUUID, Pairing: p.cfg.Pairing, Characteristics: list}
}

// Services implements profile.Profile.
func (p *Profile) Services() []gatt.Service { return p.services }

// Adverts implements profile.Profile. With the flags, the UUID and the service data take all
// 31 bytes of a legacy advertisement, so the name goes to the scan response.
func (p *Profile) Adverts(*gateway.Snapshot) []gatt.Advert {
	state, _ := p.progress.shown()
	return []gatt.Advert{{
		ServiceUUIDs: []string{ServiceUUID},
		ServiceData:  map[string][]byte{ServiceDataUUID: {byte(state), p.capabilities, 0, 0, 0, 0}},
		Name:         p.cfg.Device.Name,
	}}
}

// Changed implements gateway.Observer: it is all that phones are told of the gateway's state,
// whichever protocol a change came by.
func (p *Profile) Changed(before, now *gateway.Snapshot) { p.progress.changed(before, now) }

// Gone implements profile.Profile: what c has written is wiped.
func (p *Profile) Gone(c gatt.Central) {
	p.calls.Drop(c)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.scanning, c)
}

func (p *Profile) readCapabilities(gatt.Request) ([]byte, error) {
	return []byte{p.capabilities}, nil
}

func (p *Profile) readState(gatt.Request) ([]byte, error) {
	state, _ := p.progress.shown()
	return []byte{byte(state)}, nil
}

func (p *Profile) readError(gatt.Request) ([]byte, error) {
	_, failure := p.progress.shown()
	return []byte{byte(failure)}, nil
}

// readResult answers with the result of the central's own latest command: a notification goes
// to every subscriber, and a small MTU cuts it.
func (p *Profile) readResult(r gatt.Request) (result []byte, _ error) {
	p.calls.Look(r.Central, func(c *call) { result = c.result })
	return result, nil
}
