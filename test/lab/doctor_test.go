//go:build lab

package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// finding is one check in the output of wifiprovctl doctor --json.
type finding struct{ Check, Verdict, Message, Fix string }

// examined runs wifiprovctl doctor and returns its exit status and what it found.
func examined(t testing.TB, command ...string) (int, map[string]finding) {
	t.Helper()
	command = append(command, "wifiprovctl", "doctor", "--json")
	code, out := exitStatus(t, command[0], command[1:]...)
	var report struct {
		OK     bool
		Checks []finding
	}
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&report); err != nil {
		t.Fatalf("doctor --json ends with %d and prints\n%s", code, out)
	}
	if report.OK != (code == 0) {
		t.Errorf("doctor says ok: %v and ends with %d", report.OK, code)
	}
	results := map[string]finding{}
	for _, r := range report.Checks {
		results[r.Check] = r
	}
	return code, results
}

// TestDoctorHealthy: a gateway that is well, for root and for an ordinary user.
func TestDoctorHealthy(t *testing.T) {
	start(t, situation{})
	t.Logf("wifiprovctl doctor:\n%s", run(t, "wifiprovctl", "doctor"))
	code, results := examined(t)
	for _, r := range results {
		if r.Verdict != "ok" {
			t.Errorf("a gateway that is well: %+v", r)
		}
	}
	if code != 0 || len(results) != 13 {
		t.Errorf("doctor ends with %d and has %d checks", code, len(results))
	}
	code, results = examined(t, "runuser", "-u", "nobody", "--")
	if code != 0 || results["store"].Verdict != "unknown" || !strings.Contains(results["store"].Fix, "sudo") {
		t.Errorf("for an ordinary user doctor ends with %d: %+v", code, results)
	}
}

// TestDoctorWithoutOptions: bluetoothd runs without the options of the drop-in.
func TestDoctorWithoutOptions(t *testing.T) {
	start(t, situation{})
	const conf, hidden = "/usr/lib/systemd/system/bluetooth.service.d/51-wifiprovd.conf", "/run/51-wifiprovd.conf"
	swap := func(from, to string) {
		run(t, "mv", from, to)
		systemctl(t, "daemon-reload")
		systemctl(t, "restart", bluetoothd)
	}
	swap(conf, hidden)
	t.Cleanup(func() { swap(hidden, conf) })
	waitFor(t, "doctor's finding", patience, func() error {
		if _, results := examined(t); results["bluetoothd"].Verdict != "wrong" || !strings.Contains(results["bluetoothd"].Message, "may not pair again") {
			return fmt.Errorf("doctor says %+v", results["bluetoothd"])
		}
		return nil
	})
}

// TestDoctorFaults breaks one thing after the other, and mends each.
func TestDoctorFaults(t *testing.T) {
	start(t, situation{stopped: true})
	if code, out := exitStatus(t, "wifiprovctl", "status"); code != 10 || !strings.Contains(out, "systemctl start wifiprovd") {
		t.Errorf("status without a daemon ends with %d:\n%s", code, out)
	}
	doctorFinds(t, "service", "", "systemctl enable --now wifiprovd")

	blockedWifi(t)
	readableStore(t)
	newerStore(t)
	adapterWithoutPower(t)
	codeOfNoUse(t)

	writeConfig(t, map[string]string{"log.level": "loud"})
	doctorFinds(t, "configuration", "loud", "wifiprovd -check")
	writeConfig(t, nil)
	mended(t, "configuration")

	systemctl(t, "stop", supplicantd)
	doctorFinds(t, "wpa_supplicant", "", "systemctl enable --now wpa_supplicant")
	systemctl(t, "start", supplicantd)
	mended(t, "wpa_supplicant")

	systemctl(t, "start", unit)
	mended(t, "service")
}

// doctorFinds checks that doctor finds a fault, that its message names what message is, and that it
// says how to fix it.
func doctorFinds(t testing.TB, check, message, fix string) {
	t.Helper()
	code, results := examined(t)
	r := results[check]
	if code != 1 || r.Verdict != "wrong" || !strings.Contains(r.Message, message) || !strings.Contains(r.Fix, fix) {
		t.Errorf("with the fault doctor ends with %d and says %+v", code, r)
	}
	t.Logf("%s: %s -> %s", check, r.Message, r.Fix)
}

// mended checks that doctor finds no fault any more.
func mended(t testing.TB, check string) {
	t.Helper()
	if _, results := examined(t); results[check].Verdict != "ok" {
		t.Errorf("mended, but %+v", results[check])
	}
}

// overwrite replaces a file's text.
func overwrite(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// blockedWifi: rfkill blocks the radio.
func blockedWifi(t testing.TB) {
	switches, err := filepath.Glob("/sys/class/net/" + wlan + "/phy80211/rfkill*/soft")
	if err != nil || len(switches) != 1 {
		t.Fatalf("rfkill switches of %s: %v, %v", wlan, switches, err)
	}
	t.Cleanup(func() { overwrite(t, switches[0], "0") })
	overwrite(t, switches[0], "1")
	doctorFinds(t, "interface", "blocked", "rfkill unblock wifi")
	overwrite(t, switches[0], "0")
	mended(t, "interface")
}

// readableStore: others can read the store.
func readableStore(t testing.TB) {
	overwrite(t, storeFile, fmt.Sprintf(`{"version":%d,"networks":[],"bonds":[]}`, storeVersion))
	if err := os.Chmod(storeFile, 0o644); err != nil {
		t.Fatal(err)
	}
	doctorFinds(t, "store", "0644", "chmod 0600 "+storeFile)
	run(t, "sh", "-c", "chmod 0600 "+storeFile)
	mended(t, "store")
	emptyStore(t)
}

// newerStore: a newer daemon wrote the store.
func newerStore(t testing.TB) {
	plantStore(t, `{"version":99}`)
	doctorFinds(t, "store", "99", "")
	emptyStore(t)
	mended(t, "store")
}

// codeOfNoUse: the code that the gateway is to have is missing, damaged, or asked for by nothing.
func codeOfNoUse(t testing.TB) {
	writeConfig(t, map[string]string{"bluetooth.protocols": "[native, espressif]", "bluetooth.require_code": "true"})
	doctorFinds(t, "code", "nobody can provision", "wifiprovctl code new")
	secret(t, "", codeIn(t, run(t, "wifiprovctl", "code", "new", "--print")))
	mended(t, "code")
	if code, results := examined(t, "runuser", "-u", "nobody", "--"); results["code"].Verdict != "unknown" {
		t.Errorf("for an ordinary user doctor ends with %d: %+v", code, results["code"])
	}
	overwrite(t, storeDir+"/code.json", `{"version":1}`)
	doctorFinds(t, "code", "it holds no verifier", "wifiprovctl code new")
	secret(t, "", codeIn(t, run(t, "wifiprovctl", "code", "new", "--print")))
	writeConfig(t, map[string]string{"bluetooth.protocols": "[native]"})
	doctorFinds(t, "code", "nothing asks for", "wifiprovctl code remove")
	run(t, "wifiprovctl", "code", "remove")
	writeConfig(t, nil)
	if _, results := examined(t); results["code"].Check != "" {
		t.Errorf("without a code, and with none wanted: %+v", results["code"])
	}
}

// adapterWithoutPower: the adapter is switched off.
func adapterWithoutPower(t testing.TB) {
	power := func(on string) {
		t.Helper()
		run(t, "busctl", "set-property", "org.bluez", "/org/bluez/"+gatewayHCI, "org.bluez.Adapter1", "Powered", "b", on)
	}
	t.Cleanup(func() { power("true") })
	power("false")
	doctorFinds(t, "adapter", gatewayHCI, "bluetoothctl power on")
	power("true")
	mended(t, "adapter")
}
