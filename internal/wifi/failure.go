package wifi

import (
	"errors"
	"fmt"
)

// Failure is why a network could not be joined. The values are what a phone
// reads.
type Failure uint8

// The reasons there are.
const (
	FailureNone               Failure = 0
	FailureWrongPassword      Failure = 1
	FailureNotFound           Failure = 2
	FailureRefused            Failure = 3 // by the access point
	FailureSecurityNotOffered Failure = 4
	FailureNoAddress          Failure = 5 // no DHCP lease
	FailureTimedOut           Failure = 6
	FailureHardware           Failure = 7 // radio blocked or missing, or wpa_supplicant missing
	FailureInvalidCredentials Failure = 8
	FailureInternal           Failure = 9
)

var failureNames = [...]string{
	FailureNone:               "none",
	FailureWrongPassword:      "wrong-password",
	FailureNotFound:           "not-found",
	FailureRefused:            "refused",
	FailureSecurityNotOffered: "security-not-offered",
	FailureNoAddress:          "no-address",
	FailureTimedOut:           "timed-out",
	FailureHardware:           "hardware",
	FailureInvalidCredentials: "invalid-credentials",
	FailureInternal:           "internal",
}

// String returns the failure's name as the journal field WIFIPROVD_REASON has it.
func (f Failure) String() string {
	if int(f) < len(failureNames) {
		return failureNames[f]
	}
	return fmt.Sprintf("unknown (%d)", uint8(f))
}

// Error is a failure to join a network.
type Error struct {
	Failure Failure
	Detail  string // for a person; may be empty
	Err     error  // the cause; may be nil
}

func (e *Error) Error() string {
	text := e.Failure.String()
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// FailureOf returns the failure that err carries: FailureNone for nil,
// FailureInternal for an error that carries none.
func FailureOf(err error) Failure {
	var e *Error
	switch {
	case err == nil:
		return FailureNone
	case errors.As(err, &e):
		return e.Failure
	}
	return FailureInternal
}
