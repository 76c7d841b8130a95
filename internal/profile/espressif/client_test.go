package espressif

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/profile"
	"github.com/wifiprovd/wifiprovd/internal/protocomm"
	"github.com/wifiprovd/wifiprovd/internal/srp"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const (
	phone1   = gatt.Central("AA:BB:CC:00:00:01")
	phone2   = gatt.Central("AA:BB:CC:00:00:02")
	code     = "K7QF2M9XWR4T"
	password = "correct horse battery"
)

var _ profile.Profile = (*Profile)(nil)

// verifiers of the code and of another one: making them takes time.
var right, other = srp.NewVerifier("wifiprov", []byte(code)), srp.NewVerifier("wifiprov", []byte("another code"))

// fake is a gateway, and the daemon that tells the protocol of it.
type fake struct {
	gateway.Control // panics when it is asked for more

	r        *rig
	answer   error // of Connect
	asked    []string
	taken    []wifi.Credentials
	prepared []wifi.SSID
	scans    chan []wifi.Offer // what the scans that run return; nil: a failure
}

func (f *fake) Busy(r gateway.Requester) bool { return f.r.now.Busy(r) }
func (f *fake) Prepare(ssid wifi.SSID)        { f.prepared = append(f.prepared, ssid) }

// Connect shows the attempt before it answers, as the daemon does. Credentials that no network can
// have fail at once.
func (f *fake) Connect(r gateway.Requester, c wifi.Credentials) error {
	f.asked = append(f.asked, fmt.Sprintf("%s %s %s %q", r, c.SSID, c.Security, c.Passphrase.Bytes()))
	f.taken = append(f.taken, c)
	switch {
	case f.answer != nil:
		return f.answer
	case c.Problem() != "":
		f.r.change(func(s *gateway.Snapshot) { s.Status, s.Reason = gateway.Failed, wifi.FailureInvalidCredentials })
	default:
		f.r.change(func(s *gateway.Snapshot) {
			s.Owner, s.Status, s.Reason, s.Network = r, gateway.Connecting, wifi.FailureNone, nil
		})
	}
	return nil
}

func (f *fake) Scan(ctx context.Context) ([]wifi.Offer, error) {
	select {
	case found := <-f.scans:
		if found == nil {
			return nil, errors.New("no radio")
		}
		return found, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// rig is the protocol with the code, and a gateway.
type rig struct {
	t       testing.TB
	control *fake
	profile *Profile
	scans   *profile.Scanner
	deliver exchange
	log     bytes.Buffer
	alone   bool // no other protocol lets phones in
	now     *gateway.Snapshot
}

func newRig(t testing.TB) *rig {
	r := &rig{t: t, now: &gateway.Snapshot{Open: true}}
	r.control = &fake{r: r, scans: make(chan []wifi.Offer)}
	log := slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.scans = profile.NewScanner(r.control.Scan, log)
	r.deliver = func(context.Context, gateway.Requester, string, []byte) ([]byte, error) { return nil, nil }
	deliver := func(ctx context.Context, from gateway.Requester, name string, data []byte) ([]byte, error) {
		return r.deliver(ctx, from, name, data)
	}
	r.profile = New(Config{Control: r.control, Scans: r.scans, Deliver: deliver, Name: "PROV_A1B2C3", Log: log, Alone: func() bool { return r.alone }})
	r.profile.SetCode(&right)
	r.profile.Changed(nil, r.now)
	return r
}

// change publishes another Snapshot.
func (r *rig) change(f func(*gateway.Snapshot)) {
	before, now := r.now, *r.now
	f(&now)
	now.Turn++
	r.now = &now
	r.profile.Changed(before, r.now)
}

// fails ends the attempt.
func (r *rig) fails(reason wifi.Failure) {
	r.change(func(s *gateway.Snapshot) {
		s.Owner, s.Status, s.Reason = gateway.Requester{}, gateway.Failed, reason
	})
}

// joins ends the attempt well, without an address yet.
func (r *rig) joins() {
	r.change(func(s *gateway.Snapshot) {
		s.Owner, s.Status = gateway.Requester{}, gateway.Connected
		s.Network = &wifi.Network{SSID: "home", BSSID: "02:00:00:00:01:00", FrequencyMHz: 2437, AKM: wifi.AKMPSK}
	})
}

func (r *rig) find(e protocomm.Endpoint) *gatt.Characteristic {
	r.t.Helper()
	for _, c := range r.profile.Services()[0].Characteristics {
		if c.UUID == e.UUID() {
			return c
		}
	}
	r.t.Fatalf("there is no %s", e)
	return nil
}

func (r *rig) write(c gatt.Central, e protocomm.Endpoint, value []byte) error {
	r.t.Helper()
	return r.find(e).Write(gatt.Request{Central: c}, bytes.Clone(value))
}

type read struct {
	value []byte
	err   error
}

func (r *rig) reads(c gatt.Central, e protocomm.Endpoint) <-chan read {
	r.t.Helper()
	got := make(chan read, 1)
	r.find(e).ReadLater(gatt.Request{Central: c}, func(value []byte, err error) { got <- read{value, err} })
	return got
}

func (r *rig) read(c gatt.Central, e protocomm.Endpoint) []byte {
	r.t.Helper()
	got := <-r.reads(c, e)
	if got.err != nil {
		r.t.Fatalf("read %s: %v", e, got.err)
	}
	return got.value
}

// client is a phone's session.
type client struct {
	*rig
	central gatt.Central
	cipher  *protocomm.Cipher
}

// hello begins a handshake and returns the gateway's answer.
func (r *rig) hello(c gatt.Central, s *srp.Client) (protocomm.Handshake, error) {
	r.t.Helper()
	h := protocomm.Handshake{Step: protocomm.Hello, User: []byte("wifiprov"), Public: s.Public()}
	if err := r.write(c, protocomm.Session, h.Encode()); err != nil {
		return h, err
	}
	answer, err := protocomm.ParseHandshake(r.read(c, protocomm.Session))
	if err != nil || answer.Step != protocomm.HelloAnswer {
		r.t.Fatalf("%+v, %v", answer, err)
	}
	return answer, nil
}

// prove has c prove that it knows code.
func (r *rig) prove(c gatt.Central, code string) (*client, error) {
	r.t.Helper()
	s := srp.NewClient("wifiprov", []byte(code))
	answer, err := r.hello(c, s)
	if err != nil {
		return nil, err
	}
	proof, err := s.Proof(answer.Salt, answer.Public)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.write(c, protocomm.Session, protocomm.Handshake{Step: protocomm.Proof, Proof: proof}.Encode()); err != nil {
		return nil, err
	}
	own, err := protocomm.ParseHandshake(r.read(c, protocomm.Session))
	if err != nil {
		r.t.Fatal(err)
	}
	key, err := s.Key(own.Proof)
	if err != nil {
		r.t.Fatal(err)
	}
	cipher, err := protocomm.NewCipher(key, own.Nonce)
	if err != nil {
		r.t.Fatal(err)
	}
	return &client{r, c, cipher}, nil
}

func (r *rig) session(c gatt.Central) *client {
	r.t.Helper()
	s, err := r.prove(c, code)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (c *client) seal(plain []byte) []byte {
	turn, err := c.cipher.Take()
	if err != nil {
		c.t.Fatal(err)
	}
	return c.cipher.Seal(turn, plain)
}

// ask sends a request and returns what it is answered.
func (c *client) ask(e protocomm.Endpoint, plain []byte) []byte {
	c.t.Helper()
	if err := c.write(c.central, e, c.seal(plain)); err != nil {
		c.t.Fatalf("%s %x: %v", e, plain, err)
	}
	answer, err := c.cipher.Open(c.read(c.central, e))
	if err != nil {
		c.t.Fatalf("%s %x: %v", e, plain, err)
	}
	return answer
}

func (c *client) set(ssid, password string) protocomm.Result {
	c.t.Helper()
	r := protocomm.ConfigRequest{Command: protocomm.SetConfig, SSID: []byte(ssid), Passphrase: []byte(password)}
	result, err := protocomm.ParseConfigResult(r.Command, c.ask(protocomm.Config, r.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	return result
}

// apply sends what esp_prov does: only the number.
func (c *client) apply() protocomm.Result {
	c.t.Helper()
	result, err := protocomm.ParseConfigResult(protocomm.ApplyConfig, c.ask(protocomm.Config, []byte{8, 4}))
	if err != nil {
		c.t.Fatal(err)
	}
	return result
}

func (c *client) provision(ssid, password string) {
	c.t.Helper()
	if set, apply := c.set(ssid, password), c.apply(); set != protocomm.Success || apply != protocomm.Success {
		c.t.Errorf("set %d, apply %d", set, apply)
	}
}

// expect fails the test unless the status is this one, byte for byte as Espressif's clients read it.
func (c *client) expect(want protocomm.Status) {
	c.t.Helper()
	got := c.ask(protocomm.Config, protocomm.ConfigRequest{Command: protocomm.GetStatus}.Encode())
	if !bytes.Equal(got, want.Encode()) {
		c.t.Errorf("status %x, want %x", got, want.Encode())
	}
}

var (
	joiningStatus = protocomm.Status{Station: protocomm.Joining}
	offStatus     = protocomm.Status{Station: protocomm.Disconnected}
)

// noSecrets fails the test if the log shows any.
func (r *rig) noSecrets() {
	for _, secret := range []string{code, password} {
		if strings.Contains(r.log.String(), secret) {
			r.t.Errorf("the log shows a secret: %s", r.log.String())
		}
	}
	if n := slices.IndexFunc(r.control.taken, func(c wifi.Credentials) bool { return c.SSID == "" }); n >= 0 {
		r.t.Error("an empty SSID was asked for")
	}
}
