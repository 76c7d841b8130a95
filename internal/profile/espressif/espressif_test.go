package espressif

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/profile"
	"github.com/wifiprovd/wifiprovd/internal/protocomm"
	"github.com/wifiprovd/wifiprovd/internal/srp"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Traps 1, 2 and 10 of the protocol: its UUID is alone in the advertisement; every characteristic
// can be read and written and has a name of its own; there is no pairing.
func TestService(t *testing.T) {
	r := newRig(t)
	var got []string
	s := r.profile.Services()[0]
	for _, c := range s.Characteristics {
		if c.Write == nil || c.ReadLater == nil || c.Notify != nil || len(c.Descriptors) != 1 || c.Descriptors[0].UUID != "00002901-0000-1000-8000-00805f9b34fb" {
			t.Errorf("%+v", c)
		}
		got = append(got, c.UUID[4:8]+" "+string(c.Descriptors[0].Value))
	}
	want := []string{"ff4f prov-ctrl", "ff50 prov-scan", "ff51 prov-session", "ff52 prov-config", "ff53 proto-ver", "ff54 custom-data"}
	if !slices.Equal(got, want) || s.UUID != "021a9004-0382-4aea-bff4-6b3f1c5adfb4" || s.Pairing != gatt.NoPairing {
		t.Errorf("%s %s %q", s.UUID, s.Pairing, got)
	}
	adverts := r.profile.Adverts(r.now)
	if len(adverts) != 1 || !slices.Equal(adverts[0].ServiceUUIDs, []string{s.UUID}) || adverts[0].Name != "PROV_A1B2C3" {
		t.Errorf("%+v", adverts)
	}
	for _, asked := range []string{"ESP", "---", ""} {
		if err := r.write(phone1, protocomm.Version, []byte(asked)); err != nil {
			t.Error(err)
		}
		if v := r.read(phone1, protocomm.Version); !strings.Contains(string(v), `"sec_ver":2,"sec_patch_ver":1`) || strings.Contains(string(v), "code_only") {
			t.Errorf("%s", v)
		}
	}
	r.alone = true
	var about struct {
		Prov struct{ Cap []string }
		Own  struct{ Cap []string } `json:"wifiprovd"`
	}
	if v := r.read(phone1, protocomm.Version); json.Unmarshal(v, &about) != nil || len(about.Prov.Cap) != 2 || !slices.Equal(about.Own.Cap, []string{"code_only"}) {
		t.Errorf("where no other protocol lets phones in: %s", v)
	}
	if v := r.read(phone1, protocomm.Config); len(v) != 0 {
		t.Errorf("before any request: %x", v)
	}
}

// No code, no service; and nobody gets in by the code that was removed or replaced.
func TestNoCode(t *testing.T) {
	r := newRig(t)
	c := r.session(phone1)
	if !r.profile.Proved(phone1) || r.profile.Proved(phone2) || r.profile.Proved("") {
		t.Error("who has proved the code?")
	}
	c.provision("home", password)
	for _, now := range []*srp.Verifier{&other, nil} {
		r.profile.SetCode(now)
		if r.profile.Proved(phone1) {
			t.Error("the old code still counts")
		}
		c.expect(joiningStatus) // its attempt goes on, and it learns how
		set := protocomm.ConfigRequest{Command: protocomm.SetConfig, SSID: []byte("x")}.Encode()
		if err := r.write(phone1, protocomm.Config, c.seal(set)); !errors.Is(err, gatt.ErrUnlikely) {
			t.Errorf("set by the old code: %v", err)
		}
		c = &client{r, phone1, c.cipher}
		if _, err := r.prove(phone2, code); err == nil {
			t.Error("the old code is taken")
		}
	}
	if r.profile.Adverts(r.now) != nil {
		t.Error("without a code it is advertised")
	}
}

func TestProvision(t *testing.T) {
	r := newRig(t)
	c := r.session(phone1)
	c.expect(offStatus)
	c.provision("home", password)
	if want := []string{fmt.Sprintf("%s %q auto %q", phone1, "home", password)}; !slices.Equal(r.control.asked, want) {
		t.Errorf("asked %q", r.control.asked)
	}
	if !slices.Equal(r.control.prepared, []wifi.SSID{"home"}) {
		t.Errorf("prepared %q", r.control.prepared)
	}
	c.expect(joiningStatus)
	r.joins()
	c.expect(joiningStatus) // without an address it is of no use yet
	r.change(func(s *gateway.Snapshot) { s.Addresses.IPv4 = netip.MustParseAddr("192.0.2.42") })
	c.expect(protocomm.Status{
		IPv4: "192.0.2.42", Auth: protocomm.AuthWPA2, SSID: []byte("home"), BSSID: []byte{2, 0, 0, 0, 1, 0}, Channel: 6,
	})
	if p2 := r.session(phone2); true { // whoever has not applied is told of the network
		p2.expect(protocomm.Status{
			IPv4: "192.0.2.42", Auth: protocomm.AuthWPA2, SSID: []byte("home"), BSSID: []byte{2, 0, 0, 0, 1, 0}, Channel: 6,
		})
	}
	r.noSecrets()
}

// Traps 4, 6 and 7: a failure says which one it is, also to who does not look at results; it stays
// until the next attempt, of which the status speaks from Apply's answer on. All in one session.
func TestFailures(t *testing.T) {
	r := newRig(t)
	c := r.session(phone1)
	for reason, want := range map[wifi.Failure]uint64{
		wifi.FailureWrongPassword: protocomm.AuthError, wifi.FailureNotFound: protocomm.NetworkNotFound,
		wifi.FailureRefused: 103, wifi.FailureTimedOut: 106, wifi.FailureInternal: 109,
	} {
		c.provision("home", password)
		c.expect(joiningStatus)
		r.fails(reason)
		failed := protocomm.Status{Station: protocomm.JoinFailed, Reason: want}
		c.expect(failed)
		r.change(func(s *gateway.Snapshot) { s.Status, s.Reason = gateway.Connected, wifi.FailureNone }) // back to the old network
		c.expect(failed)
	}
	c.provision("home", password)
	r.joins()
	r.change(func(s *gateway.Snapshot) { s.Reason = wifi.FailureNoAddress })
	c.expect(protocomm.Status{Station: protocomm.JoinFailed, Reason: 105})
	r.noSecrets()
}

func TestRefusedAttempts(t *testing.T) {
	r := newRig(t)
	c := r.session(phone1)
	invalid := protocomm.Status{Station: protocomm.JoinFailed, Reason: 108}
	internal := protocomm.Status{Station: protocomm.JoinFailed, Reason: 109}
	for name, refused := range map[string]struct{ ssid, password string }{
		"no name": {"", password}, "a long name": {strings.Repeat("x", 33), ""}, "a long password": {"home", strings.Repeat("x", 65)},
	} {
		if result := c.set(refused.ssid, refused.password); result != protocomm.InvalidArgument {
			t.Errorf("%s: %d", name, result)
		}
		if result := c.apply(); result != protocomm.InternalError {
			t.Errorf("%s: apply %d", name, result)
		}
		c.expect(invalid)
	}
	c.provision("home", "short") // no network can have it: the gateway takes it, and fails at once
	c.expect(invalid)
	r.control.answer = gateway.ErrBusy
	if set, apply := c.set("home", password), c.apply(); set != protocomm.Success || apply != protocomm.InternalError {
		t.Errorf("busy: %d, %d", set, apply)
	}
	c.expect(internal)
	if taken := r.control.taken[len(r.control.taken)-1]; string(taken.Passphrase.Bytes()) == password {
		t.Error("the password of a refused attempt is still there")
	}
	r.control.answer = nil
	c.provision("home", password)
	if result := c.apply(); result != protocomm.InternalError { // nothing new is staged: the attempt goes on
		t.Errorf("apply twice: %d", result)
	}
	c.expect(joiningStatus)
	r.fails(wifi.FailureWrongPassword)
	c.expect(protocomm.Status{Station: protocomm.JoinFailed, Reason: protocomm.AuthError})
}

// Nothing of one phone's attempt is told to another, and none replaces another's.
func TestTwoCentrals(t *testing.T) {
	r := newRig(t)
	one, two := r.session(phone1), r.session(phone2)
	one.provision("home", password)
	if two.set("other", password); two.apply() != protocomm.InternalError {
		t.Error("the other phone's attempt was taken")
	}
	two.expect(protocomm.Status{Station: protocomm.JoinFailed, Reason: 109})
	one.expect(joiningStatus)
	r.fails(wifi.FailureWrongPassword)
	one.expect(protocomm.Status{Station: protocomm.JoinFailed, Reason: protocomm.AuthError})
	two.expect(protocomm.Status{Station: protocomm.JoinFailed, Reason: 109})
	two.provision("other", password)
	one.expect(protocomm.Status{Station: protocomm.JoinFailed, Reason: protocomm.AuthError})
	r.joins()
	one.expect(protocomm.Status{Station: protocomm.JoinFailed, Reason: protocomm.AuthError})
	// One's messages are not two's.
	if err := r.write(phone1, protocomm.Config, two.seal([]byte{8, 4})); err == nil {
		t.Error("another session's message is taken")
	}
}

func TestControl(t *testing.T) {
	r := newRig(t)
	c := r.session(phone1)
	c.provision("home", password)
	r.fails(wifi.FailureWrongPassword)
	c.set("home", password)
	if got := c.ask(protocomm.Control, []byte{8, 1}); !bytes.Equal(got, []byte{8, 2, 0x62, 0}) {
		t.Errorf("reset: %x", got)
	}
	c.expect(offStatus)
	if c.apply() != protocomm.InternalError {
		t.Error("what was staged before a reset was applied")
	}
	if got := c.ask(protocomm.Control, []byte{8, 3}); !bytes.Equal(got, []byte{8, 4, 0x72, 0}) {
		t.Errorf("reprov: %x", got)
	}
}

// Trap 5: the answer to ScanStart comes when the scan has ended, and always says so.
func TestScan(t *testing.T) {
	r := newRig(t)
	c := r.session(phone1)
	start := c.seal(protocomm.ScanRequest{Command: protocomm.ScanStart}.Encode())
	if err := r.write(phone1, protocomm.Scan, start); err != nil {
		t.Fatal(err)
	}
	waits := r.reads(phone1, protocomm.Scan)
	select {
	case got := <-waits:
		t.Fatalf("before the scan has ended: %+v", got)
	default:
	}
	offers := []wifi.Offer{{SSID: "enterprise", SignalDBm: -20}, {SSID: "not UTF-8 \xff", SignalDBm: -21, Joinable: true}}
	for i := range 30 {
		offers = append(offers, wifi.Offer{
			SSID: wifi.SSID(fmt.Sprintf("net-%02d-with-a-name-of-32-octets", i)), SignalDBm: -40 - i, Security: wifi.WPA2PSK, Joinable: true,
		})
	}
	r.control.scans <- offers
	got := <-waits
	if answer, err := c.cipher.Open(got.value); err != nil || !bytes.Equal(answer, []byte{8, 1, 0x5a, 0}) {
		t.Fatalf("%x %v", answer, err)
	}
	total, finished, err := protocomm.ParseScanTotal(c.ask(protocomm.Scan, []byte{8, 2}))
	if total != maxNetworks || !finished || err != nil {
		t.Errorf("%d %v %v", total, finished, err)
	}
	var names []string
	for at := 0; at < total; at += 4 {
		list, err := protocomm.ParseNetworks(c.ask(protocomm.Scan, protocomm.ScanRequest{Command: protocomm.ScanResult, Start: uint64(at), Count: 4}.Encode()))
		if err != nil || len(list) != 4 {
			t.Fatalf("%d networks, %v", len(list), err)
		}
		for _, n := range list {
			names = append(names, string(n.SSID))
		}
	}
	if len(names) != maxNetworks || names[0] != "net-00-with-a-name-of-32-octets" || names[19][:6] != "net-19" {
		t.Errorf("%q", names)
	}
	many := protocomm.ScanRequest{Command: protocomm.ScanResult, Count: 1 << 60}
	if list, err := protocomm.ParseNetworks(c.ask(protocomm.Scan, many.Encode())); err != nil || len(list) < 8 {
		t.Errorf("%d networks, %v", len(list), err)
	}
	many.Start = 1 << 63
	if got := c.ask(protocomm.Scan, many.Encode()); !bytes.Equal(got, []byte{8, 5, 0x10, 4, 0x7a, 0}) {
		t.Errorf("beyond the end: %x", got)
	}
}

// A scan that fails, or takes too long, is answered all the same.
func TestScanWithoutResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		c := r.session(phone1)
		scan := func() []byte {
			began := time.Now()
			answer := c.ask(protocomm.Scan, protocomm.ScanRequest{Command: protocomm.ScanStart}.Encode())
			if took := time.Since(began); took > scanPatience {
				t.Errorf("answered after %s", took)
			}
			return answer
		}
		if got := scan(); !bytes.Equal(got, []byte{8, 1, 0x10, 5, 0x5a, 0}) { // none has ever ended
			t.Errorf("too slow: %x", got)
		}
		time.Sleep(profile.ScanTimeout)
		go func() { r.control.scans <- []wifi.Offer{{SSID: "home", Joinable: true}} }()
		if got := scan(); !bytes.Equal(got, []byte{8, 1, 0x5a, 0}) {
			t.Errorf("%x", got)
		}
		time.Sleep(profile.ScanPause)
		go func() { r.control.scans <- nil }()
		if got := scan(); !bytes.Equal(got, []byte{8, 1, 0x5a, 0}) { // what the one before has found
			t.Errorf("failed: %x", got)
		}
		time.Sleep(profile.ScanPause)
		if err := r.write(phone1, protocomm.Scan, c.seal(protocomm.ScanRequest{Command: protocomm.ScanStart}.Encode())); err != nil {
			t.Fatal(err)
		}
		waits := r.reads(phone1, protocomm.Scan)
		r.profile.Gone(phone1)
		if got := <-waits; got.err == nil {
			t.Error("one that has gone is answered")
		}
		time.Sleep(time.Hour)
	})
}

// Trap 9, and what an attacker may send: every message counts once, in its turn.
func TestReplayAndOrder(t *testing.T) {
	r := newRig(t)
	c := r.session(phone1)
	first, second := c.seal([]byte{8, 4}), c.seal([]byte{8, 4})
	if err := r.write(phone1, protocomm.Config, second); !errors.Is(err, gatt.ErrUnlikely) {
		t.Errorf("out of order: %v", err)
	}
	if err := r.write(phone1, protocomm.Config, first); err != nil { // what was refused took no turn
		t.Errorf("in order: %v", err)
	}
	for _, bad := range [][]byte{first, second, nil, {1}, bytes.Repeat([]byte{0}, 512)} {
		if err := r.write(phone1, protocomm.Config, bad); !errors.Is(err, gatt.ErrUnlikely) {
			t.Errorf("%x: %v", bad, err)
		}
	}
	if err := r.write(phone2, protocomm.Config, first); !errors.Is(err, gatt.ErrUnlikely) {
		t.Errorf("without a session: %v", err)
	}
}

// The session ends with the connection: its keys are wiped, and the next phone with the same
// address has none.
func TestGone(t *testing.T) {
	r := newRig(t)
	c := r.session(phone1)
	c.set("home", password)
	var kept *protocomm.Cipher
	var staged []byte
	r.profile.sessions.Look(phone1, func(s *session) { kept, staged = s.cipher, s.staged.Passphrase.Bytes() })
	r.profile.Gone(phone1)
	if _, err := kept.Take(); err == nil || !bytes.Equal(staged, make([]byte, len(password))) {
		t.Error("secrets are still there")
	}
	if err := r.write(phone1, protocomm.Config, c.seal([]byte{8, 4})); err == nil {
		t.Error("the session outlives its connection")
	}
}

// A client may begin anew at any time, also within a session.
func TestHelloAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		old := r.session(phone1)
		if _, err := r.hello(phone1, srp.NewClient("wifiprov", []byte(code))); err == nil {
			t.Error("another one at once is taken")
		}
		time.Sleep(helloPause)
		again := r.session(phone1)
		if err := r.write(phone1, protocomm.Config, old.seal([]byte{8, 4})); err == nil {
			t.Error("the old session goes on")
		}
		again.expect(offStatus)
		r.profile.Gone(phone1)
		time.Sleep(time.Hour)
	})
}

// Trap 3, and hostile handshakes: everything that is wrong is an ATT error on the write.
func TestHandshakeRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		hello := func(user string, a []byte) []byte {
			return protocomm.Handshake{Step: protocomm.Hello, User: []byte(user), Public: a}.Encode()
		}
		zeros := make([]byte, srp.Size)
		for name, value := range map[string][]byte{
			"nothing": nil, "zeros": hello("wifiprov", zeros), "no key": hello("wifiprov", nil), "long": hello("wifiprov", append([]byte{1}, zeros...)),
			"no user": hello("", []byte{2}), "a long user": hello(strings.Repeat("u", 65), []byte{2}),
			"a proof without a hello": protocomm.Handshake{Step: protocomm.Proof, Proof: make([]byte, 64)}.Encode(),
			"the gateway's own":       protocomm.Handshake{Step: protocomm.HelloAnswer, Public: []byte{2}}.Encode(),
			"Security 0":              {0x52, 3, 0xa2, 1, 0}, "Security 1": {0x10, 1, 0x5a, 0},
		} {
			if err := r.write(phone1, protocomm.Session, value); !errors.Is(err, gatt.ErrUnlikely) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := r.prove(phone1, "not the code"); !errors.Is(err, gatt.ErrUnlikely) {
			t.Errorf("a wrong code: %v", err)
		}
		if err := r.write(phone1, protocomm.Session, protocomm.Handshake{Step: protocomm.Proof, Proof: make([]byte, 64)}.Encode()); err == nil {
			t.Error("a second proof is taken")
		}
		time.Sleep(helloPause)
		r.session(phone1).expect(offStatus) // and the right one gets in on the same connection
		r.profile.Gone(phone1)
		time.Sleep(2 * time.Hour)
		r.noSecrets()
	})
}
