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
	addressTimeout = time.Minute // a gateway reports no-address after half of it by default
	addressEvery   = time.Second
)

// provision gives the gateway credentials and follows it until it is FAILED, or CONNECTED with an
// address. Without --ssid the user chooses from the networks that the gateway hears.
func provision(ctx context.Context, j *job) error {
	var credentials wifi.Credentials
	defer func() { credentials.Wipe() }()
	secret, err := j.labelCode(ctx)
	defer clear(secret)
	switch {
	case err != nil:
		return err
	case j.ssid != "":
		if credentials, err = j.credentials(ctx); err != nil {
			return err
		}
	case j.askPassword == nil:
		return usagef("provision needs --ssid: standard input is no terminal on which to choose a network")
	}
	if secret != nil {
		return j.provisionByCode(ctx, secret, &credentials)
	}
	return j.withGateway(ctx, func(ctx context.Context, _ *central.Central, s *central.Session, _ string) error {
		if err := j.tellCountry(ctx, s); err != nil {
			return err
		}
		if j.ssid == "" {
			if err := j.choose(ctx, s.LookAround); err != nil {
				return err
			}
			if credentials, err = j.credentials(ctx); err != nil {
				return err
			}
		}
		statuses, err := j.write(ctx, s, credentials)
		if errors.Is(err, central.ATTWriteNotPermitted) {
			return &hint{err, "Nobody may provision it now, or it asks for the code on its label: --code."}
		}
		if err != nil {
			return err
		}
		if err := j.follow(ctx, s, statuses); err != nil {
			return err
		}
		return j.awaitAddress(ctx, s)
	})
}

// credentials returns what the options and the user gave, validated, so that a mistake costs no
// attempt.
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

// tellCountry tells the gateway where it is, before it looks for networks.
func (j *job) tellCountry(ctx context.Context, s *central.Session) error {
	if j.country == "" {
		return nil
	}
	j.screen.doing("writing country %s", j.country)
	switch err := s.WriteCountry(ctx, j.country); {
	case errors.Is(err, central.ErrNoCharacteristic):
		return &hint{err, "This gateway takes no country from a phone: leave --country out."}
	case errors.Is(err, central.ATTConfiguredCountry):
		return &hint{err, "Its configuration names another country (wifi.country): leave --country out."}
	case err != nil:
		return err
	}
	j.screen.step("wrote country %s", j.country)
	return nil
}

// write stages the credentials, writes CONNECT, and returns the statuses from then on: earlier
// ones are not of this attempt.
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

// follow shows the gateway's statuses after CONNECT and returns how the attempt ended. A gateway
// that joins shows CONNECTING first: a CONNECTED before that is older than the command. FAILED may
// come at once, for credentials that no network can have.
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

// awaitAddress waits for the gateway's address and shows it. It does not wait for a gateway that
// cannot tell its address.
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
		if failure := reason(ctx, s); failure != wifi.FailureNone {
			return &joinError{reason: failure, connected: true}
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

// reason reads why the attempt failed. A gateway that does not tell gives wifi.FailureNone.
func reason(ctx context.Context, s *central.Session) wifi.Failure {
	reason, err := s.ReadReason(ctx)
	if err != nil {
		return wifi.FailureNone
	}
	return reason
}

// lostOr is the error of a wait for the gateway: ctx has ended, or else the connection was lost.
func lostOr(ctx context.Context) error {
	if ctx.Err() != nil {
		return fmt.Errorf("wait for the gateway: %w", ctx.Err())
	}
	return &hint{errors.New("the connection to the gateway was lost"), "It may go on without: see 'wifiprovctl watch'."}
}
