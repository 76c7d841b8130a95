package daemon

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

// bondTimeout bounds how long BlueZ may take to remove a bond.
const bondTimeout = 15 * time.Second

// bonds keeps the store's list of bonds, and removes from BlueZ those that were
// erased, are too weak, or are too many. It has a goroutine of its own: BlueZ takes
// long at times, and may have no adapter.
type bonds struct {
	Config
	work    worker
	earlier sync.Once
}

func newBonds(c Config) *bonds { return &bonds{Config: c, work: newWorker()} }

// note notes a bond.
func (b *bonds) note(bond gatt.Bond) {
	erasures := b.Store.Erasures()
	noted := b.work.try(func() {
		ctx := context.Background() // each removal has a deadline
		erased, surplus, err := b.Store.AddBond(bond, erasures)
		if err != nil {
			b.Log.Error("cannot note a bond in the store", "central", bond.Central, "err", err)
			return
		}
		b.Log.Info(fmt.Sprintf("bonded with %s", bond.Central), "event", "bonded", "central", bond.Central)
		if erased {
			b.removeErasedAfter(ctx, eraseGrace)
		}
		b.remove(ctx, surplus, "too many phones have bonded")
	})
	if !noted {
		b.Log.Error("a bond is not noted: too many phones bond at once; an erase will not remove it", "central", bond.Central)
	}
}

// disconnectEarlier disconnects the phones that were connected before this process
// started: the one before it was killed, BlueZ has forgotten what they subscribed to, and
// would not tell them. It does so once.
func (b *bonds) disconnectEarlier() {
	b.earlier.Do(func() { b.work.try(b.disconnectAll) })
}

func (b *bonds) disconnectAll() {
	all, err := b.Store.Bonds()
	if err != nil {
		return // removeStale says so
	}
	for _, bond := range all {
		b.Peripheral.Disconnect(bond)
	}
}

// removeStale removes the bonds that an ERASE left for later, and those that are too
// weak: a phone that keeps one could not get in, nor would it pair again. If much
// waits already, that is left for the next time.
func (b *bonds) removeStale(ctx context.Context) {
	b.removeErased(ctx)
	b.work.try(func() {
		b.removeMatching(ctx, fmt.Sprintf("weaker than security mode %s", b.Pairing),
			func(bond gatt.Bond) bool { return !bond.Erased && bond.Pairing < b.Pairing })
	})
}

func (b *bonds) removeErased(ctx context.Context) {
	b.work.try(func() {
		b.removeMatching(ctx, "erased", func(bond gatt.Bond) bool { return bond.Erased })
	})
}

func (b *bonds) removeErasedAfter(ctx context.Context, pause time.Duration) {
	time.AfterFunc(pause, func() { b.removeErased(ctx) })
}

func (b *bonds) removeMatching(ctx context.Context, why string, match func(gatt.Bond) bool) {
	all, err := b.Store.Bonds()
	if err != nil {
		b.Log.Error("cannot read the bonds from the store", "err", err)
		return
	}
	var found []gatt.Bond
	for _, bond := range all {
		if match(bond) {
			found = append(found, bond)
		}
	}
	b.remove(ctx, found, why)
}

// remove deletes bonds from BlueZ, then from the store. What fails is tried again when
// the adapter is up the next time.
func (b *bonds) remove(ctx context.Context, found []gatt.Bond, why string) {
	for _, bond := range found {
		within, cancel := context.WithTimeout(ctx, bondTimeout)
		err := b.Peripheral.RemoveBond(within, bond)
		cancel()
		if err == nil {
			err = b.Store.DropBond(bond)
		}
		if err != nil {
			b.Log.Error("cannot remove a bond", "central", bond.Central, "err", err)
			continue
		}
		b.Log.Info(fmt.Sprintf("bond with %s removed: %s", bond.Central, why), "event", "bond-removed", "central", bond.Central)
	}
}
