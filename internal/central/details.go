package central

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// The values of Scan and of the records on its pages.
const (
	scanStart     = 0x01
	scanDone      = 2
	scanFailed    = 3
	securityOther = 0xFE
	flagJoined    = 1
	flagSeveral   = 2
)

const (
	scanTimeout = 40 * time.Second // the gateway may finish an attempt to join first
	maxPages    = 256              // a page's number is one byte
)

// ErrScanFailed means that the gateway could not scan for networks.
var ErrScanFailed = errors.New("the gateway could not look for networks; on the gateway: journalctl -u wifiprovd")

// Heard is a network that the gateway hears.
type Heard struct {
	wifi.Offer
	Joined bool // the gateway is connected to it
}

// LookAround makes the gateway scan for networks and returns those that it hears, strongest first.
// If it scans for another phone already, this phone gets the same result.
func (s *Session) LookAround(ctx context.Context) ([]Heard, error) {
	ctx, cancel := context.WithTimeout(ctx, scanTimeout)
	defer cancel()
	states, err := s.Watch(ctx, ScanUUID)
	if err != nil {
		return nil, err
	}
	if err := s.Write(ctx, ScanUUID, []byte{scanStart}); err != nil && !errors.Is(err, ATTInProgress) {
		return nil, err
	}
	for {
		select {
		case state, ok := <-states:
			switch {
			case !ok && ctx.Err() == nil:
				return nil, ErrNotConnected
			case len(state) == 2 && state[0] == scanDone:
				return s.readPages(ctx, int(state[1]))
			case len(state) == 2 && state[0] == scanFailed:
				return nil, ErrScanFailed
			}
		case <-ctx.Done():
			return nil, timedOut(ctx, "wait for the gateway's scan")
		}
	}
}

// readPages reads count records, or as many as there are.
func (s *Session) readPages(ctx context.Context, count int) ([]Heard, error) {
	var all []Heard
	for page := 0; len(all) < count && page < maxPages; page++ {
		if err := s.Write(ctx, ScanPageUUID, []byte{byte(page)}); err != nil {
			return nil, err
		}
		value, err := s.Read(ctx, ScanPageUUID)
		if err != nil {
			return nil, err
		}
		if len(value) == 0 {
			break
		}
		records, err := parseRecords(value)
		if err != nil {
			return nil, fmt.Errorf("read scan page %d: %w", page, err)
		}
		all = append(all, records...)
	}
	return all, nil
}

// parseRecords parses one page.
func parseRecords(page []byte) ([]Heard, error) {
	var records []Heard
	for len(page) > 0 {
		if len(page) < 4 || page[3] == 0 || int(page[3]) > wifi.MaxSSIDLen || len(page) < 4+int(page[3]) {
			return nil, fmt.Errorf("record %d is malformed", len(records))
		}
		end := 4 + int(page[3])
		h := Heard{Joined: page[2]&flagJoined != 0}
		h.SSID, h.SignalDBm, h.Several = wifi.SSID(page[4:end]), int(int8(page[0])), page[2]&flagSeveral != 0
		h.Security, h.Joinable = wifi.Security(page[1]), page[1] != securityOther
		if !h.Security.Valid() {
			h.Security = wifi.AutoDetect
		}
		records = append(records, h)
		page = page[end:]
	}
	return records, nil
}

// Network is the network that the gateway has joined, as far as it tells.
type Network struct {
	SSID                wifi.SSID // empty: none
	IPv4, IPv6, Gateway netip.Addr
}

// ReadNetwork reads which network the gateway has joined. A gateway without the characteristic
// gives ErrNoCharacteristic.
func (s *Session) ReadNetwork(ctx context.Context) (Network, error) {
	value, err := s.Read(ctx, NetworkUUID)
	if err != nil {
		return Network{}, err
	}
	return parseNetwork(value)
}

func parseNetwork(value []byte) (Network, error) {
	var fields struct {
		SSID    string     `json:"ssid"`
		SSIDHex string     `json:"ssid_hex"`
		IPv4    netip.Addr `json:"ipv4"`
		IPv6    netip.Addr `json:"ipv6"`
		Gateway netip.Addr `json:"gateway"`
	}
	if err := json.Unmarshal(value, &fields); err != nil {
		return Network{}, fmt.Errorf("read the network: %w", err)
	}
	if fields.SSIDHex != "" {
		raw, err := hex.DecodeString(fields.SSIDHex)
		if err != nil {
			return Network{}, fmt.Errorf("read the network: %w", err)
		}
		fields.SSID = string(raw)
	}
	if fields.IPv4.IsValid() && !fields.IPv4.Is4() {
		return Network{}, errors.New("read the network: invalid IPv4 address")
	}
	// A zone may hold any bytes, and it would be shown on a terminal.
	return Network{wifi.SSID(fields.SSID), fields.IPv4, fields.IPv6.WithZone(""), fields.Gateway.WithZone("")}, nil
}
