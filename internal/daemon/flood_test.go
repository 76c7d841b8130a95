package daemon

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/bluez"
	"github.com/wifiprovd/wifiprovd/internal/credstore"
	"github.com/wifiprovd/wifiprovd/internal/profile/native"
)

// slowly makes every save take a while, as on flash, and takes what nobody waits for.
func (b *bench) slowly(pause time.Duration) {
	b.store.mu.Lock()
	b.store.pause = pause
	b.store.mu.Unlock()
	stop := make(chan struct{})
	b.t.Cleanup(func() { close(stop) })
	go func() {
		for {
			select {
			case <-b.statuses:
			case <-b.air.joins:
			case <-b.air.left:
			case <-b.radio.removed:
			case <-stop:
				return
			}
		}
	}()
}

// TestConnectFlood: one central commands faster than the store can follow. It is
// refused at times, and served after it.
func TestConnectFlood(t *testing.T) {
	b := start(t, credstore.Contents{})
	b.slowly(5 * time.Millisecond)
	refused := 0
	for i := range 500 {
		err := b.Connect("A", creds(fmt.Sprintf("flood %d", i)))
		switch {
		case errors.Is(err, native.ErrBusy):
			refused++
		case err != nil:
			t.Fatal(err)
		}
	}
	if refused == 0 || refused == 500 {
		t.Errorf("%d of 500 were refused", refused)
	}
	waitFor(t, "turn", func() bool { return b.Connect("A", creds("home")) == nil })
	waitFor(t, "join", func() bool {
		select {
		case b.air.out <- nil:
		default:
		}
		c, _ := b.store.Load()
		return c.Active != nil && c.Active.Credentials.SSID == "home"
	})
}

// TestBondFlood: phones bond faster than they can be noted.
func TestBondFlood(t *testing.T) {
	b := start(t, credstore.Contents{})
	b.slowly(5 * time.Millisecond)
	for i := range 200 {
		b.Bonded(bluez.Bond{Address: fmt.Sprintf("AA:AA:AA:AA:AA:%02X", i)})
	}
	waitFor(t, "book of bonds", func() bool {
		c, _ := b.store.Load()
		return len(c.Bonds) == maxBonds && len(b.bondWork) == 0
	})
}
