package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/code"
	"github.com/wifiprovd/wifiprovd/internal/config"
	"github.com/wifiprovd/wifiprovd/internal/srp"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// askEvery is how often the gateway is asked how its attempt goes.
const askEvery = time.Second

// codeNew makes a new code for the gateway's label and shows it: it is kept nowhere.
func codeNew(_ context.Context, j *job) error {
	if !j.print && !j.terminal {
		return usagef("code new shows the code on a terminal; --print shows it elsewhere, too: let it not end in a log")
	}
	secret := code.New(j.owner())
	if err := j.keepCode([]byte(secret)); err != nil {
		return err
	}
	_, err := fmt.Fprintf(j.stdout, "user  %s\ncode  %s\n", j.owner(), secret)
	return err
}

// codeSet sets a code that was chosen elsewhere.
func codeSet(ctx context.Context, j *job) error {
	secret, err := j.readCode(ctx)
	if err != nil {
		return err
	}
	defer clear(secret)
	return j.keepCode(secret)
}

// keepCode keeps the verifier of a code. The daemon notices.
func (j *job) keepCode(secret []byte) error {
	v, err := code.Verifier(j.owner(), secret)
	if err != nil {
		return usageError{err}
	}
	c, err := j.daemonConfig()
	if err != nil {
		return err
	}
	return asRoot(code.Save(c.Store.Dir, v))
}

func codeRemove(_ context.Context, j *job) error {
	c, err := j.daemonConfig()
	if err != nil {
		return err
	}
	return asRoot(code.Remove(c.Store.Dir))
}

// codeStatus says whether there is a code, and what asks for it.
func codeStatus(_ context.Context, j *job) error {
	c, err := j.daemonConfig()
	if err != nil {
		return err
	}
	v, err := code.Load(c.Store.Dir)
	if shut := new(code.SealedError); errors.As(err, &shut) { // whether it opens the daemon says
		v, err = &srp.Verifier{User: shut.User}, nil
	}
	if err != nil {
		return asRoot(err)
	}
	spoken := c.Bluetooth.Protocols.Espressif
	switch {
	case v == nil && spoken:
		_, err = fmt.Fprintln(j.stdout, "no code: Espressif's protocol is off until there is one; wifiprovctl code new")
	case v == nil:
		_, err = fmt.Fprintln(j.stdout, "no code")
	case !spoken:
		_, err = fmt.Fprintf(j.stdout, "a code of user %s, which nothing asks for: bluetooth.protocols does not have espressif\n", v.User)
	case c.Bluetooth.RequireCode == "false":
		_, err = fmt.Fprintf(j.stdout, "a code of user %s: only Espressif's protocol asks for it (bluetooth.require_code)\n", v.User)
	default:
		_, err = fmt.Fprintf(j.stdout, "a code of user %s: whoever provisions must prove it\n", v.User)
	}
	return err
}

func (j *job) daemonConfig() (config.Config, error) {
	c, _, err := config.Load(j.config)
	return c, err
}

// asRoot adds to err that only root may, if that is why.
func asRoot(err error) error {
	if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
		return &hint{err, "Only root may; use sudo."}
	}
	return err
}

// labelCode returns the code on the gateway's label, nil if it is not to be proved.
func (j *job) labelCode(ctx context.Context) ([]byte, error) {
	if !j.byCode() {
		return nil, nil
	}
	return j.readCode(ctx)
}

// readCode returns a code, from where the options say. It is never an argument, as passwords are
// not.
func (j *job) readCode(ctx context.Context) (secret []byte, err error) {
	switch {
	case j.codeFile != "":
		if secret, err = within(ctx, func() ([]byte, error) { return readSecretFile(j.codeFile) }, func() {}); err != nil {
			err = fmt.Errorf("--code-file: %w", err)
		}
	case j.askPassword != nil:
		if secret, err = j.askPassword(ctx, "Code on the label: "); err != nil {
			err = fmt.Errorf("ask for the code: %w", err)
		}
	default:
		return nil, usagef("there is no terminal to ask for the code on; use --code-file")
	}
	return trimNewline(secret), err
}

// provisionByCode is provision by Espressif's protocol.
func (j *job) provisionByCode(ctx context.Context, secret []byte, credentials *wifi.Credentials) error {
	return j.withGateway(ctx, func(ctx context.Context, _ *central.Central, s *central.Session, _ string) error {
		j.screen.doing("proving the code")
		c, err := s.Prove(ctx, j.owner(), secret)
		switch {
		case errors.Is(err, central.ErrWrongCode):
			return &hint{err, "After several wrong ones it takes none for a while; a person at it can end that: its button, or 'wifiprovctl open' on it."}
		case errors.Is(err, central.ErrNoCharacteristic):
			return &hint{err, "This gateway has no code, or does not ask for it: leave --code out."}
		case err != nil:
			return err
		}
		j.screen.step("the gateway has taken the code")
		if j.ssid == "" {
			if err := j.choose(ctx, c.LookAround); err != nil {
				return err
			}
			if *credentials, err = j.credentials(ctx); err != nil {
				return err
			}
		}
		if err := c.Provision(ctx, *credentials); err != nil {
			return err
		}
		j.screen.step("sent network %s and the password", j.screen.quote(string(credentials.SSID)))
		return j.followByCode(ctx, c)
	})
}

// followByCode waits until the attempt has ended, and returns how.
func (j *job) followByCode(ctx context.Context, c *central.CodeSession) error {
	for {
		j.screen.doing("waiting for the gateway to join")
		status, err := c.Status(ctx)
		switch {
		case err != nil:
			return err
		case status.Joined:
			j.screen.step("CONNECTED: the gateway's address is %s", j.screen.quote(status.Address))
			return nil
		case status.Reason != wifi.FailureNone:
			j.screen.step("FAILED")
			return &joinError{reason: status.Reason}
		case !status.Running:
			return &joinError{reason: wifi.FailureInternal}
		}
		select {
		case <-time.After(askEvery):
		case <-ctx.Done():
			return lostOr(ctx)
		}
	}
}
