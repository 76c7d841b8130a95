//go:build lab

package lab

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// TestStoreFails: the store's folder is on a disk that is full, then read-only.
// The phone is told, and what was stored stands.
func TestStoreFails(t *testing.T) {
	home := AP{SSID: "kept", Security: wifi.WPA2PSK, Passphrase: "a passphrase that stays"}
	g := start(t, situation{stopped: true})
	mountStore(t) // before the daemon starts: its mounts are its own
	startAPs(t, home)
	g.start()
	p := g.joined(home)
	g.stores(&home)

	filler := fillStore(t)
	g.failsToStore("full", p, home)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	pid := g.pid()
	remount := func(how string) {
		run(t, "nsenter", "--mount=/proc/"+pid+"/ns/mnt", "mount", "-o", "remount,"+how, storeDir)
	}
	remount("ro")
	g.failsToStore("read-only", p, home)
	remount("rw")
	g.becomes(central.StatusConnected) // with what was stored
	waitFor(t, "no more statuses", patience, p.drained)
	p.provision(home.SSID, home.Passphrase, wifi.AutoDetect)
	p.expect(central.StatusConnecting, central.StatusConnected)
}

// TestStoreCannotSync: fsync fails as it does on a disk that is worn out. The phone is
// told, and what was stored stands.
func TestStoreCannotSync(t *testing.T) {
	home := AP{SSID: "synced", Security: wifi.WPA2PSK, Passphrase: "a passphrase on the disk"}
	g := start(t, situation{aps: []AP{home}})
	p := g.joined(home)
	p.leave()
	g.becomes(central.StatusConnected)
	dropIn(t, "SystemCallFilter=~fsync\nSystemCallErrorNumber=EIO")
	systemctl(t, "restart", unit)
	g.becomes(central.StatusConnected)
	p.find()
	p.connect()
	p.watch()
	g.failsToStore("fsync fails", p, home)
	g.becomes(central.StatusConnected)
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

// failsToStore provisions another network, which must fail as it cannot be stored,
// and leave what was stored.
func (g *gateway) failsToStore(what string, p *phone, kept AP) {
	g.t.Helper()
	p.provision("elsewhere", "a passphrase of elsewhere", wifi.AutoDetect)
	for {
		var value []byte
		select {
		case value = <-p.statuses:
		case <-time.After(patience):
			g.t.Fatalf("%s: FAILED was not notified", what)
		}
		if s := central.Status(value[0]); s == central.StatusFailed {
			break
		}
	}
	if reason := p.reason(); reason != wifi.FailureInternal {
		g.t.Errorf("%s: reason %d (%s), want %d", what, reason, reason, wifi.FailureInternal)
	}
	g.logged(patience, "WIFIPROVD_STATE=FAILED", "WIFIPROVD_REASON=internal")
	g.stores(&kept)
}

// drained takes a notified status; nil if there is none.
func (p *phone) drained() error {
	select {
	case <-p.statuses:
		return errors.New("there are more statuses")
	default:
		return nil
	}
}
