package daemon

import (
	"fmt"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/bluez"
	"github.com/wifiprovd/wifiprovd/internal/credstore"
	"github.com/wifiprovd/wifiprovd/internal/fsm"
)

func TestWeakBondsGoWhenTheAdapterIsUp(t *testing.T) {
	b := start(t, credstore.Contents{Bonds: []credstore.Bond{
		{Address: "AA:AA:AA:AA:AA:01", Mode: "none"}, {Address: "AA:AA:AA:AA:AA:02", Mode: "encrypt"},
		{Address: "AA:AA:AA:AA:AA:03", Mode: "authenticated"}, {Address: "AA:AA:AA:AA:AA:04", Mode: "encrypt", Forget: true},
	}})
	b.AdvertisingUp("hci0")
	got := wait(t, b.radio.removed, "bond removal") + " " + wait(t, b.radio.removed, "bond removal")
	if got != "AA:AA:AA:AA:AA:04 AA:AA:AA:AA:AA:01" {
		t.Errorf("removed %s", got)
	}
	waitFor(t, "two bonds left", func() bool { c, _ := b.store.Load(); return len(c.Bonds) == 2 })
}

// A bond that was noted before is used again: with less security it is worth no
// less, and it is still to be removed if it was erased.
func TestBondsThatAreUsedAgain(t *testing.T) {
	for _, test := range []struct{ noted, used, want credstore.Bond }{
		{credstore.Bond{Mode: "authenticated"}, credstore.Bond{Mode: "encrypt"}, credstore.Bond{Mode: "authenticated"}},
		{credstore.Bond{Mode: "encrypt"}, credstore.Bond{Mode: "authenticated"}, credstore.Bond{Mode: "authenticated"}},
		{credstore.Bond{Mode: "encrypt", Forget: true}, credstore.Bond{Mode: "encrypt"}, credstore.Bond{Mode: "encrypt", Forget: true}},
	} {
		v := vault{store: &memStore{contents: credstore.Contents{Bonds: []credstore.Bond{test.noted}}}}
		if _, _, err := v.addBond(test.used, 0); err != nil {
			t.Fatal(err)
		}
		if c, _ := v.store.Load(); len(c.Bonds) != 1 || c.Bonds[0] != test.want {
			t.Errorf("%+v, used as %+v: the store has %+v, want %+v", test.noted, test.used, c.Bonds, test.want)
		}
	}
}

func TestBookOfBondsIsBounded(t *testing.T) {
	b := start(t, credstore.Contents{})
	for i := range maxBonds + 1 {
		b.Bonded(bluez.Bond{Address: fmt.Sprintf("AA:AA:AA:AA:AA:%02X", i)})
	}
	if got := wait(t, b.radio.removed, "bond removal"); got != "AA:AA:AA:AA:AA:00" {
		t.Errorf("removed %s, not the oldest", got)
	}
}

// TestBondThatIsNotedAfterTheErase: while another bond is removed, which takes BlueZ
// half a minute at times, a phone bonds and another one erases.
func TestBondThatIsNotedAfterTheErase(t *testing.T) {
	b := start(t, credstore.Contents{})
	b.expect(fsm.Idle)
	busy := make(chan struct{})
	b.bondWork.do(func() { <-busy })
	b.Bonded(bluez.Bond{Address: "AA:AA:AA:AA:AA:01"})
	if err := b.Erase("AA:AA:AA:AA:AA:02"); err != nil {
		t.Fatal(err)
	}
	wait(t, b.air.left, "leave")
	close(busy)
	if got := wait(t, b.radio.removed, "bond removal"); got != "AA:AA:AA:AA:AA:01" {
		t.Errorf("removed the bond of %s", got)
	}
}
