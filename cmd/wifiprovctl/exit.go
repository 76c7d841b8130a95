package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/control"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// The exit statuses.
const (
	exitOK            = 0
	exitError         = 1
	exitUsage         = 2
	exitWrongPassword = 3
	exitNotFound      = 4
	exitNoGateway     = 5
	exitPairing       = 6
	exitBusy          = 7
	exitTimedOut      = 8
	exitFailed        = 9
	exitNotRunning    = 10
)

const exitHelp = `Exit status:
  0  done; for provision: the gateway is CONNECTED, and has an address if it tells;
     for doctor: nothing is wrong
  1  another error; for doctor: something is wrong
  2  a mistake on the command line
  3  the network does not accept the password
  4  the gateway does not hear the network
  5  no gateway nearby
  6  the gateway and this machine could not pair
  7  the gateway is busy with another phone
  8  timed out
  9  the gateway could not join for another reason, or got no address
  10  for status, open and close: wifiprovd does not run on this machine
`

// joinError means that the gateway's status is FAILED, or that it is CONNECTED to a network that is
// of no use to it.
type joinError struct {
	reason    wifi.Failure
	connected bool
}

func (e *joinError) Error() string {
	if e.connected {
		return "the gateway is CONNECTED, but " + inWords(e.reason)
	}
	return "the gateway could not join: " + inWords(e.reason)
}

// inWords explains a reason, and what to do about it.
func inWords(reason wifi.Failure) string {
	switch reason {
	case wifi.FailureWrongPassword:
		return "the network does not accept the password. Check it and try again."
	case wifi.FailureNotFound:
		return "it does not hear the network. Check the name, and that the access point is on and near it."
	case wifi.FailureRefused:
		return "the access point refused it. Look there for a list of allowed devices or a limit of stations."
	case wifi.FailureSecurityNotOffered:
		return "the network does not offer that security type. Try --security auto."
	case wifi.FailureNoAddress:
		return "the network gave it no address. Look at the network's DHCP server, and on the gateway at 'networkctl status'."
	case wifi.FailureTimedOut:
		return "it took too long. Try again, nearer to the access point."
	case wifi.FailureHardware:
		return "its Wi-Fi is missing or blocked; for want of a country, tell it one: --country. On the gateway: 'rfkill unblock wifi', and 'journalctl -u wifiprovd'."
	case wifi.FailureInvalidCredentials:
		return "no network can have this password with this security type. Check both."
	case wifi.FailureInternal:
		return "something failed inside of it. On the gateway: 'journalctl -u wifiprovd'."
	}
	return "it does not say why. On the gateway: 'journalctl -u wifiprovd'."
}

// hint is an error with advice.
type hint struct {
	error
	advice string
}

func (h *hint) Error() string { return h.error.Error() + ". " + h.advice }
func (h *hint) Unwrap() error { return h.error }

// report prints err, if there is one, and returns its exit status.
func report(stderr io.Writer, err error) int {
	var usage usageError
	switch {
	case errors.As(err, &usage): // may have several lines, all of them our own
		fmt.Fprintf(stderr, "wifiprovctl: %v\n", err)
	case err != nil:
		fmt.Fprintf(stderr, "wifiprovctl: %s\n", printable(err.Error()))
	}
	return exitStatus(err)
}

func exitStatus(err error) int {
	var (
		usage   usageError
		join    *joinError
		pairing *central.PairingError
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &join):
		return joinStatus(join.reason)
	case errors.Is(err, control.ErrNotRunning):
		return exitNotRunning
	case errors.Is(err, errNoGateway):
		return exitNoGateway
	case errors.As(err, &pairing), errors.Is(err, central.ATTNotPaired), errors.Is(err, errBond):
		return exitPairing
	case errors.Is(err, central.ATTInProgress):
		return exitBusy
	case errors.Is(err, context.DeadlineExceeded):
		return exitTimedOut
	}
	return exitError
}

func joinStatus(reason wifi.Failure) int {
	switch reason {
	case wifi.FailureWrongPassword:
		return exitWrongPassword
	case wifi.FailureNotFound:
		return exitNotFound
	case wifi.FailureTimedOut:
		return exitTimedOut
	}
	return exitFailed
}
