package central

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

// Errors to tell apart, beside ATTError and PairingError.
var (
	ErrNoAdapter        = errors.New("there is no such Bluetooth adapter")
	ErrUnknownDevice    = errors.New("no device with that address was heard")
	ErrNotConnected     = errors.New("not connected to the gateway")
	ErrNoCharacteristic = errors.New("the gateway has no such characteristic")
	ErrInProgress       = errors.New("another operation on it is in progress")
	ErrBlueZGone        = errors.New("bluetoothd is not running")
)

// ATTError is the code of an ATT error response (Bluetooth Core Specification,
// volume 3, part F, 3.4.1.1).
type ATTError byte

// The codes that the contract uses.
const (
	ATTReadNotPermitted  ATTError = 0x02
	ATTWriteNotPermitted ATTError = 0x03
	// ATTNotPaired stands for 0x05, 0x0C and 0x0F: BlueZ makes one error of them.
	ATTNotPaired          ATTError = 0x05
	ATTNotSupported       ATTError = 0x06
	ATTInvalidOffset      ATTError = 0x07
	ATTNotAuthorized      ATTError = 0x08
	ATTInvalidValueLength ATTError = 0x0D
	ATTUnlikely           ATTError = 0x0E
	ATTBadSecurity        ATTError = 0x81 // application error: no such security type
	ATTBadControl         ATTError = 0x82 // application error: no such command
	ATTUnknownCountry     ATTError = 0x84 // application error: not the code of a country
	ATTConfiguredCountry  ATTError = 0x85 // application error: another country is configured
	ATTInProgress         ATTError = 0xFE
)

var attNames = map[ATTError]string{
	ATTReadNotPermitted:   "read not permitted",
	ATTWriteNotPermitted:  "write not permitted",
	ATTNotPaired:          "not paired",
	ATTNotSupported:       "request not supported",
	ATTInvalidOffset:      "invalid offset",
	ATTNotAuthorized:      "not authorized",
	ATTInvalidValueLength: "invalid value length",
	ATTUnlikely:           "unlikely error",
	ATTBadSecurity:        "no such security type",
	ATTBadControl:         "no such command",
	ATTUnknownCountry:     "no such country",
	ATTConfiguredCountry:  "another country is configured",
	ATTInProgress:         "busy with another phone",
}

func (e ATTError) Error() string {
	name, ok := attNames[e]
	if !ok {
		name = "error"
	}
	return fmt.Sprintf("the gateway answered: %s (0x%02x)", name, byte(e))
}

// PairingError means that the gateway and this machine could not pair.
type PairingError struct {
	// Reason is BlueZ's: AuthenticationFailed, AuthenticationRejected, AuthenticationCanceled,
	// AuthenticationTimeout.
	Reason string
	Asked  bool // for the passkey
}

func (e *PairingError) Error() string {
	if e.Asked {
		return "pairing failed after the passkey was given: " + e.Reason
	}
	return "pairing was refused: " + e.Reason
}

const bluezErrors = "org.bluez.Error."

// attText begins the text of an ATT error for which BlueZ has no D-Bus error of its own.
const attText = "Operation failed with ATT error: 0x"

// attErrors maps BlueZ's errors back to the gateway's answers. BlueZ's client passes on only a
// D-Bus error name and a text (BlueZ 5.66 and 5.82, src/gatt-client.c, create_gatt_dbus_error);
// the text is the one place where the codes differ.
var attErrors = map[string]ATTError{
	"NotPermitted: Read not permitted":  ATTReadNotPermitted,
	"NotPermitted: Write not permitted": ATTWriteNotPermitted,
	"NotPermitted: Not paired":          ATTNotPaired,
	"InvalidArguments: Invalid offset":  ATTInvalidOffset,
	"InvalidArguments: Invalid Length":  ATTInvalidValueLength,
}

// fromBlueZ turns the error of a call to BlueZ into one of this package.
func fromBlueZ(err error) error {
	var e dbus.Error
	switch {
	case msgbus.Unanswered(err):
		return fmt.Errorf("no answer in time: %w", err)
	case !errors.As(err, &e):
		return err
	}
	text := ""
	if len(e.Body) > 0 {
		text, _ = e.Body[0].(string)
	}
	name := strings.TrimPrefix(e.Name, bluezErrors)
	if code, ok := attErrors[name+": "+text]; ok {
		return code
	}
	if digits, ok := strings.CutPrefix(text, attText); ok {
		if code, err := strconv.ParseUint(digits, 16, 8); err == nil {
			return ATTError(code)
		}
	}
	detail := fmt.Errorf("%s: %s", name, text)
	switch name {
	case "NotSupported":
		return ATTNotSupported
	case "NotAuthorized":
		return ATTNotAuthorized
	case "InProgress":
		return ErrInProgress
	case "NotConnected", msgbus.ErrorPrefix + "UnknownObject", msgbus.ErrorPrefix + "UnknownMethod":
		return fmt.Errorf("%w (%w)", ErrNotConnected, detail)
	case msgbus.ErrorPrefix + "ServiceUnknown", msgbus.ErrorPrefix + "NoReply",
		msgbus.ErrorPrefix + "NameHasNoOwner":
		return ErrBlueZGone
	case "Failed":
		if text == "Not connected" {
			return ErrNotConnected
		}
	}
	return detail
}

// bluezErrorName returns the name of BlueZ's error without its prefix org.bluez.Error.
func bluezErrorName(err error) string {
	return strings.TrimPrefix(msgbus.ErrorName(err), bluezErrors)
}

// timedOut is the error of a wait for what that ctx ended.
func timedOut(ctx context.Context, what string) error {
	return fmt.Errorf("%s: %w", what, ctx.Err())
}
