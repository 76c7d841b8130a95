//go:build lab

package lab

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
	"github.com/wifiprovd/wifiprovd/internal/protocomm"
	"github.com/wifiprovd/wifiprovd/internal/srp"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Espressif's provisioning (docs/protocol.md). That our messages are those of Espressif's own client the
// vectors of internal/protocomm show.
const (
	espressifService = "021a9004-0382-4aea-bff4-6b3f1c5adfb4"
	espressifSession = "021aff51-0382-4aea-bff4-6b3f1c5adfb4"
	espressifConfig  = "021aff52-0382-4aea-bff4-6b3f1c5adfb4"
	espressifVersion = "021aff53-0382-4aea-bff4-6b3f1c5adfb4"
)

// coded is a situation with Espressif's protocol beside the others.
func coded(aps ...AP) situation {
	return situation{aps: aps, config: map[string]string{"bluetooth.protocols": "[native, improv, espressif]", "bluetooth.name": "PROV_A1B2C3"}}
}

// newCode makes a code on the gateway, and waits until the daemon has taken it.
func (g *gateway) newCode() string {
	g.t.Helper()
	code := codeIn(g.t, run(g.t, "wifiprovctl", "code", "new", "--print"))
	secret(g.t, "the code on the label", code) // it must be nowhere, as a password must not
	g.event("code")
	return code
}

// codeIn returns the code that wifiprovctl code new has shown.
func codeIn(t testing.TB, out string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^code  (\S{12})$`).FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("no code in %q", out)
	}
	return found[1]
}

// near returns a phone that has heard the gateway and is connected without pairing.
func near(t testing.TB) *phone {
	t.Helper()
	p := newPhone(t, "", nil)
	if !p.find().Code {
		t.Error("the gateway is heard without Espressif's service")
	}
	p.connect()
	return p
}

func (p *phone) prove(code string) *central.CodeSession {
	p.t.Helper()
	c, err := p.session.Prove(p.deadline(), "wifiprov", []byte(code))
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// provisions has the gateway join a network, and returns how that has ended. Of a running attempt the
// status speaks from Apply's answer on.
func (p *phone) provisions(c *central.CodeSession, ssid, password string) central.CodeStatus {
	p.t.Helper()
	secret(p.t, ssid, password)
	err := c.Provision(p.deadline(), wifi.Credentials{SSID: wifi.SSID(ssid), Passphrase: wifi.NewPassphrase([]byte(password))})
	if err != nil {
		p.t.Fatal(err)
	}
	for first := true; ; first = false {
		s, err := c.Status(p.deadline())
		switch {
		case err != nil:
			p.t.Fatal(err)
		case first && !s.Running:
			p.t.Errorf("right after Apply: %+v", s)
		case !s.Running:
			return s
		}
		time.Sleep(time.Second)
	}
}

// TestEspressif: no code, no service. With a code, which the daemon takes without a restart, a phone
// provisions the gateway by it: a wrong code, the right one, a wrong password, the right one, all on one
// connection, and without pairing.
func TestEspressif(t *testing.T) {
	home := AP{SSID: "by code", Security: wifi.WPA2PSK, Passphrase: "the password behind the code"}
	g := start(t, coded(home))
	g.event("code-none")
	waitFor(t, "the others alone", patience, func() error { return g.advertises(2) })
	if uuids := servedBy(t, gatewayHCI); slices.Contains(uuids, espressifService) {
		t.Errorf("without a code there is %q", uuids)
	}
	doctorFinds(t, "code", "Espressif's protocol is off", "wifiprovctl code new")
	signals := statusChanges(t)
	code := g.newCode()
	codeTurns(t, signals, "set", true)
	codeShown(t, "set: phones must prove it", "these are shut: native, improv")
	waitFor(t, "the code's service alone", patience, func() error { return g.advertises(1) })
	p := near(t)
	if name := p.find().Name; name != "PROV_A1B2C3" {
		t.Errorf("the gateway is called %q", name)
	}
	about, err := p.session.Read(p.deadline(), espressifVersion)
	var version struct {
		Own struct {
			Cap []string `json:"cap"`
		} `json:"wifiprovd"`
		Prov struct {
			Security int `json:"sec_ver"`
			Patch    int `json:"sec_patch_ver"`
		} `json:"prov"`
	}
	if err != nil || json.Unmarshal(about, &version) != nil || version.Prov.Security != 2 || version.Prov.Patch != 1 || !slices.Equal(version.Own.Cap, []string{"code_only"}) {
		t.Errorf("proto-ver: %s %v", about, err)
	}
	if _, err := p.session.Prove(p.deadline(), "wifiprov", []byte("NOTTHECODE99")); !errors.Is(err, central.ErrWrongCode) {
		t.Errorf("a wrong code: %v", err)
	}
	g.event("code-wrong", "WIFIPROVD_CENTRAL="+adapterAddress(t, phoneHCI))
	time.Sleep(time.Second)
	c := p.prove(code)
	g.event("code-proved", "WIFIPROVD_CENTRAL="+adapterAddress(t, phoneHCI))
	heard, err := c.LookAround(p.deadline())
	if err != nil || !slices.ContainsFunc(heard, func(h central.Heard) bool { return string(h.SSID) == home.SSID }) {
		t.Errorf("the gateway hears %+v, %v", heard, err)
	}
	if s := p.provisions(c, home.SSID, "not the password at all"); s.Reason != wifi.FailureWrongPassword {
		t.Errorf("a wrong password: %+v", s)
	}
	if s := p.provisions(c, "nobody is called so", "some password"); s.Reason != wifi.FailureNotFound {
		t.Errorf("no such network: %+v", s)
	}
	s := p.provisions(c, home.SSID, home.Passphrase)
	if !s.Joined || s.Address != leased(t)[0].Addr().String() {
		t.Errorf("the right password: %+v", s)
	}
	g.stores(&home)
	if err := g.noBond(adapterAddress(t, phoneHCI)); err != nil {
		t.Error(err)
	}
	p.leave()
	g.codeFile(code)
	time.Sleep(time.Minute) // as docs/performance.md measures it
	pss := procField(t, "/proc/"+g.pid()+"/smaps_rollup")("Pss")
	t.Logf("with every protocol, after the sessions: PSS %.1f MB", float64(pss)/1024)
}

// codeTurns waits for the signal that tells of another code, or of none.
func codeTurns(t testing.TB, signals <-chan *dbus.Signal, want string, required bool) {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case s := <-signals:
			if s.Name != msgbus.PropertiesChanged {
				continue
			}
			values := s.Body[1].(map[string]dbus.Variant)
			code, told := values["Code"].Value().(string)
			if !told {
				continue
			}
			if shut, _ := values["CodeRequired"].Value().(bool); code != want || shut != required {
				t.Errorf("Code changes to %q, required: %v", code, shut)
			}
			return
		case <-late:
			t.Fatalf("no signal of Code %s", want)
		}
	}
}

// codeShown checks what wifiprovctl status and doctor say of a code that is well.
func codeShown(t testing.TB, status, doctor string) {
	t.Helper()
	if out := run(t, "wifiprovctl", "status"); !strings.Contains(out, "Code         "+status+"\n") {
		t.Errorf("wifiprovctl status says\n%s", out)
	}
	_, results := examined(t)
	if r := results["code"]; r.Verdict != "ok" || !strings.Contains(r.Message, `user "wifiprov", in clear`) || !strings.Contains(r.Message, doctor) {
		t.Errorf("doctor says %+v", r)
	}
}

// codeFile checks what the gateway keeps of the code.
func (g *gateway) codeFile(code string) {
	g.t.Helper()
	info, err := os.Stat(storeDir + "/code.json")
	if err != nil || info.Mode().Perm() != 0o600 {
		g.t.Errorf("code.json: %v, %v", info, err)
	}
	data, err := os.ReadFile(storeDir + "/code.json")
	if err != nil || bytes.Contains(data, []byte(code)) {
		g.t.Errorf("code.json has the code: %v", err)
	}
}

// servedBy returns the services that an adapter says that it has.
func servedBy(t testing.TB, hci string) (uuids []string) {
	t.Helper()
	all, err := objects(t, "org.bluez", "/")
	if err != nil {
		t.Fatal(err)
	}
	uuids, _ = all[dbus.ObjectPath("/org/bluez/"+hci)]["org.bluez.Adapter1"]["UUIDs"].Value().([]string)
	return uuids
}

// TestEspressifShutsOthers: where there is a code, neither the native protocol nor Improv is a way
// around it, not for a phone that was bonded before either. In the session of the same phone they work.
func TestEspressifShutsOthers(t *testing.T) {
	open := AP{SSID: "behind the code", Security: wifi.Open}
	g := start(t, coded(open))
	p := ready(t, true)
	p.mustWrite(central.SSIDUUID, []byte("before")...)
	code := g.newCode()
	refused := func(why string) {
		t.Helper()
		for _, uuid := range []string{central.SSIDUUID, central.ControlUUID, central.ScanUUID, improvCommand} {
			if err := p.write(uuid, []byte{1}); !errors.Is(err, central.ATTWriteNotPermitted) {
				t.Errorf("%s: %s: %v", why, uuid, err)
			}
		}
	}
	refused("bonded, without the code")
	if s := p.status(); s != central.StatusIdle {
		t.Errorf("status %s", s)
	}
	p.expect(central.StatusIdle) // what was read
	waitFor(t, "the code's service", patience, func() error {
		_, err := p.session.Read(p.deadline(), espressifVersion)
		return err
	})
	p.prove(code)
	p.provision(open.SSID, "", wifi.AutoDetect)
	p.expect(central.StatusConnecting, central.StatusConnected)
	run(t, "wifiprovctl", "code", "new", "--print")
	g.event("code")
	refused("by the code of before")
	signals := statusChanges(t)
	run(t, "wifiprovctl", "code", "remove")
	g.event("code-none")
	codeTurns(t, signals, "none", false)
	p.mustWrite(central.SSIDUUID, []byte("after")...) // nobody asks for a code that is not there
}

// TestEspressifSmallMTU: every message arrives with the smallest MTU, in pieces; two phones have
// sessions of their own at once; and what is hostile is an ATT error, after which the session goes on.
func TestEspressifSmallMTU(t *testing.T) {
	if strings.HasPrefix(run(t, "uname", "-r"), "6.1.") {
		t.Skip("Linux 6.1 panics in hci_chan_del when two sockets of ours are closed that btvirt's numbers confuse")
	}
	g := start(t, coded())
	code := g.newCode()
	one := dialATT(t, phoneHCI, notEncrypted)
	first := proveRaw(t, one, code)
	takeNumber(t, secondPhoneHCI)
	two := dialATT(t, secondPhoneHCI, notEncrypted)
	second := proveRaw(t, two, code)
	status := protocomm.ConfigRequest{Command: protocomm.GetStatus}.Encode()
	off := protocomm.Status{Station: protocomm.Disconnected}.Encode()
	ask := func(r *rawATT, c *protocomm.Cipher) {
		t.Helper()
		turn, _ := c.Take()
		if err := r.writeLong(espressifConfig, 0, c.Seal(turn, status)); err != nil {
			t.Fatal(err)
		}
		if answer, err := c.Open(r.readLong(espressifConfig)); err != nil || !bytes.Equal(answer, off) {
			t.Errorf("%x %v", answer, err)
		}
	}
	ask(one, first)
	ask(two, second)
	turn, _ := second.Take()
	for what, value := range map[string][]byte{
		"another session's": second.Seal(turn, status), "a byte": {1}, "rubbish": bytes.Repeat([]byte{7}, 100),
		"a replay": first.Seal(turn, status),
	} {
		if err := one.writeLong(espressifConfig, 0, value); !errors.Is(err, central.ATTUnlikely) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, a := range map[string][]byte{"zeros": make([]byte, srp.Size), "too long": make([]byte, srp.Size+1), "none": nil} {
		h := protocomm.Handshake{Step: protocomm.Hello, User: []byte("wifiprov"), Public: a}
		if err := one.writeLong(espressifSession, 0, h.Encode()); !errors.Is(err, central.ATTUnlikely) {
			t.Errorf("%s: %v", what, err)
		}
	}
	ask(one, first)
	two.leave() // first, and nobody comes again: Linux 6.1 crashes then on btvirt's numbers of connections
	one.leave()
}

// proveRaw proves the code with prepared writes and reads of pieces.
func proveRaw(t testing.TB, r *rawATT, code string) *protocomm.Cipher {
	t.Helper()
	step := func(h protocomm.Handshake) protocomm.Handshake {
		t.Helper()
		if err := r.writeLong(espressifSession, 0, h.Encode()); err != nil {
			t.Fatal(err)
		}
		answer, err := protocomm.ParseHandshake(r.readLong(espressifSession))
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	client := srp.NewClient("wifiprov", []byte(code))
	begin := time.Now()
	hello := step(protocomm.Handshake{Step: protocomm.Hello, User: []byte("wifiprov"), Public: client.Public()})
	t.Logf("the gateway's part of the key exchange, with the pieces: %s", time.Since(begin))
	proof, err := client.Proof(hello.Salt, hello.Public)
	if err != nil {
		t.Fatal(err)
	}
	own := step(protocomm.Handshake{Step: protocomm.Proof, Proof: proof})
	key, err := client.Key(own.Proof)
	if err != nil {
		t.Fatal(err)
	}
	cipher, err := protocomm.NewCipher(key, own.Nonce)
	if err != nil {
		t.Fatal(err)
	}
	return cipher
}

// TestEspressifCustomData: what a phone sends in its session gets to a maker's program, and the answer to
// the phone, the longest there are, too; without a program the phone reads an error, and goes on.
func TestEspressifCustomData(t *testing.T) {
	g := start(t, coded())
	code := g.newCode()
	p := near(t)
	if _, err := p.session.Read(p.deadline(), protocomm.Custom.UUID()); err != nil {
		t.Errorf("nothing was asked: %v", err)
	}
	if err := p.session.Write(p.deadline(), protocomm.Custom.UUID(), []byte("a token")); !errors.Is(err, central.ATTUnlikely) {
		t.Errorf("without a session: %v", err)
	}
	c := p.prove(code)
	token, answer := "token by Espressif's endpoint", "answer by Espressif's endpoint"
	secret(t, "", token)
	secret(t, "", answer)
	if got, err := c.Ask(p.deadline(), protocomm.Custom, []byte(token)); !errors.Is(err, central.ATTUnlikely) {
		t.Errorf("nobody has claimed it, and the phone reads %q, %v", got, err)
	}
	m := newMaker(t)
	m.claims("custom-data")
	most := strings.Repeat("0123456789abcdef", 30) // BlueZ 5.66 sends no value of 512 bytes
	for sent, answered := range map[string]string{token: answer, most: most} {
		done := make(chan error, 1)
		go func() {
			got, err := c.Ask(p.deadline(), protocomm.Custom, []byte(sent))
			if err == nil && string(got) != answered {
				err = fmt.Errorf("it reads other bytes, %d", len(got))
			}
			done <- err
		}()
		m.gets("custom-data", []byte(sent))
		if err := m.call("Reply", "custom-data", []byte(answered)); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if s, err := c.Status(p.deadline()); err != nil || s.Joined || s.Running {
		t.Errorf("the session goes on: %+v, %v", s, err)
	}
}

// TestEspressifGuesses: who guesses is refused, from whatever address, and so is the right code; a
// person at the gateway lets it in at once.
func TestEspressifGuesses(t *testing.T) {
	g := start(t, coded())
	code := g.newCode()
	alsoHears(t, secondPhoneHCI)
	for n := 0; ; n++ {
		if _, i := g.journal.find(g.from, event("code-locked")); i >= 0 {
			t.Logf("locked after %d tries", n)
			break
		}
		if n > 40 {
			t.Fatal("the gateway lets everything be tried")
		}
		hci := []string{phoneHCI, secondPhoneHCI}[n%2]
		guessOnce(t, hci)
	}
	if n := len(slices.DeleteFunc(g.journal.since(g.first), func(e entry) bool { return e["WIFIPROVD_EVENT"] != "code-wrong" })); n > 11 {
		t.Errorf("%d guesses were checked", n)
	}
	p := near(t)
	if _, err := p.session.Prove(p.deadline(), "wifiprov", []byte(code)); !errors.Is(err, central.ErrWrongCode) {
		t.Errorf("while it is locked: %v", err)
	}
	run(t, "wifiprovctl", "open", "--for", "2m")
	took := waitFor(t, "the right code to be taken", time.Minute, func() error {
		_, err := p.session.Prove(p.deadline(), "wifiprov", []byte(code))
		return err
	})
	t.Logf("the owner is in %s after a person has opened the door", took)
}

// alsoHears does for an adapter what lab-rescan.service does for the first phone's.
func alsoHears(t testing.TB, hci string) {
	rescan := exec.Command("/usr/lib/lab/rescan", hci)
	if err := rescan.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rescan.Process.Kill(); _ = rescan.Wait() })
}

// guessOnce connects, guesses once or is refused, and leaves.
func guessOnce(t testing.TB, hci string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	c, err := central.Open(ctx, central.Options{Adapter: hci})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	gateway := adapterAddress(t, gatewayHCI)
	if _, err := c.Find(ctx, func(g central.Gateway) bool { return strings.EqualFold(g.Address, gateway) }); err != nil {
		t.Fatal(err)
	}
	waitAdvertising(t)
	s, err := c.Connect(ctx, gateway)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Prove(ctx, "wifiprov", fmt.Appendf(nil, "GUESS%07d", time.Now().UnixNano()%10000000)); !errors.Is(err, central.ErrWrongCode) {
		t.Errorf("a guess: %v", err)
	}
	disconnect(t, hci, gateway)
	waitGone(t, adapterAddress(t, hci))
}

// fromFactory makes the codes of a batch, puts them into the gateway's store as an image has them, and
// returns the code on the label of this gateway.
func (g *gateway) fromFactory() string {
	g.t.Helper()
	address, err := os.ReadFile("/sys/class/net/" + wlan + "/phy80211/macaddress")
	if err != nil {
		g.t.Fatal(err)
	}
	own, dir := strings.TrimSpace(string(address)), g.t.TempDir()
	if err := os.WriteFile(dir+"/serials.txt", []byte("10000000a1b2c3d4\n"+own+"\n"), 0o600); err != nil {
		g.t.Fatal(err)
	}
	run(g.t, "wifiprovctl", "code", "batch", "--serials", dir+"/serials.txt", "--name", "PROV_A1B2C3", "--out", dir+"/batch")
	labels, err := os.Open(dir + "/batch/labels.csv")
	if err != nil {
		g.t.Fatal(err)
	}
	defer labels.Close()
	rows, err := csv.NewReader(labels).ReadAll()
	if err != nil || len(rows) != 3 || rows[2][0] != own {
		g.t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows[1:] {
		secret(g.t, "", row[3])
	}
	run(g.t, "cp", "-r", dir+"/batch/codes", storeDir+"/")
	return rows[2][3]
}

// TestEspressifCommand: a gateway takes the code of its label from those of its image at its first
// start, and wifiprovctl provisions by it.
func TestEspressifCommand(t *testing.T) {
	home := AP{SSID: "by wifiprovctl", Security: wifi.WPA2PSK, Passphrase: "the password by wifiprovctl"}
	s := coded(home)
	s.stopped = true
	g := start(t, s)
	code := g.fromFactory()
	if _, results := examined(t); results["code"].Verdict != "unknown" || !strings.Contains(results["code"].Message, "when it starts") {
		t.Errorf("before the first start doctor says %+v", results["code"])
	}
	g.start()
	g.event("code-found")
	g.event("code")
	if left, err := filepath.Glob(storeDir + "/codes*"); err != nil || len(left) > 0 {
		t.Errorf("the codes of others are still there: %q, %v", left, err)
	}
	codeShown(t, "set: phones must prove it", "these are shut: native, improv")
	secret(t, home.SSID, home.Passphrase)
	dir := t.TempDir()
	for name, content := range map[string]string{"code": code, "wrong": "NOTTHECODE99", "password": home.Passphrase} {
		if err := os.WriteFile(dir+"/"+name, []byte(content+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	provision := func(codeFile string) error {
		_, err := try("wifiprovctl", "provision", "--adapter", phoneHCI, "--ssid", home.SSID, "--code-file", dir+"/"+codeFile, "--password-file", dir+"/password")
		waitGone(t, adapterAddress(t, phoneHCI))
		return err
	}
	if err := provision("wrong"); err == nil || !strings.Contains(err.Error(), "does not take the code") {
		t.Errorf("a wrong code: %v", err)
	}
	waitAdvertising(t)
	if err := provision("code"); err != nil {
		t.Error(err)
	}
	g.stores(&home)
	if out := run(t, "wifiprovctl", "code", "status"); !strings.Contains(out, "whoever provisions must prove it") {
		t.Errorf("%s", out)
	}

	overwrite(t, configFile, "no configuration\n") // the code is all that this owner has
	systemctl(t, "restart", unit)
	g.event("configuration-broken")
	g.becomes(central.StatusConnected)
	waitAdvertising(t)
	if err := provision("code"); err != nil {
		t.Errorf("with a broken configuration: %v", err)
	}
}
