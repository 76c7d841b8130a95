//go:build lab

package lab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// storeVersion is that of the format that the daemon writes.
const storeVersion = 2

// stored is what the store's file holds.
type stored struct {
	Version  int
	Networks []struct {
		SSID, Passphrase []byte
		Proven           bool
	}
	Bonds []any
}

// readStore reads the store's file, which must be whole. Without a file nothing is stored.
func readStore() (s stored, err error) {
	text, err := os.ReadFile(storeFile)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err == nil && s.Version != storeVersion {
		err = fmt.Errorf("the store has version %d, not %d", s.Version, storeVersion)
	}
	return s, err
}

// stores waits until the store holds the network of ap, proven, and nothing else; nil: none at all.
func (g *gateway) stores(ap *AP) {
	g.t.Helper()
	waitFor(g.t, "the right store", patience, func() error {
		s, err := readStore()
		if err != nil {
			return err
		}
		for _, n := range s.Networks {
			switch {
			case !n.Proven:
				return fmt.Errorf("it holds the candidate %q", n.SSID)
			case ap == nil || string(n.SSID) != ap.SSID || string(n.Passphrase) != ap.Passphrase:
				return fmt.Errorf("it holds %q, perhaps with another password", n.SSID)
			}
		}
		if ap != nil && len(s.Networks) != 1 {
			return fmt.Errorf("it holds %d networks", len(s.Networks))
		}
		return nil
	})
}

// plantStore makes text the store of a daemon that is stopped.
func plantStore(t testing.TB, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(storeDir, 0o700), os.WriteFile(storeFile, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// TestStoreVersion1: the store of an older daemon is used as it is, and is written in today's format
// when the network has been joined.
func TestStoreVersion1(t *testing.T) {
	home := AP{SSID: "an older home", Security: wifi.WPA2PSK, Passphrase: "an older passphrase"}
	g := start(t, situation{aps: []AP{home}, stopped: true})
	network, err := json.Marshal(map[string]any{
		"ssid": []byte(home.SSID), "passphrase": []byte(home.Passphrase), "security": "auto", "bssid": "", "frequency_mhz": 0,
	})
	if err != nil {
		t.Fatal(err)
	}
	plantStore(t, fmt.Sprintf(`{"version":1,"active":%s,"bonds":[]}`, network))
	g.start()
	g.becomes(central.StatusConnected)
	waitFor(t, "online", patience, func() error { return g.online(1) })
	g.stores(&home)
}

// TestStoreNewer: after a downgrade, the store of a newer daemon is kept. The gateway can be found,
// shows FAILED, and refuses to store a network, until a phone erases it.
func TestStoreNewer(t *testing.T) {
	const newer = `{"version":99,"fleet":{"ssid":"of a newer version"}}`
	home := AP{SSID: "a home after all", Security: wifi.WPA2PSK, Passphrase: "a passphrase after all"}
	g := start(t, situation{aps: []AP{home}, config: map[string]string{"bluetooth.security": "none"}, stopped: true})
	plantStore(t, newer)
	isKept := func() {
		t.Helper()
		text, err := os.ReadFile(storeFile)
		files, _ := os.ReadDir(storeDir)
		if err != nil || !bytes.Equal(text, []byte(newer)) || len(files) != 1 {
			t.Errorf("the newer store is %q, %v, in %v", text, err, files)
		}
	}
	g.start()
	g.fails(wifi.FailureInternal)
	p := ready(t, false)
	if status, reason := p.status(), p.reason(); status != central.StatusFailed || reason != wifi.FailureInternal {
		t.Errorf("status %s, reason %s", status, reason)
	}
	p.until(central.StatusFailed) // what was read
	p.provision(home.SSID, home.Passphrase, wifi.AutoDetect)
	p.until(central.StatusFailed)
	g.fails(wifi.FailureInternal)
	isKept()

	p.command(central.ControlErase)
	p.until(central.StatusIdle)
	g.event("erased")
	g.stores(nil)
	p.provision(home.SSID, home.Passphrase, wifi.AutoDetect)
	p.until(central.StatusConnected)
	g.stores(&home)
}

// TestStoreFails: the store's folder is on a disk that is full, then read-only. The phone is told,
// and what was stored stays.
func TestStoreFails(t *testing.T) {
	home := AP{SSID: "kept", Security: wifi.WPA2PSK, Passphrase: "a passphrase that stays"}
	other := AP{SSID: "in memory", Security: wifi.WPA2PSK, Passphrase: "a passphrase in memory", Channel: 6}
	g := start(t, situation{stopped: true})
	mountStore(t) // before the daemon starts: its mounts are its own
	startAPs(t, home, other)
	g.start()
	p := g.joined(home)
	g.stores(&home)

	filler := fillStore(t)
	g.keepsInMemory(p, other, home)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	pid := g.pid()
	remount := func(how string) {
		run(t, "nsenter", "--mount=/proc/"+pid+"/ns/mnt", "mount", "-o", "remount,"+how, storeDir)
	}
	remount("ro")
	g.keepsInMemory(p, home, home)
	p.command(central.ControlErase)
	p.until(central.StatusFailed)
	g.fails(wifi.FailureInternal)
	g.stores(&home)
	remount("rw")
	p.provision(other.SSID, other.Passphrase, wifi.AutoDetect)
	p.until(central.StatusConnected)
	g.event("store-usable")
	g.stores(&other)
}

// TestStoreCannotSync: fsync fails as it does on a worn-out disk. The phone is told, and what was
// stored stays.
func TestStoreCannotSync(t *testing.T) {
	home := AP{SSID: "synced", Security: wifi.WPA2PSK, Passphrase: "a passphrase on the disk"}
	other := AP{SSID: "not synced", Security: wifi.WPA2PSK, Passphrase: "a passphrase in memory", Channel: 6}
	g := start(t, situation{aps: []AP{home, other}})
	p := g.joined(home)
	p.leave()
	g.becomes(central.StatusConnected)
	dropIn(t, "SystemCallFilter=~fsync\nSystemCallErrorNumber=EIO")
	systemctl(t, "restart", unit)
	g.becomes(central.StatusConnected)
	p.find()
	p.connect()
	p.watch()
	g.keepsInMemory(p, other, home)
	p.leave()
	systemctl(t, "restart", unit)
	g.becomes(central.StatusConnected)
	if err := radio(1).lists(wifiAddress(t)); err != nil {
		t.Errorf("after a restart it is not on what is stored: %v", err)
	}
}

// mountStore puts the store's folder on a small disk of its own, for this test.
func mountStore(t testing.TB) {
	run(t, "mount", "-t", "tmpfs", "-o", "mode=0700,size=64k", "tmpfs", storeDir)
	t.Cleanup(func() {
		systemctl(t, "stop", unit)
		run(t, "umount", storeDir)
	})
}

// fillStore fills the store's disk and returns the file that does.
func fillStore(t testing.TB) string {
	const filler = storeDir + "/filler"
	fill, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	for err = nil; err == nil; {
		_, err = fill.Write(make([]byte, 512))
	}
	t.Logf("the disk is full: %v", errors.Join(err, fill.Close()))
	return filler
}

// keepsInMemory provisions a network that cannot be stored: it is joined all the same, the journal says
// that it is lost at the next start, and what was stored stays on the disk.
func (g *gateway) keepsInMemory(p *phone, ap, kept AP) {
	g.t.Helper()
	p.provision(ap.SSID, ap.Passphrase, wifi.AutoDetect)
	p.until(central.StatusConnected)
	g.event("store-unusable", "PRIORITY=3")
	g.becomes(central.StatusConnected)
	g.stores(&kept)
}
