package control

import (
	"errors"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// FuzzStatus: whatever the daemon tells, the bus takes it and a program reads it as
// it was.
func FuzzStatus(f *testing.F) {
	f.Add("CONNECTED", "online", "because", "home", "02:00:00:00:01:00", "AA", byte(1), int64(1), 2412, -40)
	bus := dbustest.NewAnswerer(f)
	f.Fuzz(func(t *testing.T, name, why, trouble, ssid, bssid, keyMgmt string, reason byte, since int64, frequency, signal int) {
		s := NewServer(ServerConfig{Version: name, Security: trouble, Log: slog.New(slog.DiscardHandler)})
		s.SetState(State{Name: name, Phase: why, Why: why, Next: trouble, Since: time.UnixMicro(since), Reason: wifi.Failure(reason), Advertise: true,
			Network: wifi.Network{SSID: wifi.SSID(ssid), BSSID: bssid, FrequencyMHz: frequency, SignalDBm: signal, KeyMgmt: keyMgmt}})
		s.SetSSID(wifi.SSID(ssid))
		s.AdvertisingDown(trouble)
		bus.Set(func(dbus.ObjectPath, string, []any) (string, []any) {
			values, _ := s.getAll(Interface)
			return "", []any{values}
		})
		got, err := ask(t.Context(), bus.Conn)
		if err != nil {
			t.Fatal(err)
		}
		if got.Name != text(name) || got.Why != text(why) || got.Trouble != text(trouble) || got.SSID != wifi.SSID(ssid) || byte(got.Reason) != reason {
			t.Errorf("%+v", got)
		}
		dbustest.CheckText(t, "SSIDText", escaped(got.SSID[:min(len(got.SSID), wifi.MaxSSIDLen)]))
		if again := got.values(); !reflect.DeepEqual(again, s.values) {
			t.Errorf("read as %v instead of %v", again, s.values)
		}
	})
}

// FuzzReplies: whatever is answered to wifiprovctl in the daemon's place is read or
// refused, and whatever the bus says of who asks and has the name, only root erases.
func FuzzReplies(f *testing.F) {
	f.Add([]byte{})
	bus := dbustest.NewAnswerer(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		v := dbustest.NewValues(data, "State", "Why", "Since", "SSID", "BSSID", "Centrals", "Advertising", "CONNECTED", "home").Valid()
		var failure string
		var body []any
		bus.Set(func(_ dbus.ObjectPath, method string, _ []any) (string, []any) {
			failure = v.Pick("", "", "", "", "", errorPrefix+"ServiceUnknown", errorPrefix+"NameHasNoOwner", errorPrefix+"AccessDenied")
			switch {
			case failure != "":
				body = v.Body(func() any { return v.Word() })
			case method == properties+".GetAll":
				body = v.Body(func() any { return fuzzedStatus(v) })
			default:
				body = v.Body(func() any { return uint32(len(v.Bytes())) })
			}
			return failure, body
		})
		s, err := ask(t.Context(), bus.Conn)
		gone := failure == errorPrefix+"ServiceUnknown" || failure == errorPrefix+"NameHasNoOwner"
		if failure != "" && err == nil || errors.Is(err, ErrNotRunning) != gone || err != nil && !reflect.DeepEqual(s, Status{}) {
			t.Errorf("%q gives %+v, %v", failure, s, err)
		}
		if err == nil && (s.For() < 0 || s.Network.SSID != "" && s.Network.BSSID == "") {
			t.Errorf("read %+v", s)
		}
		if err == nil { // what is shown of it is told again as it is
			again := status(s.values())
			if !reflect.DeepEqual(again.values(), s.values()) {
				t.Errorf("%v became %v", s.values(), again.values())
			}
		}
		erased := false
		server := NewServer(ServerConfig{Log: slog.New(slog.DiscardHandler), Erase: func() error { erased = true; return nil }})
		refused := server.erase(bus.Conn, ":1.7") != nil
		root := failure == "" && len(body) == 1 && isZero(body[0])
		if erased == refused || erased && !root {
			t.Errorf("erased: %v, refused: %v; the bus answered %q %v", erased, refused, failure, body)
		}
		if err := takeName(t.Context(), bus.Conn); err == nil && (failure != "" || len(body) != 1 || isZero(body[0])) {
			t.Errorf("the name counts as taken; the bus answered %q %v", failure, body)
		}
	})
}

// isZero also looks into a variant, as the bus library does.
func isZero(value any) bool {
	for {
		variant, ok := value.(dbus.Variant)
		if !ok {
			return reflect.ValueOf(value).IsZero()
		}
		value = variant.Value()
	}
}

func fuzzedStatus(v *dbustest.Values) map[string]dbus.Variant {
	word, bytes := func() any { return v.Word() }, func() any { return v.Bytes() }
	number := func() any { return uint64(v.Int()) << (8 * (len(v.Bytes()) % 8)) }
	type field = dbustest.Field
	return v.Fields(field{Name: "State", Make: word}, field{Name: "Why", Make: word}, field{Name: "Since", Make: number},
		field{Name: "SinceMonotonic", Make: number}, field{Name: "ReasonCode", Make: func() any { return byte(v.Int()) }},
		field{Name: "SSID", Make: bytes}, field{Name: "BSSID", Make: word}, field{Name: "Frequency", Make: func() any { return uint32(v.Int()) }},
		field{Name: "Signal", Make: func() any { return int32(v.Int()) }}, field{Name: "KeyManagement", Make: word},
		field{Name: "Centrals", Make: func() any { return []string{v.Word(), v.Word()} }},
		field{Name: "Advertising", Make: func() any { return v.Int() > 0 }}, field{Name: "Adapter", Make: word},
		field{Name: "NotAdvertisingWhy", Make: word}, field{Name: "Version", Make: word}, field{Name: "Security", Make: word})
}
