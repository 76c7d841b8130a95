package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/control"
	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/doctor"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// FuzzShown: whatever the daemon, BlueZ, a gateway and the programs of a machine
// say, it adds no line to what is shown, does nothing to a terminal, and is whole
// in the JSON.
func FuzzShown(f *testing.F) {
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, data []byte, terminal bool) {
		v := dbustest.NewValues(data, "home", "\x1b[2J", "a\nState CONNECTED", "\u202e", "\u009b31m", "\xff\x00", "\U000e0001", "\u2028", "\x7f")
		j := &job{screen: newScreen(nil, terminal)}
		s := control.Status{
			Status: v.Word(), Phase: v.Word(), Message: v.Word(), Next: v.Word(), Since: uint64(v.Int()) << 40, Reason: v.Word(), ReasonCode: byte(v.Int()),
			BSSID: v.Word(), AKM: v.Word(), Frequency: uint32(v.Int()), Signal: int32(v.Int()), IPv4: v.Word(), Gateway: v.Word(),
			Version: v.Word(), Security: v.Word(), SSID: []byte(v.Word()), SSIDText: v.Word(), Centrals: []string{v.Word()},
			Advertising: v.Int() > 0, Adapter: v.Word(), AdvertisingMessage: v.Word()}
		lines := 8
		if s.ReasonCode != 0 {
			lines++
		}
		if s.Joined() { // and the address there
			lines++
		}
		checkShown(t, j.inLines(&s), lines)
		checkJSON(t, statusJSON(&s), map[string]string{"message": s.Message, "version": s.Version, "security": s.Security})

		r := doctor.Result{Check: "service", Verdict: doctor.Wrong, Message: v.Word(), Fix: "systemctl"}
		checkShown(t, resultLines(r), 2)
		checkJSON(t, r, map[string]string{"message": r.Message})

		heard := []central.Heard{{Offer: wifi.Offer{SSID: wifi.SSID(v.Word()), SignalDBm: v.Int(), Security: wifi.Security(v.Int()), Joinable: v.Int() > 0}}}
		checkShown(t, j.list(heard), 1)
		checkShown(t, j.table(map[string]central.Gateway{"A": {Address: "AA:BB:CC:00:00:01", Name: v.Word(), RSSI: v.Int()}}), 1)
		var stderr strings.Builder
		report(&stderr, fmt.Errorf("pair: %w", errors.New(v.Word())))
		checkShown(t, stderr.String(), 1)
	})
}

func checkShown(t *testing.T, text string, lines int) {
	t.Helper()
	if n := strings.Count(text, "\n"); n != lines || !strings.HasSuffix(text, "\n") {
		t.Errorf("%d lines instead of %d: %q", n, lines, text)
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
		t.Errorf("not printable at %d: %q", i, text)
	}
}

// checkJSON checks that these fields of v are printed as they are.
func checkJSON(t *testing.T, v any, fields map[string]string) {
	t.Helper()
	var b strings.Builder
	if err := printJSON(&b, v); err != nil {
		t.Fatal(err)
	}
	checkShown(t, b.String(), strings.Count(b.String(), "\n"))
	var got map[string]any
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil {
		t.Fatalf("%v: %q", err, b.String())
	}
	for name, want := range fields {
		text, _ := got[name].(string)
		if want = string([]rune(want)); text != want {
			t.Errorf("%s is %q instead of %q", name, text, want)
		}
	}
}
