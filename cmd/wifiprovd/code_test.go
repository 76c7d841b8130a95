package main

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/config"
	"github.com/wifiprovd/wifiprovd/internal/custom"
	"github.com/wifiprovd/wifiprovd/internal/daemon"
	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/profile"
	"github.com/wifiprovd/wifiprovd/internal/srp"
)

// A code shuts the doors that do not ask for it: their services take no writes, and are not
// advertised. What is read stays.
func TestCodeShutsOtherDoors(t *testing.T) {
	v := srp.NewVerifier("wifiprov", []byte("K7QF2M9XWR4T"))
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		settings      string
		code          *srp.Verifier
		broken        error
		shut, offered bool
		adverts       int
		told, notTold string
	}{
		"no code":                       {"protocols: [native, improv, espressif]", nil, nil, false, false, 2, "Espressif's protocol is off", ""},
		"a code":                        {"protocols: [native, improv, espressif]", &v, nil, true, true, 1, "not advertised: native, improv", ""},
		"broken":                        {"protocols: [native, espressif]", nil, broken, true, false, 0, "cannot be used", ""},
		"not required":                  {"protocols: [native, espressif]\n  require_code: false", &v, nil, false, true, 2, "may still provision by native", ""},
		"required, none":                {"protocols: [native, espressif]\n  require_code: true", nil, nil, true, false, 0, "nobody can provision", ""},
		"nothing asks":                  {"protocols: [native]", &v, nil, false, false, 1, "does not have espressif", ""},
		"no way to prove":               {"protocols: [native]\n  require_code: true", &v, nil, true, false, 0, "nobody can provision", "nothing asks"},
		"Espressif alone":               {"protocols: [espressif]", &v, nil, true, true, 1, "phones must prove it", "advertised"},
		"Espressif alone, not required": {"protocols: [espressif]\n  require_code: false", &v, nil, false, true, 1, "phones must prove it", "advertised"},
		"a broken configuration":        {"", &v, nil, false, true, 2, "may still provision by native", ""},
		"nothing at all":                {"protocols: [native]", nil, nil, false, false, 1, "", "code"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config.Strict()
			if c.settings != "" {
				var err error
				if cfg, err = config.Parse("f", []byte("bluetooth:\n  "+c.settings)); err != nil {
					t.Fatal(err)
				}
			}
			var log bytes.Buffer
			lines := slog.New(slog.NewTextHandler(&log, nil))
			phones, box := protocols(t.Context(), cfg, daemon.New(daemon.Config{}), custom.NewExchange(lines), lines)
			log.Reset()
			yes := func() bool { return true }
			app, phones := application(phones, box, profile.Door{MayRead: yes, MayWrite: yes})
			news := 0
			box.news = func() { news++ }
			box.changed(c.code, c.broken)
			if c.code != nil { // read again: nothing has changed, and sessions go on
				again := *c.code
				box.changed(&again, c.broken)
			} else {
				box.changed(nil, c.broken)
			}
			want := gateway.CodeNone
			switch {
			case c.broken != nil:
				want = gateway.CodeUnreadable
			case c.code != nil:
				want = gateway.CodeSet
			}
			if got := box.state(); got != want {
				t.Errorf("the code is %q, want %q", got, want)
			}
			if news != 1 || box.shut() != c.shut || box.offered.Load() != c.offered {
				t.Errorf("shut %v, offered %v, told %d times", box.shut(), box.offered.Load(), news)
			}
			if alone := strings.HasPrefix(name, "Espressif alone") || c.shut; box.alone() != alone {
				t.Errorf("phones get in by the code alone: %v, want %v", box.alone(), alone)
			}
			if n := len(phones.Adverts(&gateway.Snapshot{})); n != c.adverts {
				t.Errorf("%d adverts, want %d", n, c.adverts)
			}
			if got := log.String(); !strings.Contains(got, c.told) || c.notTold != "" && strings.Contains(got, c.notTold) {
				t.Errorf("told: %s", got)
			}
			for _, s := range app.Services {
				for _, ch := range s.Characteristics {
					if ch.Write == nil {
						continue
					}
					secret := []byte("secret")
					err := ch.Write(gatt.Request{}, secret) // of nobody, whom the protocols refuse otherwise
					if refused := errors.Is(err, gatt.ErrNotPermitted); refused != c.shut || c.shut && secret[0] != 0 {
						t.Errorf("%s: %v, %q", ch.UUID, err, secret)
					}
				}
			}
		})
	}
}
