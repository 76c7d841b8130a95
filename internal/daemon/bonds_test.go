package daemon

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

const (
	phoneA gatt.Central = "AA:AA:AA:AA:AA:01"
	phoneB gatt.Central = "AA:AA:AA:AA:AA:02"
)

// bonded fails if the store has other bonds.
func (b *bench) bonded(want ...gatt.Central) {
	b.t.Helper()
	synctest.Wait()
	bonds, _ := b.store.Bonds()
	var got []gatt.Central
	for _, bond := range bonds {
		if !bond.Erased {
			got = append(got, bond.Central)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		b.t.Errorf("bonds with %v, want %v", got, want)
	}
}

func TestWeakBondsGoWhenTheAdapterIsUp(t *testing.T) {
	run(t, &memStore{bonds: []gatt.Bond{
		{Central: "AA:AA:AA:AA:AA:01", Pairing: gatt.NoPairing}, {Central: "AA:AA:AA:AA:AA:02", Pairing: gatt.Encrypt},
		{Central: "AA:AA:AA:AA:AA:03", Pairing: gatt.Authenticated}, {Central: "AA:AA:AA:AA:AA:04", Pairing: gatt.Encrypt, Erased: true},
	}}, func(b *bench) {
		b.OnAir("hci0")
		got := wait(t, b.radio.removed, "bond removal") + " " + wait(t, b.radio.removed, "bond removal")
		if got != "AA:AA:AA:AA:AA:04 AA:AA:AA:AA:AA:01" {
			t.Errorf("removed %s", got)
		}
		b.bonded("AA:AA:AA:AA:AA:02", "AA:AA:AA:AA:AA:03")
	})
}

// TestBondToldAfterErase: BlueZ may tell of a bond only after the first write over it.
// It goes with the others; one that the same phone makes later stays.
func TestBondToldAfterErase(t *testing.T) {
	run(t, &memStore{}, func(b *bench) {
		b.Connected(phoneA)
		if err := b.Erase(gateway.Phone(phoneA)); err != nil {
			t.Fatal(err)
		}
		b.Bonded(gatt.Bond{Central: phoneA})
		if got := wait(t, b.radio.removed, "bond removal"); got != phoneA {
			t.Errorf("removed %s", got)
		}
		b.Disconnected(phoneA)
		b.Connected(phoneA)
		b.Bonded(gatt.Bond{Central: phoneA})
		time.Sleep(2 * eraseGrace)
		b.bonded(phoneA)
	})
}

// TestBondAfterRefusedErase: an ERASE that was refused, or that failed, erases nothing:
// the phone that wrote it keeps the bond that BlueZ tells of later.
func TestBondAfterRefusedErase(t *testing.T) {
	t.Run("refused", func(t *testing.T) {
		run(t, &memStore{}, func(b *bench) {
			b.expect(gateway.Idle)
			b.Connected(phoneB)
			b.connect(phoneA, "home")
			wait(t, b.air.joins, "join")
			if err := b.Erase(gateway.Phone(phoneB)); !errors.Is(err, gateway.ErrBusy) {
				t.Errorf("ERASE is answered %v", err)
			}
			b.Bonded(gatt.Bond{Central: phoneB})
			time.Sleep(2 * eraseGrace)
			b.bonded(phoneB)
		})
	})
	t.Run("failed", func(t *testing.T) {
		run(t, proven("home"), func(b *bench) {
			b.join(nil)
			b.expect(gateway.Connecting, gateway.Connected)
			b.Connected(phoneB)
			b.store.fails(errors.New("input/output error"))
			if err := b.Erase(gateway.Phone(phoneB)); err != nil {
				t.Fatal(err)
			}
			b.expect(gateway.Failed)
			b.store.fails(nil)
			b.Bonded(gatt.Bond{Central: phoneB})
			time.Sleep(2 * eraseGrace)
			b.bonded(phoneB)
		})
	})
}

// TestBondThatIsNotedAfterTheErase: while another bond is removed, which takes BlueZ
// half a minute at times, a phone bonds and another one erases.
func TestBondThatIsNotedAfterTheErase(t *testing.T) {
	store := &memStore{bonds: []gatt.Bond{{Central: "AA:AA:AA:AA:AA:99", Erased: true}}}
	run(t, store, func(b *bench) {
		b.expect(gateway.Idle)
		b.radio.slow = 5 * time.Second
		b.OnAir("hci0")
		synctest.Wait()
		b.Bonded(gatt.Bond{Central: phoneA})
		if err := b.Erase(gateway.Phone(phoneB)); err != nil {
			t.Fatal(err)
		}
		wait(t, b.air.left, "leave")
		for _, want := range []gatt.Central{"AA:AA:AA:AA:AA:99", phoneA} {
			if got := wait(t, b.radio.removed, "bond removal"); got != want {
				t.Errorf("removed the bond of %s, want %s", got, want)
			}
		}
	})
}

// TestBondFlood: phones bond faster than they can be noted.
func TestBondFlood(t *testing.T) {
	run(t, &memStore{pause: 5 * time.Millisecond}, func(b *bench) {
		for i := range 200 {
			b.Bonded(gatt.Bond{Central: gatt.Central(fmt.Sprintf("AA:AA:AA:AA:AA:%02X", i))})
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if noted := len(b.store.bonds); noted < queueLen || noted == 200 {
			t.Errorf("%d of 200 bonds are noted, want what the queue holds", noted)
		}
	})
}
