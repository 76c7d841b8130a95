//go:build lab

package lab

import (
	"io/fs"
	"os"
	"strconv"
	"syscall"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/central"
	events "github.com/wifiprovd/wifiprovd/internal/journal"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// TestFirstBoot provisions a gateway as it comes out of its box: what the phone sees, what the
// access point sees, what is stored, and what the journal tells. Its name would be cut off at the
// # if it were not quoted.
func TestFirstBoot(t *testing.T) {
	const name = "Gateway №7 #1"
	home := AP{SSID: "home \"net\"", Security: wifi.WPA2PSK, Passphrase: "first boot passphrase"}
	g := start(t, situation{aps: []AP{home}, config: map[string]string{"bluetooth.name": strconv.Quote(name)}})
	g.event("starting", "WIFIPROVD_SECURITY=encrypt")
	g.becomes(central.StatusIdle)
	g.event("advertising", "WIFIPROVD_NAME="+name, "WIFIPROVD_ADAPTER="+gatewayHCI)

	p := newPhone(t, "", nil)
	// The phone looks for the advertised UUID; the name comes in the scan response.
	heard, err := p.central.Find(p.deadline(), func(g central.Gateway) bool { return g.Address == p.gateway && g.Name == name })
	if err != nil {
		t.Fatalf("%q by its UUID and name: %v", name, err)
	}
	t.Logf("heard %q at %s", heard.Name, heard.Address)
	p.pair()
	p.connect()
	address := adapterAddress(t, phoneHCI)
	g.event("central-connected", "WIFIPROVD_CENTRAL="+address)
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
	g.event("connecting", "WIFIPROVD_SSID="+quoted)
	g.event("connected", "MESSAGE_ID="+events.MessageConnected, "WIFIPROVD_SSID="+quoted,
		"WIFIPROVD_BSSID="+radio(1).bssid(t), "WIFIPROVD_FREQUENCY_MHZ=2412", "WIFIPROVD_AKM=WPA2-PSK")
	g.becomes(central.StatusConnected)
	p.leave()
	g.event("central-disconnected", "WIFIPROVD_CENTRAL="+address)

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
