//go:build lab

package lab

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// kept is what the store holds, as far as a kill may change it.
type kept struct{ proven, candidate string }

// keptNow reads the store as the daemon has left it.
func keptNow() (k kept, err error) {
	s, err := readStore()
	for _, n := range s.Networks {
		slot := &k.candidate
		if n.Proven {
			slot = &k.proven
		}
		if *slot != "" {
			err = errors.Join(err, fmt.Errorf("a second network: %q", n.SSID))
		}
		*slot = string(n.SSID) + "/" + string(n.Passphrase)
	}
	return k, err
}

// longKills is how often the long form kills.
const longKills = 200

// TestKilledAtAnyMoment kills the daemon at random moments of CONNECT and ERASE: the store is the one
// from before or after, and the next daemon carries on.
func TestKilledAtAnyMoment(t *testing.T) {
	homes := []AP{
		{SSID: "kill me", Security: wifi.WPA2PSK, Passphrase: "the first passphrase", Channel: 1},
		{SSID: "kill me, too", Security: wifi.WPA2PSK, Passphrase: "a second, longer passphrase", Channel: 6},
	}
	g := start(t, situation{aps: homes, config: map[string]string{"bluetooth.security": "none"}})
	r := dialATT(t, phoneHCI, notEncrypted)
	r.exchangeMTU(64)
	random := chance(t)
	seen := map[string]int{}
	rounds := count(10, longKills)
	for round := range rounds {
		home := homes[round%2]
		ready := func() error { return r.write(central.SSIDUUID, []byte(home.SSID)...) }
		waitFor(t, "a daemon that takes writes", patience, ready)
		is(t, "Password", r.write(central.PasswordUUID, []byte(home.Passphrase)...), nil)
		secret(t, home.SSID, home.Passphrase)
		before, err := keptNow()
		if err != nil {
			t.Fatalf("round %d: before: %v", round, err)
		}
		o := newOrder(random, before, home)
		pid, answer := number(t, g.pid()), make(chan error, 1)
		go func() { answer <- r.write(central.ControlUUID, byte(o.control)) }()
		time.Sleep(moment(random.Float64()))
		killUntilDead(t, pid)
		<-answer // an error if the daemon did not live long enough
		after, err := keptNow()
		if err != nil {
			t.Fatalf("round %d, %s: %v", round, o.name, err)
		}
		which := o.which(after)
		if which == "" {
			t.Fatalf("round %d, %s: the store was %q and is %q", round, o.name, before, after)
		}
		seen[o.name+", "+which]++
		g.start()
		leftClean(t, round)
	}
	t.Logf("what the store held: %v", seen)
	if rounds == longKills && (seen["CONNECT, as before"] == 0 || seen["CONNECT, stored"] == 0 || seen["ERASE, as before"] == 0) {
		t.Error("no daemon was killed before it had written the store, or none after that: the moments are not those that matter")
	}
	waitFor(t, "a daemon that takes writes", patience, func() error { return r.write(central.SSIDUUID, []byte(homes[0].SSID)...) })
	is(t, "Password", r.write(central.PasswordUUID, []byte(homes[0].Passphrase)...), nil)
	is(t, "CONNECT", r.write(central.ControlUUID, byte(central.ControlConnect)), nil)
	g.stores(&homes[0])
}

// order is a CONNECT or an ERASE, and what the store may hold if the daemon is killed at any moment
// of it.
type order struct {
	control central.Control
	name    string
	may     []outcome
}

type outcome struct {
	name string
	kept
}

// newOrder returns the one or the other for a gateway whose store is before, and for which home is
// staged. A candidate in before may be proven meanwhile: the daemon tries it from its start on.
func newOrder(random *rand.Rand, before kept, home AP) order {
	befores := []kept{before}
	if before.candidate != "" {
		befores = append(befores, kept{before.candidate, ""})
	}
	o := order{control: central.ControlErase, name: "ERASE"}
	wanted := home.SSID + "/" + home.Passphrase
	if random.IntN(3) > 0 {
		o.control, o.name = central.ControlConnect, "CONNECT"
	}
	for _, b := range befores {
		o.may = append(o.may, outcome{"as before", b})
		if o.name == "CONNECT" {
			o.may = append(o.may, outcome{"stored", kept{b.proven, wanted}})
		}
	}
	if o.name == "CONNECT" {
		o.may = append(o.may, outcome{"joined", kept{wanted, ""}})
	} else {
		o.may = append(o.may, outcome{"erased", kept{}})
	}
	return o
}

// which returns the name of what the store holds now; empty: it must not hold that.
func (o order) which(after kept) (name string) {
	for _, m := range o.may {
		if m.kept == after {
			name = m.name
		}
	}
	return name
}

// killUntilDead kills the daemon and waits until systemd has noticed.
func killUntilDead(t testing.TB, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the daemon's end", patience, func() error {
		if out, _ := try("systemctl", "is-active", unit); out == "active\n" {
			return errors.New("it runs")
		}
		return nil
	})
}

// leftClean checks that a round has left no file but the store.
func leftClean(t testing.TB, round int) {
	if files, _ := filepath.Glob(storeDir + "/.*tmp*"); len(files) > 0 {
		t.Errorf("round %d: temporary files were left: %q", round, files)
	}
	if files, _ := filepath.Glob(storeDir + "/*.corrupt-*"); len(files) > 0 {
		t.Fatalf("round %d: the store was corrupt: %q", round, files)
	}
}

// moment spreads a number below 1 over the few milliseconds in which the store is written, and the
// seconds of a join.
func moment(x float64) time.Duration { return time.Duration(x * x * x * x * float64(3*time.Second)) }
