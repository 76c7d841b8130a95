package daemon

import (
	"errors"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

func windowOnly(_ *bench, c *Config) { c.Access = gateway.AccessWindow }

// closed fails if phones can find the gateway, or are served.
func (b *bench) closed(what string) {
	b.t.Helper()
	now := b.settled()
	want := gateway.Advertising{Problem: gateway.AccessWindow.Closed()}
	if now.Open || now.Leaving || now.MayRead() || !now.Window.IsZero() || now.Advertising != want {
		b.t.Errorf("%s: open %v, leaving %v, window %v, %+v", what, now.Open, now.Leaving, now.Window, now.Advertising)
	}
	err := b.Connect(gateway.Phone("A"), creds("home"))
	if !errors.Is(err, gateway.ErrShut) || !errors.Is(b.Erase(gateway.Phone("A")), gateway.ErrShut) ||
		!errors.Is(b.SetCountry(gateway.Phone("A"), "DE"), gateway.ErrShut) || !errors.Is(b.Identify(gateway.Phone("A")), gateway.ErrShut) {
		b.t.Errorf("%s: a phone's requests are taken: %v", what, err)
	}
}

// TestWindow: phones are served in a window only, which closes after success and
// disconnects whoever stays.
func TestWindow(t *testing.T) {
	runWith(t, &memStore{}, windowOnly, func(b *bench) {
		b.expect(gateway.Idle)
		b.closed("at the start")
		if err := b.Open(gateway.Phone("A"), time.Minute); !errors.Is(err, gateway.ErrNotAllowed) {
			t.Errorf("a phone opens the door: %v", err)
		}
		if b.Open(gateway.Operator(), time.Second) == nil || b.Open(gateway.Operator(), 2*time.Hour) == nil {
			t.Error("a window may be of any length")
		}
		b.closed("after what was refused")
		if err := b.Open(gateway.Operator(), 0); err != nil {
			t.Fatal(err)
		}
		if now := b.settled(); !now.Open || time.Until(now.Window) != 5*time.Minute || !now.Advertising.Wanted || now.Advertising.Problem != notYet {
			t.Errorf("opened: %+v", now)
		}
		b.Connected("A")
		b.connect("A", "home")
		b.expect(gateway.Connecting)
		b.join(nil)
		b.expect(gateway.Connected)
		if now := b.settled(); !now.Open || time.Until(now.Window) != 10*time.Second {
			t.Errorf("after success: %+v", now)
		}
		time.Sleep(10 * time.Second)
		b.closed("after success")
		if n := b.radio.cut.Load(); n != 1 {
			t.Errorf("phones were disconnected %d times", n)
		}
	})
}

// TestWindowEndsDuringAnAttempt: the phone may finish, and is told how its attempt ends,
// but nothing more is taken from it.
func TestWindowEndsDuringAnAttempt(t *testing.T) {
	runWith(t, &memStore{}, windowOnly, func(b *bench) {
		b.expect(gateway.Idle)
		if err := b.Open(gateway.Operator(), time.Minute); err != nil {
			t.Fatal(err)
		}
		b.Connected("A")
		time.Sleep(50 * time.Second)
		b.connect("A", "home")
		b.expect(gateway.Connecting)
		wait(t, b.air.joins, "join")
		time.Sleep(15 * time.Second) // of which 5 s are after the window
		if now := b.settled(); !now.Open || now.Advertising.Wanted || time.Until(now.Window) != 55*time.Second {
			t.Errorf("the time is over: %+v", now)
		}
		if err := b.Close(gateway.Operator()); err != nil {
			t.Fatal(err)
		}
		now := b.settled()
		if now.MayWrite() || !now.MayRead() || b.radio.cut.Load() > 0 {
			t.Errorf("closed during the attempt: %+v", now)
		}
		if err := b.Connect(gateway.Phone("A"), creds("other")); !errors.Is(err, gateway.ErrShut) {
			t.Errorf("another CONNECT is answered %v", err)
		}
		b.air.out <- &wifi.Error{Failure: wifi.FailureWrongPassword}
		b.expect(gateway.Failed)
		if now := b.settled(); !now.MayRead() {
			t.Error("the phone cannot read why it failed")
		}
		time.Sleep(10 * time.Second)
		b.closed("at last")
		if n := b.radio.cut.Load(); n != 1 {
			t.Errorf("phones were disconnected %d times", n)
		}
	})
}

// TestWindowIsNotHeldOpen: phones that come and go, and one that provisions again and
// again, well or in vain, do not keep the door open for longer.
func TestWindowIsNotHeldOpen(t *testing.T) {
	for name, outcome := range map[string]error{"well": nil, "in vain": &wifi.Error{Failure: wifi.FailureWrongPassword}} {
		t.Run(name, func(t *testing.T) {
			runWith(t, &memStore{}, windowOnly, func(b *bench) {
				b.expect(gateway.Idle)
				if err := b.Open(gateway.Operator(), time.Minute); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				for b.settled().MayRead() {
					b.Connected("A")
					<-b.air.prepared
					if b.Connect(gateway.Phone("A"), creds("home")) == nil {
						b.expect(gateway.Connecting)
						b.join(outcome)
						<-b.statuses
					}
					time.Sleep(time.Second)
					if time.Since(began) < 50*time.Second {
						b.Disconnected("A")
					}
				}
				took, least := time.Since(began), time.Duration(0)
				if outcome != nil {
					least = time.Minute
				}
				if took < least || took > 2*time.Minute+15*time.Second {
					t.Errorf("the door was open for %s", took)
				}
			})
		})
	}
}

func TestOnlineElsewhere(t *testing.T) {
	offline := func(_ *bench, c *Config) { c.Access = gateway.AccessOffline }
	runWith(t, &memStore{}, offline, func(b *bench) {
		b.expect(gateway.Idle)
		b.OnlineElsewhere(true)
		b.OnlineElsewhere(true)
		time.Sleep(11 * time.Second)
		if now := b.settled(); now.Open || now.Advertising.Problem != gateway.AccessOffline.Closed() {
			t.Errorf("with Ethernet: %+v", now)
		}
		if err := b.Erase(gateway.Phone("A")); err != nil {
			t.Errorf("with offline a phone that stays is served: %v", err)
		}
		b.OnlineElsewhere(false)
		time.Sleep(61 * time.Second)
		if now := b.settled(); !now.Open || !now.Advertising.Wanted {
			t.Errorf("without: %+v", now)
		}
	})
}

func TestCode(t *testing.T) {
	run(t, &memStore{}, func(b *bench) {
		b.expect(gateway.Idle)
		if now := b.settled(); now.Code != gateway.CodeUnknown || now.CodeRequired {
			t.Errorf("at first: %+v", now)
		}
		b.Code(gateway.CodeSet, true)
		if now := b.settled(); now.Code != gateway.CodeSet || !now.CodeRequired {
			t.Errorf("with a code: %+v", now)
		}
	})
}

func TestIdentify(t *testing.T) {
	run(t, &memStore{}, func(b *bench) {
		b.expect(gateway.Idle)
		if err := b.Identify(gateway.Requester{}); !errors.Is(err, gateway.ErrNobody) {
			t.Errorf("nobody is answered %v", err)
		}
		for range 2 {
			if err := b.Identify(gateway.Phone("A")); err != nil || !b.settled().Identify {
				t.Errorf("identify: %v", err)
			}
			time.Sleep(identifyFor + time.Second)
			if b.settled().Identify {
				t.Error("it does not end")
			}
		}
	})
}
