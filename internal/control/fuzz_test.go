package control

import (
	"errors"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// FuzzStatus: whatever the daemon tells, the bus takes it and a program reads it as
// it was.
func FuzzStatus(f *testing.F) {
	f.Add("CONNECTED", "online", "because", "home", "02:00:00:00:01:00", "AA", byte(1), int64(1), 2412, -40)
	bus := dbustest.NewAnswerer(f)
	f.Fuzz(func(t *testing.T, name, message, problem, ssid, bssid, akm string, reason byte, since int64,
		frequency, signal int) {
		s := NewServer(ServerConfig{Version: name, Log: slog.New(slog.DiscardHandler)})
		s.Changed(nil, &gateway.Snapshot{
			Status: gateway.Status(reason), Phase: gateway.Phase(reason), Reason: wifi.Failure(reason),
			Message: message, Next: problem, Since: time.UnixMicro(since),
			Network: &wifi.Network{SSID: wifi.SSID(ssid), BSSID: bssid, FrequencyMHz: frequency,
				SignalDBm: signal, AKM: wifi.AKM(akm)},
			Centrals:    []gatt.Central{gatt.Central(name)},
			Advertising: gateway.Advertising{Wanted: true, Problem: problem},
		})
		bus.Set(func(dbus.ObjectPath, string, []any) (string, []any) {
			values, _ := s.getAll(Interface)
			return "", []any{values}
		})
		got, err := ask(t.Context(), bus.Conn)
		if err != nil {
			t.Fatal(err)
		}
		if got.Version != valid(name) || got.Message != valid(message) || string(got.SSID) != ssid ||
			got.ReasonCode != reason {
			t.Errorf("%+v", got)
		}
		text := escaped(wifi.SSID(got.SSID[:min(len(got.SSID), wifi.MaxSSIDLen)]))
		dbustest.CheckText(t, "SSIDText", text)
		if again := encode(&got); !reflect.DeepEqual(again, s.values) {
			t.Errorf("read as %v instead of %v", again, s.values)
		}
	})
}

// encode is the reverse of decode.
func encode(s *Status) map[string]dbus.Variant {
	values := map[string]dbus.Variant{}
	for _, p := range properties {
		values[p.name] = dbus.MakeVariant(p.value.kept(s))
	}
	return values
}

// FuzzReplies: whatever is answered to wifiprovctl in the daemon's place is read or
// refused, and whatever the bus says of who asks and has the name, only root erases.
func FuzzReplies(f *testing.F) {
	f.Add([]byte{})
	bus := dbustest.NewAnswerer(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		v := dbustest.NewValues(data, "Status", "Message", "Since", "SSID", "BSSID", "Centrals", "Advertising", "CONNECTED", "home").Valid()
		var failure string
		var body []any
		bus.Set(func(_ dbus.ObjectPath, method string, _ []any) (string, []any) {
			failure = v.Pick("", "", "", "", "", msgbus.ErrorPrefix+"ServiceUnknown", msgbus.ErrorPrefix+"NameHasNoOwner", msgbus.ErrorPrefix+"AccessDenied")
			switch {
			case failure != "":
				body = v.Body(func() any { return v.Word() })
			case method == msgbus.Properties+".GetAll":
				body = v.Body(func() any { return fuzzedStatus(v) })
			default:
				body = v.Body(func() any { return uint32(len(v.Bytes())) })
			}
			return failure, body
		})
		s, err := ask(t.Context(), bus.Conn)
		gone := failure == msgbus.ErrorPrefix+"ServiceUnknown" || failure == msgbus.ErrorPrefix+"NameHasNoOwner"
		if failure != "" && err == nil || errors.Is(err, ErrNotRunning) != gone || err != nil && !reflect.DeepEqual(s, Status{}) {
			t.Errorf("%q gives %+v, %v", failure, s, err)
		}
		if err == nil && (s.For() < 0) {
			t.Errorf("read %+v", s)
		}
		if err == nil { // what is shown of it is told again as it is
			if again := decode(encode(&s)); !reflect.DeepEqual(again, s) {
				t.Errorf("%v became %v", s, again)
			}
		}
		erased := false
		server := NewServer(ServerConfig{Log: slog.New(slog.DiscardHandler), Control: eraser(
			func(gateway.Requester) error { erased = true; return nil })})
		refused := server.request(bus.Conn, ":1.7", "ERASE", "erase-requested", server.cfg.Control.Erase) != nil
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
	return v.Fields(field{Name: "Status", Make: word}, field{Name: "Message", Make: word}, field{Name: "Since", Make: number},
		field{Name: "SinceMonotonic", Make: number}, field{Name: "ReasonCode", Make: func() any { return byte(v.Int()) }},
		field{Name: "SSID", Make: bytes}, field{Name: "BSSID", Make: word}, field{Name: "Frequency", Make: func() any { return uint32(v.Int()) }},
		field{Name: "Signal", Make: func() any { return int32(v.Int()) }}, field{Name: "AKM", Make: word},
		field{Name: "Centrals", Make: func() any { return []string{v.Word(), v.Word()} }},
		field{Name: "Advertising", Make: func() any { return v.Int() > 0 }}, field{Name: "Adapter", Make: word},
		field{Name: "AdvertisingMessage", Make: word}, field{Name: "Version", Make: word}, field{Name: "Security", Make: word})
}
