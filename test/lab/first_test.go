//go:build lab

package lab

import (
	"io/fs"
	"os"
	"strconv"
	"syscall"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/daemon"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// TestFirstBoot provisions a gateway as it comes out of its box: what the phone
// sees, what the access point sees, what is stored, and what the journal tells.
func TestFirstBoot(t *testing.T) {
	const name = "Gateway № 7"
	home := AP{SSID: "home \"net\"", Security: wifi.WPA2PSK, Passphrase: "first boot passphrase"}
	g := start(t, situation{aps: []AP{home}, config: map[string]string{"bluetooth.name": name}})
	g.logged(patience, "MESSAGE=wifiprovd *", "WIFIPROVD_SECURITY=encrypt")
	g.becomes(central.StatusIdle)
	g.logged(patience, "MESSAGE=advertising as \""+name+"\"*", "WIFIPROVD_NAME="+name)

	p := newPhone(t, "", nil)
	// It is looked for by the advertised UUID; the name comes in the scan response.
	heard, err := p.central.Find(p.deadline(), func(g central.Gateway) bool { return g.Address == p.gateway && g.Name == name })
	if err != nil {
		t.Fatalf("%q by its UUID and name: %v", name, err)
	}
	t.Logf("heard %q at %s", heard.Name, heard.Address)
	p.pair()
	p.connect()
	address := adapterAddress(t, phoneHCI)
	g.logged(patience, "MESSAGE=central connected*", "WIFIPROVD_CENTRAL="+address)
	if s := p.status(); s != central.StatusIdle {
		t.Errorf("status %s before anything was written, want IDLE", s)
	}

	p.watch()
	p.provision(home.SSID, home.Passphrase, wifi.AutoDetect)
	took := p.expect(central.StatusConnecting, central.StatusConnected)
	t.Logf("CONNECT to CONNECTED: %s", took)
	waitFor(t, "online", patience, func() error { return g.online(1) })

	quoted := strconv.Quote(home.SSID)
	g.becomes(central.StatusConnecting)
	g.logged(patience, "MESSAGE=connecting to "+quoted+"*", "WIFIPROVD_SSID="+quoted)
	g.logged(patience, "MESSAGE=connected to "+quoted+"*", "MESSAGE_ID="+daemon.MessageConnected,
		"WIFIPROVD_STATE=CONNECTED", "WIFIPROVD_SSID="+quoted)
	g.becomes(central.StatusConnected)
	p.leave()
	g.logged(patience, "MESSAGE=central disconnected*", "WIFIPROVD_CENTRAL="+address)

	g.stores(&home)
	rootOnly(t, storeDir, fs.ModeDir|0o700)
	rootOnly(t, storeFile, 0o600)
	if entries, err := os.ReadDir(storeDir); err != nil || len(entries) != 1 {
		t.Errorf("%s holds %v, %v; want the store alone", storeDir, entries, err)
	}
}

// rootOnly checks that a file belongs to root and has a mode.
func rootOnly(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid != 0 || owner.Gid != 0 || info.Mode() != mode {
		t.Errorf("%s has mode %v and owner %+v; want %v and root", path, info.Mode(), owner, mode)
	}
}
