package daemon

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// holds fails if the store holds other networks.
func (b *bench) holds(proven, candidate string) {
	b.t.Helper()
	synctest.Wait()
	if p, c := b.store.holds(); p != proven || c != candidate {
		b.t.Errorf("the store holds %q and the candidate %q, want %q and %q", p, c, proven, candidate)
	}
}

func TestProvisionStoresBeforeItJoins(t *testing.T) {
	run(t, &memStore{}, func(b *bench) {
		b.expect(gateway.Idle)
		given := creds("home")
		if err := b.Connect(gateway.Phone("A"), given); err != nil {
			t.Fatal(err)
		}
		b.expect(gateway.Connecting)
		target := wait(t, b.air.joins, "join")
		if string(target.Credentials.Passphrase.Bytes()) != canary || target.Proven || target.ID == 0 {
			t.Errorf("join of %+v", target)
		}
		b.holds("", "home")
		if b.store.writes != 1 {
			t.Errorf("%d writes of the store before the join, want 1", b.store.writes)
		}
		if err := b.Connect(gateway.Phone("B"), creds("other")); !errors.Is(err, gateway.ErrBusy) {
			t.Errorf("a second central is answered %v", err)
		}
		if now := b.settled(); now.Trying.SSID != "home" {
			t.Errorf("a refused request is shown: %+v", now.Trying)
		}
		if !b.Busy(gateway.Phone("B")) || b.Busy(gateway.Phone("A")) || b.Busy(gateway.Operator()) {
			t.Error("busy for the wrong requester")
		}
		b.air.out <- nil
		b.expect(gateway.Connected)
		b.holds("home", "")
		if target, _ := b.store.Target(target.ID); target.Hint.FrequencyMHz != 2412 {
			t.Errorf("the store's hint is %+v", target.Hint)
		}
		if bytes.Contains(given.Passphrase.Bytes(), []byte("canary")) {
			t.Error("the phone's copy of the password is not wiped")
		}
	})
}

// TestNobody: a request whose requester is not known, such as a GATT call without a
// device, is not taken for the operator's.
func TestNobody(t *testing.T) {
	run(t, proven("home"), func(b *bench) {
		b.join(nil)
		b.expect(gateway.Connecting, gateway.Connected)
		given := creds("other")
		if err := b.Connect(gateway.Phone(""), given); !errors.Is(err, gateway.ErrNobody) {
			t.Errorf("CONNECT is answered %v", err)
		}
		if bytes.Contains(given.Passphrase.Bytes(), []byte("canary")) {
			t.Error("the refused password is not wiped")
		}
		if err := b.Erase(gateway.Requester{}); !errors.Is(err, gateway.ErrNobody) {
			t.Errorf("ERASE is answered %v", err)
		}
		b.holds("home", "")
	})
}

func TestInvalidCredentials(t *testing.T) {
	run(t, &memStore{}, func(b *bench) {
		b.expect(gateway.Idle)
		given := creds("")
		if err := b.Connect(gateway.Phone("A"), given); err != nil {
			t.Errorf("answered %v; they are accepted, and fail", err)
		}
		b.expect(gateway.Failed)
		if now := b.settled(); now.Reason != wifi.FailureInvalidCredentials || now.Message != "no SSID was written" {
			t.Errorf("reason %s: %s", now.Reason, now.Message)
		}
		if bytes.Contains(given.Passphrase.Bytes(), []byte("canary")) {
			t.Error("the password is not wiped")
		}
		if b.store.writes > 0 {
			t.Error("they were stored")
		}
	})
}

func TestWrongPasswordGoesBackToTheProvenNetwork(t *testing.T) {
	run(t, proven("home"), func(b *bench) {
		b.expect(gateway.Connecting)
		if target := b.join(nil); !target.Proven {
			t.Error("a network that is still joined cannot be adopted at start")
		}
		b.expect(gateway.Connected)
		b.connect("A", "other")
		b.expect(gateway.Connecting)
		b.join(&wifi.Error{Failure: wifi.FailureWrongPassword, Detail: "the access point refused the key"})
		b.expect(gateway.Failed, gateway.Connecting)
		if target := b.join(nil); target.Credentials.SSID != "home" {
			t.Errorf("went back to %s", target.Credentials.SSID)
		}
		b.expect(gateway.Connected)
		b.holds("home", "")
	})
}

func TestEraseDuringAnAttempt(t *testing.T) {
	const phone = "AA:AA:AA:AA:AA:01"
	run(t, &memStore{}, func(b *bench) {
		b.expect(gateway.Idle)
		b.Bonded(gatt.Bond{Central: phone})
		b.connect(phone, "home")
		b.expect(gateway.Connecting)
		wait(t, b.air.joins, "join")
		if err := b.Erase(gateway.Phone(phone)); err != nil {
			t.Fatal(err)
		}
		b.expect(gateway.Idle)
		wait(t, b.air.left, "leave")
		if got := wait(t, b.radio.removed, "bond removal"); got != phone {
			t.Errorf("removed the bond of %s", got)
		}
		b.holds("", "")
		if len(b.store.bonds) > 0 {
			t.Errorf("the store has the bonds %v", b.store.bonds)
		}
	})
}

func TestDiskFull(t *testing.T) {
	run(t, &memStore{fail: errors.New("no space left on device")}, func(b *bench) {
		b.expect(gateway.Idle)
		b.connect("A", "home")
		b.expect(gateway.Connecting, gateway.Failed)
		if now := b.settled(); !strings.Contains(now.Message, "no space left on device") || now.Reason != wifi.FailureInternal {
			t.Errorf("reason %s: %s", now.Reason, now.Message)
		}
	})
}

// TestStoreThatCannotBeUsed: a newer version has written it. The gateway says so, does
// not overwrite it, and can be provisioned once it is erased.
func TestStoreThatCannotBeUsed(t *testing.T) {
	run(t, &memStore{unusable: errors.New("a newer wifiprovd has written it")}, func(b *bench) {
		b.expect(gateway.Failed)
		if now := b.settled(); now.Reason != wifi.FailureInternal || !strings.Contains(now.Message, "a newer wifiprovd has written it") {
			t.Errorf("reason %s: %s", now.Reason, now.Message)
		}
		b.connect("A", "home")
		b.expect(gateway.Connecting, gateway.Failed)
		if err := b.Erase(gateway.Phone("A")); err != nil {
			t.Fatal(err)
		}
		b.expect(gateway.Idle)
		b.connect("A", "home")
		b.expect(gateway.Connecting)
		b.join(nil)
		b.expect(gateway.Connected)
	})
}

// TestOperator: the Snapshot says why, since when, what next, and which network; and
// an operator's erase ends a central's attempt.
func TestOperator(t *testing.T) {
	run(t, &memStore{}, func(b *bench) {
		shown := func(phase gateway.Phase, status gateway.Status) *gateway.Snapshot {
			t.Helper()
			now := b.settled()
			if now.Phase != phase || now.Status != status || now.Message == "" || now.Next == "" || now.Since.IsZero() {
				t.Errorf("%s is shown as %+v", phase, now)
			}
			return now
		}
		idle := shown(gateway.Resting, gateway.Idle)
		time.Sleep(time.Second)
		b.connect("A", "home")
		if now := shown(gateway.Joining, gateway.Connecting); !now.Since.After(idle.Since) || now.Network != nil || now.Trying.SSID != "home" || now.Trying.Begun == 0 {
			t.Errorf("joining is shown as %+v", now)
		}
		b.join(nil)
		if now := shown(gateway.Online, gateway.Connected); now.Network == nil || now.Network.FrequencyMHz != 2412 || now.Joined.IsZero() {
			t.Errorf("the network is shown as %+v", now.Network)
		}
		b.Addresses(atHome)
		if now := b.settled(); now.Addresses != atHome {
			t.Errorf("the addresses are shown as %+v", now.Addresses)
		}
		b.connect("A", "other")
		synctest.Wait()
		if err := b.Erase(gateway.Operator()); err != nil {
			t.Errorf("the operator's erase is answered %v", err)
		}
		if now := shown(gateway.Resting, gateway.Idle); now.Network != nil || now.Addresses.Bound() || now.Trying.SSID != "" || now.Message != "everything was erased" {
			t.Errorf("erased, and shown as %+v", now)
		}
	})
}

// TestNeighboursAreShown: whatever BlueZ and the back-end report is in the Snapshot.
func TestNeighboursAreShown(t *testing.T) {
	run(t, &memStore{}, func(b *bench) {
		if now := b.settled(); now.Advertising != (gateway.Advertising{Wanted: true, Problem: notYet}) || now.WifiProblem != notYet {
			t.Errorf("at the start: %+v", now)
		}
		b.OnAir("hci0")
		b.WifiUsable("wlan0", "wpa_supplicant", "blocked")
		b.Connected("A")
		b.Connected("B")
		if ssid := wait(t, b.air.prepared, "preparation"); ssid != "" {
			t.Errorf("prepared for %s", ssid)
		}
		now := b.settled()
		if now.Advertising != (gateway.Advertising{Wanted: true, Adapter: "hci0"}) || now.WifiProblem != "blocked" || len(now.Centrals) != 2 {
			t.Errorf("got %+v", now)
		}
		b.OffAir("the adapter was pulled out")
		b.WifiUsable("wlan0", "wpa_supplicant", "")
		b.Disconnected("A")
		now = b.settled()
		if now.Advertising != (gateway.Advertising{Wanted: true, Problem: "the adapter was pulled out"}) || now.WifiProblem != "" || len(now.Centrals) != 1 {
			t.Errorf("got %+v", now)
		}
	})
}

func TestAdvertisingEnds(t *testing.T) {
	off := func(_ *bench, c *Config) { c.Access = gateway.AccessOffline }
	runWith(t, proven("home"), off, func(b *bench) {
		b.OnAir("hci0")
		b.join(nil)
		time.Sleep(time.Minute)
		if now := b.settled(); now.Advertising != (gateway.Advertising{Problem: gateway.AccessOffline.Closed()}) {
			t.Errorf("while connected: %+v", now.Advertising)
		}
		b.air.link.lost <- "gone"
		for range 90 {
			time.Sleep(time.Second)
			select {
			case <-b.air.joins:
				b.air.out <- &wifi.Error{Failure: wifi.FailureNotFound}
			case <-b.statuses:
			default:
			}
		}
		if now := b.settled(); now.Advertising != (gateway.Advertising{Wanted: true, Problem: notYet}) {
			t.Errorf("after the loss: %+v", now.Advertising)
		}
		b.OnAir("hci0")
		if now := b.settled(); now.Advertising.Adapter != "hci0" {
			t.Errorf("on the air again: %+v", now.Advertising)
		}
	})
}
