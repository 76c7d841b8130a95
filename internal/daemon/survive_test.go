package daemon

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// onlyCandidate returns a store with the only credentials there are, which have not
// joined yet.
func onlyCandidate() *memStore {
	return &memStore{networks: []wifi.Target{{ID: 1, Credentials: creds("home")}}, lastID: 1}
}

// TestInternalFailureKeepsTheOnlyCredentials: wpa_supplicant is killed in the middle of
// a call, for one. That says nothing about the password.
func TestInternalFailureKeepsTheOnlyCredentials(t *testing.T) {
	run(t, onlyCandidate(), func(b *bench) {
		b.join(&wifi.Error{Failure: wifi.FailureInternal, Detail: "wpa_supplicant did not do as it was asked"})
		b.expect(gateway.Connecting, gateway.Failed, gateway.Provisioned)
		b.holds("", "home")
	})
}

// TestPromotionFailsOnce: the disk refuses to note that the network was joined. The
// credentials that were stored stand, and are tried again.
func TestPromotionFailsOnce(t *testing.T) {
	run(t, onlyCandidate(), func(b *bench) {
		b.store.fails(errors.New("input/output error"))
		b.join(nil)
		b.expect(gateway.Connecting, gateway.Failed)
		b.store.fails(nil)
		b.expect(gateway.Provisioned)
		b.holds("", "home")
	})
}

// TestEraseCutOff: the daemon ended between the store's erase and the network's end.
func TestEraseCutOff(t *testing.T) {
	run(t, &memStore{leave: true}, func(b *bench) {
		b.expect(gateway.Idle)
		wait(t, b.air.left, "leaving")
		synctest.Wait()
		if b.store.leave {
			t.Error("it is not noted that the network was left")
		}
	})
}

// TestNothingIsLeftUnasked: the first start of a gateway ends nobody's connection.
func TestNothingIsLeftUnasked(t *testing.T) {
	run(t, &memStore{}, func(b *bench) {
		b.expect(gateway.Idle)
		b.connect("A", "home")
		wait(t, b.air.joins, "join")
		if len(b.air.left) > 0 {
			t.Error("the network was left")
		}
	})
}
