package daemon

import (
	"errors"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/bluez"
	"github.com/wifiprovd/wifiprovd/internal/credstore"
	"github.com/wifiprovd/wifiprovd/internal/fsm"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// onlyCandidate returns a daemon that tries the only credentials there are, which
// have not joined yet.
func onlyCandidate(t *testing.T) *bench {
	b := start(t, credstore.Contents{Candidate: &credstore.Entry{Credentials: creds("home")}})
	b.expect(fsm.Connecting)
	wait(t, b.air.joins, "join")
	return b
}

func (b *bench) storeFails(err error) {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	b.store.fail = err
}

// TestInternalFailureKeepsTheOnlyCredentials: wpa_supplicant is killed in the middle of
// a call, for one. That says nothing about the password.
func TestInternalFailureKeepsTheOnlyCredentials(t *testing.T) {
	b := onlyCandidate(t)
	b.air.out <- &wifi.Error{Failure: wifi.FailureInternal, Detail: "wpa_supplicant did not do as it was asked"}
	b.expect(fsm.Failed, fsm.Provisioned)
	if c, _ := b.store.Load(); c.Candidate == nil {
		t.Error("the credentials are gone")
	}
}

// TestPromotionFailsOnce: the disk refuses to note that the network was joined. The
// credentials that were stored stand, and are tried again.
func TestPromotionFailsOnce(t *testing.T) {
	b := onlyCandidate(t)
	b.storeFails(errors.New("input/output error"))
	b.air.out <- nil
	b.expect(fsm.Failed)
	b.storeFails(nil)
	b.expect(fsm.Provisioned)
	if c, _ := b.store.Load(); c.Candidate == nil {
		t.Error("the credentials are gone")
	}
}

// TestEraseCutOff: the daemon ended between the store's erase and the network's end.
func TestEraseCutOff(t *testing.T) {
	b := start(t, credstore.Contents{Leave: true})
	b.expect(fsm.Idle)
	wait(t, b.air.left, "leaving")
	waitFor(t, "note that the network was left", func() bool { c, _ := b.store.Load(); return !c.Leave })
}

// TestNothingIsLeftUnasked: the first start of a gateway ends nobody's connection.
func TestNothingIsLeftUnasked(t *testing.T) {
	b := start(t, credstore.Contents{})
	b.expect(fsm.Idle)
	if err := b.Connect("A", creds("home")); err != nil {
		t.Fatal(err)
	}
	wait(t, b.air.joins, "join")
	if len(b.air.left) > 0 {
		t.Error("the network was left")
	}
}

// TestEraseIsNoted: until the network is left, the store says that it is to be.
func TestEraseIsNoted(t *testing.T) {
	store := &memStore{contents: credstore.Contents{Active: &credstore.Entry{Credentials: creds("home")}}}
	v := vault{store: store}
	if err := v.erase(); err != nil {
		t.Fatal(err)
	}
	if c, _ := store.Load(); !c.Leave || c.Active != nil || store.aside != 1 {
		t.Errorf("erased, but the store has %+v; %d removals of what was set aside", c, store.aside)
	}
}

// TestBondToldAfterErase: BlueZ may tell of a bond only after the first write over it.
// It goes with the others; one that the same phone makes later stays.
func TestBondToldAfterErase(t *testing.T) {
	const phone = "AA:AA:AA:AA:AA:01"
	b := start(t, credstore.Contents{})
	b.CentralConnected(phone)
	if err := b.Erase(phone); err != nil {
		t.Fatal(err)
	}
	b.Bonded(bluez.Bond{Address: phone})
	if got := wait(t, b.radio.removed, "bond removal"); got != phone {
		t.Errorf("removed %s", got)
	}
	b.CentralDisconnected(phone)
	b.CentralConnected(phone)
	b.Bonded(bluez.Bond{Address: phone})
	waitFor(t, "bond", func() bool { c, _ := b.store.Load(); return len(c.Bonds) == 1 && !c.Bonds[0].Forget })
}
