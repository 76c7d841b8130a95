package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const (
	addressTimeout = time.Minute // a gateway gives up after half of it by default
	addressEvery   = time.Second
)

// provision gives the gateway credentials and follows it until it is FAILED, or
// CONNECTED and has an address. Without --ssid the network is chosen from those
// that the gateway hears.
func provision(ctx context.Context, j *job) error {
	var credentials wifi.Credentials
	defer func() { credentials.Wipe() }()
	var err error
	switch {
	case j.ssid != "":
		if credentials, err = j.credentials(ctx); err != nil {
			return err
		}
	case j.askPassword == nil:
		return usagef("provision needs --ssid: standard input is no terminal on which to choose a network")
	}
	return j.withGateway(ctx, func(ctx context.Context, _ *central.Central, s *central.Session, _ string) error {
		if j.ssid == "" {
			if err := j.choose(ctx, s); err != nil {
				return err
			}
			if credentials, err = j.credentials(ctx); err != nil {
				return err
			}
		}
		statuses, err := j.write(ctx, s, credentials)
		if err != nil {
			return err
		}
		if err := j.follow(ctx, s, statuses); err != nil {
			return err
		}
		return j.awaitAddress(ctx, s)
	})
}

// credentials returns what the options and the user say, if some network can have
// them.
func (j *job) credentials(ctx context.Context) (wifi.Credentials, error) {
	password, err := j.password(ctx)
	if err != nil {
		return wifi.Credentials{}, err
	}
	c := wifi.Credentials{SSID: wifi.SSID(j.ssid), Passphrase: password, Security: j.security}
	if err := c.Validate(); err != nil {
		c.Wipe()
		return wifi.Credentials{}, usageError{err}
	}
	return c, nil
}

// write stages the credentials, gives the command to use them, and returns the
// statuses from then on: those before are not of this attempt.
func (j *job) write(ctx context.Context, s *central.Session, c wifi.Credentials) (statuses <-chan central.Status, err error) {
	steps := []struct {
		done  string
		write func() error
	}{
		{"network " + j.screen.quote(string(c.SSID)), func() error { return s.WriteSSID(ctx, c.SSID) }},
		{"password", func() error { return s.WritePassword(ctx, c.Passphrase) }},
		{"security " + c.Security.String(), func() error { return s.WriteSecurity(ctx, c.Security) }},
		{"CONNECT", func() error {
			if statuses, err = s.WatchStatus(ctx); err != nil {
				return err
			}
			return s.WriteControl(ctx, central.ControlConnect)
		}},
	}
	for _, step := range steps {
		j.screen.doing("writing %s", step.done)
		if err := step.write(); err != nil {
			return nil, err
		}
		j.screen.step("wrote %s", step.done)
	}
	return statuses, nil
}

// follow shows what the gateway does about CONNECT and returns how it ended. A
// gateway that joins says CONNECTING first; what it said before that is older
// than the command. Credentials that cannot be right are FAILED at once.
func (j *job) follow(ctx context.Context, s *central.Session, statuses <-chan central.Status) error {
	connecting := false
	for {
		j.screen.doing("waiting for the gateway to join")
		var status central.Status
		select {
		case next, ok := <-statuses:
			if !ok {
				return lostOr(ctx)
			}
			status = next
		case <-ctx.Done():
			return lostOr(ctx)
		}
		j.screen.step("%s", status)
		switch status {
		case central.StatusConnecting:
			connecting = true
		case central.StatusConnected:
			if connecting {
				return nil
			}
		case central.StatusFailed:
			return &joinError{reason: reason(ctx, s)}
		}
	}
}

// awaitAddress waits for the gateway's address and shows it. A gateway that does not
// tell it is done.
func (j *job) awaitAddress(ctx context.Context, s *central.Session) error {
	ctx, cancel := context.WithTimeout(ctx, addressTimeout)
	defer cancel()
	for {
		j.screen.doing("waiting for the gateway's address")
		n, err := s.ReadNetwork(ctx)
		switch {
		case errors.Is(err, central.ErrNoCharacteristic):
			j.screen.step("this gateway does not tell its address")
			return nil
		case err != nil:
			return err
		case n.IPv4.IsValid():
			j.screen.step("the gateway's address is %s", n.IPv4)
			return nil
		case n.IPv6.IsValid():
			j.screen.step("the gateway's address is %s", n.IPv6)
			return nil
		}
		if why := reason(ctx, s); why != wifi.FailureNone {
			return &joinError{reason: why, connected: true}
		}
		select {
		case <-time.After(addressEvery):
		case <-s.Lost():
			return lostOr(ctx)
		case <-ctx.Done():
			return fmt.Errorf("the gateway is CONNECTED, but has no address yet: %w", ctx.Err())
		}
	}
}

// reason asks why the attempt failed. A gateway that does not tell gives
// wifi.FailureNone.
func reason(ctx context.Context, s *central.Session) wifi.Failure {
	reason, err := s.ReadReason(ctx)
	if err != nil {
		return wifi.FailureNone
	}
	return reason
}

// lostOr says why there are no more statuses.
func lostOr(ctx context.Context) error {
	if ctx.Err() != nil {
		return fmt.Errorf("wait for the gateway: %w", ctx.Err())
	}
	return &hint{errors.New("the connection to the gateway was lost"), "It may go on without: see 'wifiprovctl watch'."}
}
