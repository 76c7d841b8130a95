//go:build lab

package lab

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/doctor"
)

// examined runs wifiprovctl doctor and returns its exit status and what it found.
func examined(t testing.TB, command ...string) (int, map[string]doctor.Result) {
	t.Helper()
	command = append(command, "wifiprovctl", "doctor", "--json")
	code, out := exitStatus(t, command[0], command[1:]...)
	var report struct {
		OK     bool
		Checks []doctor.Result
	}
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&report); err != nil {
		t.Fatalf("doctor --json ends with %d and prints\n%s", code, out)
	}
	if report.OK != (code == 0) {
		t.Errorf("doctor says ok: %v and ends with %d", report.OK, code)
	}
	results := map[string]doctor.Result{}
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
		if r.Verdict != doctor.OK {
			t.Errorf("a gateway that is well: %+v", r)
		}
	}
	if code != 0 || len(results) != 12 {
		t.Errorf("doctor ends with %d and has %d checks", code, len(results))
	}
	code, results = examined(t, "runuser", "-u", "nobody", "--")
	if code != 0 || results["store"].Verdict != doctor.Unknown || !strings.Contains(results["store"].Mend, "sudo") {
		t.Errorf("for an ordinary user doctor ends with %d: %+v", code, results)
	}
}

// TestDoctorFaults makes one thing wrong after the other, each mended again.
func TestDoctorFaults(t *testing.T) {
	start(t, situation{stopped: true})
	if code, out := exitStatus(t, "wifiprovctl", "status"); code != 10 || !strings.Contains(out, "systemctl start wifiprovd") {
		t.Errorf("status without a daemon ends with %d:\n%s", code, out)
	}
	doctorFinds(t, "service", "does not run", "systemctl enable --now wifiprovd")

	blockedWifi(t)
	readableStore(t)
	adapterWithoutPower(t)

	writeConfig(t, map[string]string{"log.level": "loud"})
	doctorFinds(t, "configuration", "loud", "wifiprovd -check")
	writeConfig(t, nil)
	mended(t, "configuration")

	systemctl(t, "stop", supplicantd)
	doctorFinds(t, "wpa_supplicant", "does not run", "systemctl enable --now wpa_supplicant")
	systemctl(t, "start", supplicantd)
	mended(t, "wpa_supplicant")

	systemctl(t, "start", unit)
	mended(t, "service")
}

// doctorFinds checks that, with a fault, doctor finds it and says how it is mended.
func doctorFinds(t testing.TB, check, says, mend string) {
	t.Helper()
	code, results := examined(t)
	r := results[check]
	if code != 1 || r.Verdict != doctor.Wrong || !strings.Contains(r.Says, says) || !strings.Contains(r.Mend, mend) {
		t.Errorf("with the fault doctor ends with %d and says %+v", code, r)
	}
	t.Logf("%s: %s -> %s", check, r.Says, r.Mend)
}

// mended checks that doctor is content again.
func mended(t testing.TB, check string) {
	t.Helper()
	if _, results := examined(t); results[check].Verdict != doctor.OK {
		t.Errorf("mended, but %+v", results[check])
	}
}

// overwrite gives a file another text.
func overwrite(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// blockedWifi: a switch of the kernel keeps the radio silent.
func blockedWifi(t testing.TB) {
	switches, err := filepath.Glob("/sys/class/net/" + wlan + "/phy80211/rfkill*/soft")
	if err != nil || len(switches) != 1 {
		t.Fatalf("rfkill switches of %s: %v, %v", wlan, switches, err)
	}
	t.Cleanup(func() { overwrite(t, switches[0], "0") })
	overwrite(t, switches[0], "1")
	doctorFinds(t, "interface", "blocked by software", "rfkill unblock wifi")
	overwrite(t, switches[0], "0")
	mended(t, "interface")
}

// readableStore: anyone can read the store.
func readableStore(t testing.TB) {
	overwrite(t, storeFile, "{}")
	if err := os.Chmod(storeFile, 0o644); err != nil {
		t.Fatal(err)
	}
	doctorFinds(t, "store", "has mode 0644", "chmod 0600 "+storeFile)
	run(t, "sh", "-c", "chmod 0600 "+storeFile)
	mended(t, "store")
	emptyStore(t)
}

// adapterWithoutPower: the adapter is switched off.
func adapterWithoutPower(t testing.TB) {
	power := func(on string) {
		t.Helper()
		run(t, "busctl", "set-property", "org.bluez", "/org/bluez/"+gatewayHCI, "org.bluez.Adapter1", "Powered", "b", on)
	}
	t.Cleanup(func() { power("true") })
	power("false")
	doctorFinds(t, "adapter", "hci0 is powered off", "bluetoothctl power on")
	power("true")
	mended(t, "adapter")
}
