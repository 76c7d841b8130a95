package daemon

import (
	"context"
	"fmt"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/bluez"
	"github.com/wifiprovd/wifiprovd/internal/credstore"
)

// forgetAfter leaves a phone that wrote ERASE the time to read IDLE: removing its
// bond disconnects it.
const forgetAfter = time.Second

// modeRank orders the security modes by what a bond made in them is worth.
var modeRank = map[string]int{"none": 0, "encrypt": 1, "authenticated": 2}

// Bonded notes that a central has bonded with this device.
func (d *Daemon) Bonded(b bluez.Bond) {
	bond := credstore.Bond{Adapter: b.Adapter, Address: b.Address, Mode: d.Security}
	erasures := d.vault.erasures.Load()
	noted := d.bondWork.try(func() {
		bond.Forget = d.erases(b.Address) // it is told late: ERASE came over it
		erased, surplus, err := d.vault.addBond(bond, erasures)
		if err != nil {
			d.Log.Error("a bond cannot be noted in the store", "central", b.Address, "err", err)
			return
		}
		d.Log.Info(fmt.Sprintf("bonded with %s", b.Address), "central", b.Address)
		if erased {
			time.AfterFunc(forgetAfter, func() { d.forgetBonds(context.Background()) })
		}
		d.removeBonds(context.Background(), surplus, fmt.Sprintf("more than %d phones have bonded", maxBonds))
	})
	if !noted {
		d.Log.Error("a bond is not noted: too many phones bond at once; an erase will not remove it", "central", b.Address)
	}
}

// erases reports whether the last ERASE came from this central, which has not
// connected again since.
func (d *Daemon) erases(address string) bool {
	eraser := d.eraser.Load()
	return eraser != nil && *eraser == address
}

// dropStaleBonds removes the bonds that an ERASE left for later, and those weaker
// than the security mode: a phone that keeps one could not get in, nor would it
// pair again. If much waits already, that is left for the next time.
func (d *Daemon) dropStaleBonds(ctx context.Context) {
	d.bondWork.try(func() {
		d.removeMatching(ctx, "erased", func(b credstore.Bond) bool { return b.Forget })
		d.removeMatching(ctx, "weaker than security mode "+d.Security, func(b credstore.Bond) bool {
			return !b.Forget && modeRank[b.Mode] < modeRank[d.Security]
		})
	})
}

func (d *Daemon) forgetBonds(ctx context.Context) {
	d.bondWork.try(func() {
		d.removeMatching(ctx, "erased", func(b credstore.Bond) bool { return b.Forget })
	})
}

func (d *Daemon) removeMatching(ctx context.Context, why string, match func(credstore.Bond) bool) {
	found, err := d.vault.bonds(match)
	if err != nil {
		d.Log.Error("the bonds cannot be read from the store", "err", err)
		return
	}
	d.removeBonds(ctx, found, why)
}

// removeBonds deletes bonds from BlueZ, then from the book. What fails is tried
// again when the adapter is up the next time.
func (d *Daemon) removeBonds(ctx context.Context, bonds []credstore.Bond, why string) {
	for _, b := range bonds {
		ctx, cancel := context.WithTimeout(ctx, bondTimeout)
		err := d.Peripheral.RemoveBond(ctx, bluez.Bond{Adapter: b.Adapter, Address: b.Address})
		cancel()
		if err == nil {
			err = d.vault.dropBond(b)
		}
		if err != nil {
			d.Log.Error("a bond cannot be removed", "central", b.Address, "err", err)
			continue
		}
		d.Log.Info(fmt.Sprintf("bond with %s removed: %s", b.Address, why), "central", b.Address)
	}
}
