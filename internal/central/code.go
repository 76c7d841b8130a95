package central

import (
	"context"
	"errors"
	"fmt"

	"github.com/wifiprovd/wifiprovd/internal/protocomm"
	"github.com/wifiprovd/wifiprovd/internal/srp"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// ErrWrongCode says that the gateway does not take the code, or takes none now: after wrong ones it
// refuses the right one, too, for a while, and does not say so.
var ErrWrongCode = errors.New("the gateway does not take the code")

// CodeSession is a Session in which this machine has proved that it knows the code on the gateway,
// by Espressif's protocol. Its methods must not be called at the same time.
type CodeSession struct {
	session *Session
	cipher  *protocomm.Cipher
}

// Prove proves that this machine knows the code of user. A gateway without the protocol, or without
// a code, gives ErrNoCharacteristic.
func (s *Session) Prove(ctx context.Context, user string, code []byte) (*CodeSession, error) {
	client := srp.NewClient(user, code)
	defer client.Wipe()
	hello := protocomm.Handshake{Step: protocomm.Hello, User: []byte(user), Public: client.Public()}
	answer, err := s.handshake(ctx, hello, protocomm.HelloAnswer)
	if err != nil {
		return nil, err
	}
	proof, err := client.Proof(answer.Salt, answer.Public)
	if err != nil {
		return nil, fmt.Errorf("prove the code: %w", err)
	}
	answer, err = s.handshake(ctx, protocomm.Handshake{Step: protocomm.Proof, Proof: proof}, protocomm.ProofAnswer)
	if err != nil {
		return nil, err
	}
	key, err := client.Key(answer.Proof)
	if err != nil {
		return nil, fmt.Errorf("prove the code: what answers is not the gateway: %w", err)
	}
	cipher, err := protocomm.NewCipher(key, answer.Nonce)
	if err != nil {
		return nil, fmt.Errorf("prove the code: %w", err)
	}
	return &CodeSession{session: s, cipher: cipher}, nil
}

// handshake takes a step, and returns the gateway's.
func (s *Session) handshake(ctx context.Context, h protocomm.Handshake, next protocomm.Step) (protocomm.Handshake, error) {
	uuid := protocomm.Session.UUID()
	if err := s.Write(ctx, uuid, h.Encode()); errors.Is(err, ATTUnlikely) {
		return h, ErrWrongCode
	} else if err != nil {
		return h, err
	}
	value, err := s.Read(ctx, uuid)
	if err != nil {
		return h, err
	}
	answer, err := protocomm.ParseHandshake(value)
	if err != nil || answer.Step != next {
		return h, errors.New("prove the code: the gateway's answer is malformed")
	}
	return answer, nil
}

// Ask sends a request to an endpoint, sealed, and returns the answer.
func (c *CodeSession) Ask(ctx context.Context, e protocomm.Endpoint, request []byte) ([]byte, error) {
	turn, err := c.cipher.Take()
	if err != nil {
		return nil, err
	}
	if err := c.session.Write(ctx, e.UUID(), c.cipher.Seal(turn, request)); err != nil {
		return nil, err
	}
	value, err := c.session.Read(ctx, e.UUID())
	if err != nil {
		return nil, err
	}
	answer, err := c.cipher.Open(value)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", e, err)
	}
	return answer, nil
}

// Provision has the gateway join a network. Status says how that goes.
func (c *CodeSession) Provision(ctx context.Context, credentials wifi.Credentials) error {
	for _, r := range []protocomm.ConfigRequest{
		{Command: protocomm.SetConfig, SSID: []byte(credentials.SSID), Passphrase: credentials.Passphrase.Bytes()},
		{Command: protocomm.ApplyConfig},
	} {
		request := r.Encode()
		answer, err := c.Ask(ctx, protocomm.Config, request)
		clear(request)
		if err != nil {
			return err
		}
		result, err := protocomm.ParseConfigResult(r.Command, answer)
		switch {
		case err != nil:
			return err
		case result == protocomm.InternalError:
			return ATTInProgress // it is busy with another phone
		case result != protocomm.Success:
			return fmt.Errorf("the gateway does not take the network: result %d", result)
		}
	}
	return nil
}

// CodeStatus is how the gateway's attempt goes.
type CodeStatus struct {
	Running bool
	Joined  bool
	Address string       // of the gateway, once it has joined
	Reason  wifi.Failure // why it has failed
}

// Status asks how the attempt goes.
func (c *CodeSession) Status(ctx context.Context) (CodeStatus, error) {
	answer, err := c.Ask(ctx, protocomm.Config, protocomm.ConfigRequest{Command: protocomm.GetStatus}.Encode())
	if err != nil {
		return CodeStatus{}, err
	}
	s, err := protocomm.ParseStatus(answer)
	if err != nil {
		return CodeStatus{}, err
	}
	switch s.Station {
	case protocomm.Joined:
		return CodeStatus{Joined: true, Address: s.IPv4}, nil
	case protocomm.Joining:
		return CodeStatus{Running: true}, nil
	case protocomm.JoinFailed:
		return CodeStatus{Reason: reasonOf(s.Reason)}, nil
	}
	return CodeStatus{}, nil
}

func reasonOf(number uint64) wifi.Failure {
	switch number {
	case protocomm.AuthError:
		return wifi.FailureWrongPassword
	case protocomm.NetworkNotFound:
		return wifi.FailureNotFound
	}
	if number > protocomm.OwnReason && number <= protocomm.OwnReason+uint64(wifi.FailureInternal) {
		return wifi.Failure(number - protocomm.OwnReason)
	}
	return wifi.FailureInternal
}

// LookAround makes the gateway scan for networks and returns those that it hears, strongest first.
func (c *CodeSession) LookAround(ctx context.Context) ([]Heard, error) {
	ctx, cancel := context.WithTimeout(ctx, scanTimeout)
	defer cancel()
	if _, err := c.Ask(ctx, protocomm.Scan, protocomm.ScanRequest{Command: protocomm.ScanStart}.Encode()); err != nil {
		return nil, err
	}
	answer, err := c.Ask(ctx, protocomm.Scan, protocomm.ScanRequest{Command: protocomm.ScanStatus}.Encode())
	if err != nil {
		return nil, err
	}
	total, _, err := protocomm.ParseScanTotal(answer)
	if err != nil {
		return nil, ErrScanFailed
	}
	var all []Heard
	for len(all) < total {
		r := protocomm.ScanRequest{Command: protocomm.ScanResult, Start: uint64(len(all)), Count: 4}
		if answer, err = c.Ask(ctx, protocomm.Scan, r.Encode()); err != nil {
			return nil, err
		}
		page, err := protocomm.ParseNetworks(answer)
		if err != nil || len(page) == 0 {
			return nil, ErrScanFailed
		}
		for _, n := range page {
			h := Heard{}
			h.SSID, h.SignalDBm, h.Security, h.Joinable = wifi.SSID(n.SSID), n.RSSI, wifi.AutoDetect, true
			if n.Auth == protocomm.AuthOpen {
				h.Security = wifi.Open
			}
			all = append(all, h)
		}
	}
	return all, nil
}
