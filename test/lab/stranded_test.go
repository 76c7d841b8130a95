//go:build lab

package lab

import (
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// advertisesWithin is how soon after its start a gateway advertises, whatever is wrong with it.
const advertisesWithin = 5 * time.Second

// broken are the ways in which a gateway's state is broken at its start (docs/reliability.md).
var broken = []struct {
	name    string
	harm    func(t *testing.T) (mend func())
	event   string // in the journal
	message string // part of it
	check   string // of doctor
	says    string // part of what doctor says
	durable bool   // what a phone then provisions is on the disk
}{
	{"/var/lib is read-only and has no folder", withoutFolder, "store-unusable", "", "store", "is missing", false},
	{"the folder belongs to another user", func(t *testing.T) func() {
		run(t, "chown", "nobody", storeDir)
		return func() { run(t, "chown", "root", storeDir) }
	}, "store-unusable", "belongs to user", "store", "belongs to user", false},
	{"the store is junk", put("100000 bytes", func() error { return os.WriteFile(storeFile, []byte(strings.Repeat("junk ", 20000)), 0o600) }),
		"", "100000 bytes", "store", "set aside", true},
	{"the store is cut short", put("half", func() error { return os.WriteFile(storeFile, []byte(`{"version":2,"netw`), 0o600) }),
		"", "set aside", "store", "set aside", true},
	{"a folder in the store's place", put("folder", func() error { return os.MkdirAll(storeFile+"/in it", 0o700) }),
		"", "is not a regular file", "store", "set aside", true},
	{"a link in the store's place", put("link", func() error { return os.Symlink("/etc/passwd", storeFile) }),
		"", "is a symbolic link", "store", "set aside", true},
	{"the store belongs to another user", put("owner", func() error {
		return errors.Join(os.WriteFile(storeFile, []byte("{}"), 0o600), os.Chown(storeFile, 65534, 65534))
	}), "store-unusable", "permission denied", "store", "belongs to user", true},
	{"the store has mode 000", put("mode", func() error {
		return errors.Join(os.WriteFile(storeFile, []byte("{}"), 0o600), os.Chmod(storeFile, 0))
	}), "store-unusable", "permission denied", "store", "mode 0000", true},
	{"the disk is full", func(t *testing.T) func() {
		mountStore(t)
		filler := fillStore(t)
		return func() { _ = os.Remove(filler) }
	}, "", "", "store", "no space left", false},
	{"the disk cannot sync", func(t *testing.T) func() {
		dropIn(t, "SystemCallFilter=~fsync\nSystemCallErrorNumber=EIO")
		return func() {
			dropIn(t, "")
		}
	}, "", "", "", "", false},
	{"the clock says 1970", func(t *testing.T) func() {
		now := time.Now()
		run(t, "date", "--set", "1970-01-02 00:00:00 UTC")
		begin := time.Now()
		return func() {
			run(t, "date", "--set", now.Add(time.Since(begin)).UTC().Format("2006-01-02 15:04:05 UTC"))
		}
	}, "", "the clock was not set", "clock", "1970", true},
	{"the configuration does not parse", func(t *testing.T) func() {
		overwrite(t, configFile, "bluetooth:\n  security: none\n  name: [\n")
		return func() { writeConfig(t, map[string]string{"bluetooth.security": "none"}) }
	}, "configuration-broken", "", "configuration", configFile + ":", true},
	{"there is no configuration", func(t *testing.T) func() {
		if err := os.Remove(configFile); err != nil {
			t.Fatal(err)
		}
		return func() { writeConfig(t, map[string]string{"bluetooth.security": "none"}) }
	}, "configuration-broken", "", "configuration", configFile, true},
}

// put has something put in the store's place.
func put(_ string, make func() error) func(*testing.T) func() {
	return func(t *testing.T) func() {
		if err := make(); err != nil {
			t.Fatal(err)
		}
		return func() {}
	}
}

func withoutFolder(t *testing.T) func() {
	const aside, writable = "/run/wifiprovd-aside", "/run/var-lib"
	run(t, "mv", storeDir, aside)
	run(t, "mkdir", "-p", writable)
	run(t, "mount", "--bind", "/var/lib", writable)
	run(t, "mount", "--bind", "/var/lib", "/var/lib")
	run(t, "mount", "-o", "remount,bind,ro", "/var/lib")
	run(t, "mount", "--bind", writable+"/lab", "/var/lib/lab") // for the tests
	return func() {
		systemctl(t, "stop", unit)
		run(t, "umount", "/var/lib/lab", "/var/lib", writable)
		run(t, "mv", aside, storeDir)
	}
}

// TestNeverStranded: however broken the gateway's state is, it advertises soon after its start, says what
// is wrong, and can be provisioned by a phone. Once that is mended, all is as usual.
func TestNeverStranded(t *testing.T) {
	home := AP{SSID: "never stranded", Security: wifi.WPA2PSK, Passphrase: "a passphrase for the stranded"}
	for _, b := range broken {
		t.Run(b.name, func(t *testing.T) {
			g := start(t, situation{stopped: true, aps: []AP{home}, config: map[string]string{"bluetooth.security": "none"}})
			mend := sync.OnceFunc(b.harm(t))
			t.Cleanup(mend)
			g.from = g.journal.mark(t, "broken")
			from := g.from
			begin := time.Now()
			g.start()
			g.event("advertising")
			if took := time.Since(begin); took > advertisesWithin {
				t.Errorf("it advertises after %s, want at most %s", took, advertisesWithin)
			}
			if b.check != "" {
				if _, results := examined(t); results[b.check].Verdict != "wrong" || !strings.Contains(results[b.check].Message, b.says) {
					t.Errorf("doctor says %+v, want %q", results[b.check], b.says)
				}
			}
			p := newPhone(t, "", g.passkey)
			p.find()
			if b.event == "configuration-broken" { // whatever the file meant, the passkey is needed
				p.pair()
				if _, i := g.journal.find(from, event("passkey")); i < 0 {
					t.Error("no passkey was shown")
				}
			}
			p.connect()
			p.watch()
			p.provision(home.SSID, home.Passphrase, wifi.AutoDetect)
			p.expect(central.StatusConnecting, central.StatusConnected)
			told := []string{"MESSAGE="}
			switch {
			case b.event != "":
				told = event(b.event, "PRIORITY=3")
			case !b.durable:
				told = event("store-unusable", "PRIORITY=3")
			case b.message != "":
				told = []string{"MESSAGE~" + b.message, "PRIORITY=4"}
			}
			if _, i := g.journal.find(from, told); i < 0 {
				t.Errorf("the journal has no entry with %q", told)
			}
			if b.durable {
				g.stores(&home)
			}
			p.leave()
			mend()
			systemctl(t, "stop", unit)
			if b.durable {
				return // it is mended already
			}
			emptyStore(t)
			g.from = g.journal.mark(t, "mended")
			g.start()
			g.event("advertising")
			p.connect()
			p.watch()
			p.provision(home.SSID, home.Passphrase, wifi.AutoDetect)
			p.expect(central.StatusConnecting, central.StatusConnected)
			g.stores(&home)
		})
	}
}
