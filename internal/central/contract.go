package central

import (
	"context"
	"fmt"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// The services and their characteristics (docs/protocol.md). They are repeated here on purpose:
// this package is a phone, and a phone knows the contract, not the daemon's code.
const (
	ServiceUUID  = "8b840001-f6fa-4e33-9a0c-e14d9f35f201"
	SSIDUUID     = "8b840002-f6fa-4e33-9a0c-e14d9f35f201"
	PasswordUUID = "8b840003-f6fa-4e33-9a0c-e14d9f35f201"
	SecurityUUID = "8b840004-f6fa-4e33-9a0c-e14d9f35f201"
	ControlUUID  = "8b840005-f6fa-4e33-9a0c-e14d9f35f201"
	StatusUUID   = "8b840006-f6fa-4e33-9a0c-e14d9f35f201"

	DetailsServiceUUID = "8b840100-f6fa-4e33-9a0c-e14d9f35f201"
	ReasonUUID         = "8b840101-f6fa-4e33-9a0c-e14d9f35f201"
	NetworkUUID        = "8b840102-f6fa-4e33-9a0c-e14d9f35f201"
	ScanUUID           = "8b840103-f6fa-4e33-9a0c-e14d9f35f201"
	ScanPageUUID       = "8b840104-f6fa-4e33-9a0c-e14d9f35f201"
	DeviceUUID         = "8b840105-f6fa-4e33-9a0c-e14d9f35f201"
	CountryUUID        = "8b840106-f6fa-4e33-9a0c-e14d9f35f201"
	CustomUUID         = "8b840107-f6fa-4e33-9a0c-e14d9f35f201"
)

// characteristicNames are the contract's, for error texts.
var characteristicNames = map[string]string{
	SSIDUUID: "SSID", PasswordUUID: "Password", SecurityUUID: "Security",
	ControlUUID: "Control", StatusUUID: "Status", ReasonUUID: "Reason",
	NetworkUUID: "Network", ScanUUID: "Scan", ScanPageUUID: "Scan page", DeviceUUID: "Device", CountryUUID: "Country",
	CustomUUID: "Custom",
}

func characteristicName(uuid string) string {
	if name, ok := characteristicNames[uuid]; ok {
		return name
	}
	return uuid
}

// Control is a command to the gateway.
type Control byte

// The commands there are.
const (
	ControlConnect Control = 1
	ControlErase   Control = 2
)

// Status is the gateway's status.
type Status byte

// The statuses there are.
const (
	StatusIdle        Status = 0
	StatusProvisioned Status = 1
	StatusConnecting  Status = 2
	StatusConnected   Status = 3
	StatusFailed      Status = 4

	// StatusMalformed stands for a value that is not one byte long.
	StatusMalformed Status = 0xFF
)

// String returns the contract's name of the status.
func (s Status) String() string {
	names := [...]string{"IDLE", "PROVISIONED", "CONNECTING", "CONNECTED", "FAILED"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("unknown status %d", byte(s))
}

// WriteSSID stages the network's name.
func (s *Session) WriteSSID(ctx context.Context, ssid wifi.SSID) error {
	return s.Write(ctx, SSIDUUID, []byte(ssid))
}

// WritePassword stages the network's secret.
func (s *Session) WritePassword(ctx context.Context, p wifi.Passphrase) error {
	return s.Write(ctx, PasswordUUID, p.Bytes())
}

// WriteSecurity stages the network's security type.
func (s *Session) WriteSecurity(ctx context.Context, security wifi.Security) error {
	return s.Write(ctx, SecurityUUID, []byte{byte(security)})
}

// WriteControl gives a command. A nil error means that the gateway has accepted it, not that it has
// carried it out.
func (s *Session) WriteControl(ctx context.Context, c Control) error {
	return s.Write(ctx, ControlUUID, []byte{byte(c)})
}

// WriteCountry tells the gateway where it is. A gateway without the characteristic gives
// ErrNoCharacteristic.
func (s *Session) WriteCountry(ctx context.Context, c wifi.Country) error {
	return s.Write(ctx, CountryUUID, []byte(c))
}

// ReadStatus reads the gateway's status.
func (s *Session) ReadStatus(ctx context.Context) (Status, error) {
	value, err := s.Read(ctx, StatusUUID)
	if err != nil {
		return StatusMalformed, err
	}
	return statusOf(value), nil
}

// ReadReason reads why the gateway's last attempt failed. A gateway without the characteristic
// gives ErrNoCharacteristic.
func (s *Session) ReadReason(ctx context.Context) (wifi.Failure, error) {
	value, err := s.Read(ctx, ReasonUUID)
	if err != nil {
		return wifi.FailureInternal, err
	}
	if len(value) != 1 {
		return wifi.FailureInternal, fmt.Errorf("read the reason: %d bytes instead of 1", len(value))
	}
	return wifi.Failure(value[0]), nil
}

// WatchStatus is Watch for the status.
func (s *Session) WatchStatus(ctx context.Context) (<-chan Status, error) {
	values, err := s.Watch(ctx, StatusUUID)
	if err != nil {
		return nil, err
	}
	statuses := make(chan Status)
	go func() {
		defer close(statuses)
		for value := range values {
			select {
			case statuses <- statusOf(value):
			case <-ctx.Done():
				return
			}
		}
	}()
	return statuses, nil
}

func statusOf(value []byte) Status {
	if len(value) != 1 {
		return StatusMalformed
	}
	return Status(value[0])
}
