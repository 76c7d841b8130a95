package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// provision gives the gateway credentials and follows it until it is CONNECTED
// or FAILED.
func provision(ctx context.Context, j *job) error {
	password, err := j.password(ctx)
	if err != nil {
		return err
	}
	credentials := wifi.Credentials{SSID: wifi.SSID(j.ssid), Passphrase: password, Security: j.security}
	defer credentials.Wipe()
	if err := credentials.Validate(); err != nil {
		return usageError{err}
	}
	return j.withGateway(ctx, func(ctx context.Context, _ *central.Central, s *central.Session, _ string) error {
		statuses, err := s.WatchStatus(ctx)
		if err != nil {
			return err
		}
		if err := j.write(ctx, s, credentials); err != nil {
			return err
		}
		return j.follow(ctx, s, statuses)
	})
}

// write stages the credentials and gives the command to use them.
func (j *job) write(ctx context.Context, s *central.Session, c wifi.Credentials) error {
	steps := []struct {
		done  string
		write func() error
	}{
		{"network " + j.screen.quote(string(c.SSID)), func() error { return s.WriteSSID(ctx, c.SSID) }},
		{"password", func() error { return s.WritePassword(ctx, c.Passphrase) }},
		{"security " + c.Security.String(), func() error { return s.WriteSecurity(ctx, c.Security) }},
		{"CONNECT", func() error { return s.WriteControl(ctx, central.ControlConnect) }},
	}
	for _, step := range steps {
		j.screen.doing("writing %s", step.done)
		if err := step.write(); err != nil {
			return err
		}
		j.screen.step("wrote %s", step.done)
	}
	return nil
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
			return &joinError{reason(ctx, s)}
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
