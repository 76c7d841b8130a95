package wpa

import (
	"context"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// shared is a rig with NetworkManager, and another program's connection.
type shared struct {
	*rig
	manager *nmFake
	other   *dbus.Conn
}

func newShared(t *testing.T) shared {
	address := dbustest.Start(t)
	r := &rig{WPA: dbustest.StartWPA(t, address, "wlan0"), backend: WPASupplicant}
	r.Air(lab())
	r.run(t, address)
	r.isAvailable(t, "")
	return shared{r, startManager(t, address), dbustest.Connect(t, address)}
}

// taken makes NetworkManager manage the interface.
func (s shared) taken(t *testing.T) {
	t.Helper()
	s.manager.manage(true)
	s.isAvailable(t, "NetworkManager manages wlan0")
}

// adds adds NetworkManager's own network.
func (s shared) adds(t *testing.T) {
	t.Helper()
	const iface = "/fi/w1/wpa_supplicant1/Interfaces/0"
	if err := s.other.Object(service, iface).Call(ifaceIface+".AddNetwork", 0, map[string]dbus.Variant{"ssid": dbus.MakeVariant([]byte("nm"))}).Err; err != nil {
		t.Fatal(err)
	}
}

// owned returns what f says of the owner.
func (r *rig) owned(f func(*owner) bool) bool {
	answer := make(chan bool, 1)
	r.inbox.post(func(o *owner) { answer <- f(o) })
	return <-answer
}

// TestLostToNetworkManager: it removes our network and adds its own, to which
// wpa_supplicant gives the same number. That one stays.
func TestLostToNetworkManager(t *testing.T) {
	s := newShared(t)
	s.joined(t)
	s.taken(t)
	if err := s.other.Object(service, "/fi/w1/wpa_supplicant1/Interfaces/0").Call(ifaceIface+".RemoveNetwork", 0, ownNetwork).Err; err != nil {
		t.Fatal(err)
	}
	s.InterfaceSignal("NetworkRemoved", ownNetwork)
	s.adds(t)
	s.loss(t)
	s.forget(t.Context(), s.links[0]) // what the owner does by itself, too, but whoever calls can wait for it
	if s.Networks() != 1 {
		t.Error("NetworkManager's network was removed")
	}
}

// TestLeaveUnderNetworkManager: an ERASE while NetworkManager has the interface leaves
// its network alone, and is made good when it lets go.
func TestLeaveUnderNetworkManager(t *testing.T) {
	s := newShared(t)
	s.taken(t)
	s.adds(t)
	if err := s.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.Networks() != 1 {
		t.Error("NetworkManager's network was removed")
	}
	s.manager.manage(false)
	s.isAvailable(t, "")
	if s.Networks() != 0 {
		t.Error("a network is left")
	}
}

// TestTakenDuringScan: NetworkManager takes the interface while an attempt scans. From
// then on wpa_supplicant is not asked for anything.
func TestTakenDuringScan(t *testing.T) {
	s := newShared(t)
	s.SlowScans()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = s.Join(ctx, wifi.Target{Credentials: credentials(testPassphrase, wifi.AutoDetect)})
	}()
	if err := s.until(t, func() bool { return len(s.Calls("Scan")) > 0 }); err != nil {
		t.Fatal(err)
	}
	s.taken(t)
	before := len(s.Requests())
	if err := s.until(t, s.FinishScan); err != nil {
		t.Fatal(err)
	}
	// The scan's end has woken up the attempt, which waits for the interface now.
	if err := s.until(t, func() bool {
		return s.owned(func(o *owner) bool { return o.station.scanDone > 0 && len(o.waiters) > 0 })
	}); err != nil {
		t.Fatal(err)
	}
	if got := methods(s.Requests()[before:]); len(got) > 0 {
		t.Errorf("wpa_supplicant was asked for %v", got)
	}
	cancel()
	<-done
}
