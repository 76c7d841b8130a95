package daemon

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
)

// takeAll takes what nobody waits for, until the test ends.
func (b *bench) takeAll(stop <-chan struct{}) {
	for {
		select {
		case <-b.statuses:
		case <-b.air.joins:
		case <-b.air.left:
		case <-stop:
			return
		}
	}
}

// TestConnectFlood: one central commands faster than the store can follow. It is
// refused at times, and served after it.
func TestConnectFlood(t *testing.T) {
	run(t, &memStore{pause: 5 * time.Millisecond}, func(b *bench) {
		stop := make(chan struct{})
		defer close(stop)
		go b.takeAll(stop)
		refused := 0
		for i := range 500 {
			err := b.Connect(gateway.Phone("A"), creds(fmt.Sprintf("flood %d", i)))
			switch {
			case errors.Is(err, gateway.ErrBusy):
				refused++
			case err != nil:
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		if refused == 0 || refused == 500 {
			t.Errorf("%d of 500 were refused", refused)
		}
		time.Sleep(time.Second)
		b.connect("A", "home")
		b.settled()
		b.air.out <- nil
		time.Sleep(time.Second)
		b.holds("home", "")
	})
}
