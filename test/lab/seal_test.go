//go:build lab

package lab

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/code"
	"github.com/wifiprovd/wifiprovd/internal/seal"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const hostSecret = "/var/lib/systemd/credential.secret" // systemd-creds(1)

// seals runs wifiprovctl seal for what store.seal is set to, and returns what it prints.
func (g *gateway) seals(setting, security string, args ...string) string {
	g.t.Helper()
	config := map[string]string{"store.seal": setting, "bluetooth.security": security}
	if security == "" {
		delete(config, "bluetooth.security")
	}
	writeConfig(g.t, config)
	g.from = g.journal.mark(g.t, strings.Join(append([]string{"seal", setting, security}, args...), " "))
	out := run(g.t, "wifiprovctl", append([]string{"seal"}, args...)...)
	g.t.Logf("wifiprovctl seal %s, with store.seal: %s:\n%s", strings.Join(args, " "), setting, out)
	return out
}

// unsealed has the machine be without a key after the test.
func unsealed(t testing.TB) {
	t.Cleanup(func() {
		systemctl(t, "stop", unit, seal.Unit)
		for _, path := range []string{filepath.Dir(seal.DropIn), seal.File, seal.File + ".old"} {
			if err := os.RemoveAll(path); err != nil {
				t.Error(err)
			}
		}
		systemctl(t, "daemon-reload")
	})
}

// sealed checks that the store has ap, sealed, and that the passwords of aps are in no file of its
// folder.
func (g *gateway) sealed(ap AP, aps ...AP) {
	g.t.Helper()
	known := knownPSKs(g.t)
	var needles [][]byte
	for _, ap := range append(aps, ap) {
		needles = append(needles, known.forms(g.t, usedSecret{ap.SSID, ap.Passphrase})...)
	}
	known.save(g.t)
	waitFor(g.t, "a sealed store", patience, func() error {
		var s struct {
			Version  int
			Networks []struct {
				SSID, Passphrase, Sealed []byte
				Key                      string
			}
		}
		text, err := os.ReadFile(storeFile)
		if err == nil {
			err = json.Unmarshal(text, &s)
		}
		if err == nil && (s.Version != 3 || len(s.Networks) != 1 || string(s.Networks[0].SSID) != ap.SSID ||
			s.Networks[0].Passphrase != nil || len(s.Networks[0].Sealed) == 0 || s.Networks[0].Key == "") {
			err = fmt.Errorf("it is %s", text)
		}
		return err
	})
	files, err := filepath.Glob(storeDir + "/*")
	hidden, err2 := filepath.Glob(storeDir + "/.*")
	if err := errors.Join(err, err2); err != nil {
		g.t.Fatal(err)
	}
	for _, file := range append(files, hidden...) {
		data, err := os.ReadFile(file)
		if err != nil {
			g.t.Fatal(err)
		}
		if found := newFinder(needles).find(data); len(found) > 0 {
			g.t.Errorf("%s holds a password, at %v", file, found)
		}
	}
}

// codeTold waits for an event of the code, which comes in no order with others.
func (g *gateway) codeTold(name string, matches ...string) {
	g.t.Helper()
	from := g.from
	g.event(name, matches...)
	g.from = from
}

// codeSealed checks how the code's verifier lies on the disk, and that nothing else of it does.
func (g *gateway) codeSealed(want bool) {
	g.t.Helper()
	inClear, sealedBy := code.Look(storeDir)
	if inClear == want || (sealedBy != "") != want {
		g.t.Errorf("the code's verifier is in clear: %v, sealed by %q; want sealed: %v", inClear, sealedBy, want)
	}
	if left, err := filepath.Glob(storeDir + "/.code.json*"); err != nil || len(left) > 0 {
		g.t.Errorf("left behind: %q, %v", left, err)
	}
	if out := run(g.t, "wifiprovctl", "code", "status"); !strings.Contains(out, "a code of user wifiprov") {
		g.t.Errorf("code status: %s", out)
	}
}

// sealStory seals the store of a gateway that is on its network, loses the key, provisions anew, and
// undoes it all.
func sealStory(t *testing.T, setting string, kind seal.Kind, lose func()) {
	home := AP{SSID: "sealed at home", Security: wifi.WPA2PSK, Passphrase: "a passphrase to be sealed"}
	other := AP{SSID: "sealed elsewhere", Security: wifi.WPA2PSK, Passphrase: "another passphrase to seal", Channel: 6}
	g := start(t, situation{aps: []AP{home, other}})
	unsealed(t)
	p := g.joined(home)
	p.leave()
	g.stores(&home)
	g.newCode() // which nothing asks for here: only how it is kept is of interest

	g.seals(setting, "")
	g.event("store-sealed")
	g.codeTold("code-sealed")
	g.codeSealed(true)
	g.becomes(central.StatusConnected)
	g.sealed(home)
	wrapped, err := os.ReadFile(seal.File)
	if err != nil || seal.KindOf(wrapped) != kind {
		t.Errorf("the key is bound to %s, %v; want %s", seal.KindOf(wrapped), err, kind)
	}
	if _, results := examined(t); results["seal"].Verdict != "ok" {
		t.Errorf("doctor says %+v", results["seal"])
	}
	systemctl(t, "restart", seal.Unit, unit) // as at a boot
	g.becomes(central.StatusConnected)

	lose()
	g.from = g.journal.mark(t, "the key is lost")
	systemctl(t, "stop", unit, seal.Unit)
	g.start()
	g.event("store-locked", "PRIORITY=3")
	g.codeTold("code-broken", "PRIORITY=3")
	g.codeSealed(true)
	g.becomes(central.StatusIdle)
	doctorFinds(t, "seal", "another board", "--new-key")
	before, err := os.ReadFile(storeFile)
	if err != nil {
		t.Fatal(err)
	}
	p.find()
	p.connect()
	p.watch()
	p.provision(other.SSID, other.Passphrase, wifi.AutoDetect)
	p.until(central.StatusConnected)
	g.event("store-unusable", "PRIORITY=3")
	if after, err := os.ReadFile(storeFile); err != nil || !bytes.Equal(after, before) {
		t.Errorf("without its key the store was written: %s, %v", after, err)
	}
	p.leave()

	g.seals(setting, "", "--new-key")
	g.event("store-locked")
	g.codeTold("code-broken")
	g.becomes(central.StatusIdle)
	from := g.from
	g.newCode()
	g.from = from
	g.codeTold("code-sealed")
	g.codeSealed(true)
	p.find()
	p.connect()
	p.watch()
	p.provision(other.SSID, other.Passphrase, wifi.AutoDetect)
	p.until(central.StatusConnected)
	g.becomes(central.StatusConnected)
	g.sealed(other, home)
	p.leave()

	g.seals("none", "", "--undo")
	g.event("store-opened")
	g.codeTold("code-opened")
	g.codeSealed(false)
	run(t, "wifiprovctl", "code", "remove")
	g.becomes(central.StatusConnected)
	g.stores(&other)
	for _, path := range []string{seal.File, seal.DropIn} {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", path, err)
		}
	}
}

// TestSealHost: the key is bound to systemd's file on the same disk, which is lost.
func TestSealHost(t *testing.T) {
	sealStory(t, "host", seal.Host, func() {
		if err := os.Remove(hostSecret); err != nil {
			t.Fatal(err)
		}
	})
}

// TestSealTPM: the key is bound to the board's TPM, which is cleared.
func TestSealTPM(t *testing.T) {
	startTPM(t)
	t.Cleanup(func() { removeTPM(t) })
	sealStory(t, "tpm2", seal.TPM2, func() { clearTPM(t) })
}

const tpmState = "/var/lib/lab/tpm" // lab-tpm.service has it

// startTPM gives the machine a new TPM in software, /dev/tpmrm0, which it still has after a reboot.
func startTPM(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("swtpm"); err != nil {
		t.Skip("not this machine: run.sh, amd64") // arm64
	}
	anotherTPM(t)
	systemctl(t, "start", "lab-tpm")
	waitFor(t, "the TPM", patience, func() error {
		_, err := os.Stat("/dev/tpmrm0")
		return err
	})
	waitFor(t, "its unit", patience, func() error {
		_, err := try("systemctl", "is-active", "dev-tpmrm0.device")
		return err
	})
}

// anotherTPM takes the TPM away, if there is one. Another one will be there from the next start of
// lab-tpm.service on.
func anotherTPM(t *testing.T) {
	t.Helper()
	removeTPM(t)
	if err := os.Mkdir(tpmState, 0o700); err != nil {
		t.Fatal(err)
	}
}

func removeTPM(t *testing.T) {
	t.Helper()
	systemctl(t, "stop", "lab-tpm")
	if err := os.RemoveAll(tpmState); err != nil {
		t.Fatal(err)
	}
}

// clearTPM has the TPM forget all that is bound to it: TPM2_Clear with the lockout's password, which
// is empty (TPM 2.0 Library, Part 3).
func clearTPM(t *testing.T) {
	t.Helper()
	command, _ := hex.DecodeString("8002" + "0000001b" + "00000126" + "4000000a" + "00000009" + "40000009" + "0000" + "00" + "0000")
	// Not by os.File, which does not block: the driver would answer later (drivers/char/tpm/tpm-dev-common.c).
	f, err := syscall.Open("/dev/tpmrm0", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(f) }()
	answer, n := make([]byte, 4096), 0
	if _, err = syscall.Write(f, command); err == nil {
		n, err = syscall.Read(f, answer)
	}
	answer = answer[:max(n, 0)]
	if err != nil || len(answer) < 10 || !bytes.Equal(answer[6:10], make([]byte, 4)) {
		t.Fatalf("TPM2_Clear is answered %x, %v", answer, err)
	}
}

// protection is a setting of bluetooth.security and one of store.seal.
type protection struct{ security, seal string }

// protections are the states of TestSealMatrix. Whoever goes through them in this order, and back, changes either
// setting, and both at once, in both directions.
var protections = []protection{
	{"authenticated", "none"}, {"authenticated", "host"}, {"encrypt", "none"}, {"none", "host"}, {"encrypt", "host"}, {"none", "none"},
}

// everyStep calls step once for each way from one of n states to another, n(n-1) times: a walk from state at, which must
// be 0, and back to it.
func everyStep(n, at int, step func(to int)) {
	for to := at + 1; to < n; to++ {
		step(to)
		if to == at+1 {
			everyStep(n, to, step)
		}
		step(at)
	}
}

// sealWalk returns the states that TestSealMatrix goes through after the first one, which is also the last: all 30 steps
// that there are in the long form, else ten, by which each state is reached.
func sealWalk() []protection {
	var walk []protection
	everyStep(len(protections), 0, func(to int) { walk = append(walk, protections[to]) })
	if os.Getenv("LAB_LONG") == "" {
		walk = append(walk[:9], protections[0])
	}
	return walk
}

// changes takes the gateway from one protection to another, as its owner would.
func (g *gateway) changes(from, to protection) {
	g.t.Helper()
	switch {
	case to.seal != "none":
		g.seals(to.seal, to.security)
	case from.seal != "none":
		g.seals(to.seal, to.security, "--undo")
	default: // which is not the business of wifiprovctl seal
		writeConfig(g.t, map[string]string{"bluetooth.security": to.security})
		g.from = g.journal.mark(g.t, "restart for "+to.security)
		systemctl(g.t, "restart", unit)
	}
	g.event("starting", "WIFIPROVD_SECURITY="+to.security)
}

// TestSealMatrix: the store and the bond outlive changes of bluetooth.security and store.seal in any order: one by one
// and both at once, from each of the six states to each other one in the long form.
func TestSealMatrix(t *testing.T) {
	home := AP{SSID: "in any order", Security: wifi.WPA2PSK, Passphrase: "a passphrase in any order"}
	at := protections[0]
	g := start(t, situation{aps: []AP{home}, config: map[string]string{"bluetooth.security": at.security}})
	unsealed(t)
	p := newPhone(t, "", g.passkey)
	p.find()
	p.pair()
	p.connect()
	p.watch()
	p.provision(home.SSID, home.Passphrase, wifi.AutoDetect)
	p.until(central.StatusConnected)
	p.leave()
	steps := map[[2]protection]bool{}
	for i, to := range sealWalk() {
		g.changes(at, to)
		g.becomes(central.StatusConnected)
		if to.seal == "none" {
			g.stores(&home)
		} else {
			g.sealed(home)
		}
		if !g.bonded(adapterAddress(t, phoneHCI)) {
			t.Fatalf("the bond did not outlive step %d, from %+v to %+v", i, at, to)
		}
		steps[[2]protection{at, to}] = true
		at = to
	}
	t.Logf("%d different steps", len(steps))
	if all := len(protections) * (len(protections) - 1); os.Getenv("LAB_LONG") != "" && len(steps) != all {
		t.Errorf("%d steps were taken, of %d", len(steps), all)
	}
	p.connect() // with the same bond, as authenticated demands
	if status := p.status(); status != central.StatusConnected {
		t.Errorf("status %s", status)
	}
}
