package wpa

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/dbustest"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// FuzzReplies: whatever wpa_supplicant and NetworkManager answer, the interface,
// the access points and the joined network are read in their limits or not at all.
func FuzzReplies(f *testing.F) {
	addSeeds(f)
	bus := dbustest.NewAnswerer(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		v := dbustest.NewValues(data, "completed", stateDisabled, "sae", "wpa-psk", "wpa-psk-sha256", "aes-128-cmac", "KeyMgmt", "home",
			"/i", "/n", "/b", "State", "SSID", "rssi").Valid()
		bus.Set(fuzzedAnswer(v))
		o := newFuzzed(t, bus.Conn)
		for range 2 { // NetworkManager, and wpa_supplicant
			o.next()(t.Context())()
			o.settle(time.Now())
		}
		if o.station == nil {
			o.onDevice()
			o.station.attempt, o.station.mine = nil, ""
		}
		o.link, o.trouble.retry = nil, backoff{}
		o.settle(time.Now())
		s := o.station
		s.dev.answers(t.Context(), "wlan0")
		if now, err := s.dev.connection(t.Context()); err == nil {
			if n, err := (&Link{c: o.Client, dev: s.dev, network: now.network}).Network(t.Context()); err == nil {
				checkNetwork(t, n)
			}
		}
		j := newJoin(o.Client, s.dev, &turn{}, wifi.Target{Credentials: homeCredentials(), Proven: true}, &derived{cred: homeCredentials()})
		j.keeper = direct{j}
		if now, err := j.arrived(t.Context(), &attempt{network: "/n"}); err == nil && now.network != "/n" {
			t.Errorf("arrived at %+v", now)
		}
		if found, err := s.dev.heard(t.Context(), func(bss) bool { return true }); err == nil {
			checkFound(t, j, found)
		}
		checkNetworks(t, j, o)
	})
}

// checkNetworks adds a network, removes it, and takes over one that stands.
func checkNetworks(t *testing.T, j *join, o *owner) {
	t.Helper()
	a := &attempt{}
	err := j.keeper.add(t.Context(), plan{akms: []string{akmNone}}, a)
	path := a.network
	o.runPosts()
	if err == nil != (o.station.mine != "") || o.station.mine != path {
		t.Errorf("added %q, %v; ours is %q", path, err, o.station.mine)
	}
	j.keeper.remove(t.Context(), a)
	l := j.keeper.adopt(t.Context(), true)
	for _, f := range o.inbox.take() { // without settling: an unlucky answer would have the link lost at once
		f(o)
	}
	if l != o.link || l != nil && (!l.network.IsValid() || l.network == noPath) {
		t.Errorf("adopted %+v, watches over %+v", l, o.link)
	}
}

func homeCredentials() wifi.Credentials {
	return wifi.Credentials{SSID: "home", Passphrase: wifi.NewPassphrase([]byte("correct horse")), Security: wifi.AutoDetect}
}

// fuzzedAnswer makes an answer of v to each call, mostly of the type expected.
func fuzzedAnswer(v *dbustest.Values) dbustest.Answer {
	word, path := func() any { return v.Word() }, func() any { return v.Path("/i", "/n", "/b", "/") }
	variant := func(value any) []any { return v.Body(func() any { return dbus.MakeVariant(value) }) }
	return func(_ dbus.ObjectPath, method string, args []any) (string, []any) {
		failure := v.Pick("", "", "", "", "", "", "", "", "", errIfaceUnknown, errIfaceExists, errScan, errUnknown,
			msgbus.ErrorPrefix+"AccessDenied")
		switch {
		case failure != "":
			return failure, v.Body(word)
		case method == msgbus.Properties+".GetAll" && args[0] == bssIface:
			return "", v.Body(func() any { return fuzzedBSS(v) })
		case method == msgbus.Properties+".GetAll":
			return "", v.Body(func() any { return fuzzedInterface(v) })
		case method == msgbus.Properties+".Get" && args[1] == "BSSs":
			return "", variant(fuzzedPaths(v))
		case method == msgbus.Properties+".Get":
			return "", variant(v.Int() > 0)
		case method == ifaceIface+".SignalPoll":
			return "", variant(v.Fields(dbustest.Field{Name: "rssi", Make: func() any { return int32(v.Int()) }}))
		case strings.HasSuffix(method, ".GetNameOwner"):
			return "", v.Body(word)
		case strings.HasSuffix(method, ".GetInterface"), strings.HasSuffix(method, ".CreateInterface"), strings.HasSuffix(method, ".GetDeviceByIpIface"),
			strings.HasSuffix(method, ".AddNetwork"):
			return "", v.Body(path)
		}
		return "", v.Body()
	}
}

// fuzzedPaths is a list of access points, once in a while a very long one.
func fuzzedPaths(v *dbustest.Values) []dbus.ObjectPath {
	n := len(v.Bytes()) % 8
	if v.Pick("", "", "", "many") != "" {
		n = maxBSS + 100
	}
	return slices.Repeat([]dbus.ObjectPath{"/b"}, n)
}

func fuzzedInterface(v *dbustest.Values) map[string]dbus.Variant {
	lists := func() any { return fuzzedLists(v, "KeyMgmt", "GroupMgmt", "Pairwise", "Group") }
	return v.Fields(
		dbustest.Field{Name: "State", Make: func() any { return v.Pick("completed", stateDisabled, v.Word()) }},
		dbustest.Field{Name: "CurrentNetwork", Make: func() any { return v.Path("/n", "/") }},
		dbustest.Field{Name: "CurrentBSS", Make: func() any { return v.Path("/b", "/") }},
		dbustest.Field{Name: "CurrentAuthMode", Make: func() any { return v.Word() }},
		dbustest.Field{Name: "Capabilities", Make: lists},
	)
}

func fuzzedBSS(v *dbustest.Values) map[string]dbus.Variant {
	bytes := func() any { return v.Bytes() }
	return v.Fields(
		dbustest.Field{Name: "SSID", Make: bytes}, dbustest.Field{Name: "BSSID", Make: bytes},
		dbustest.Field{Name: "Frequency", Make: func() any { return uint16(v.Int()) + 1 }},
		dbustest.Field{Name: "Signal", Make: func() any { return int16(v.Int()) }},
		dbustest.Field{Name: "Age", Make: func() any { return uint32(v.Int()) }},
		dbustest.Field{Name: "Privacy", Make: func() any { return v.Int() > 0 }},
		dbustest.Field{Name: "IEs", Make: func() any { return fuzzedElements(v) }},
	)
}

// fuzzedElements returns any bytes, or an RSN element with any bytes where it may have
// suites.
func fuzzedElements(v *dbustest.Values) []byte {
	if v.Int() > 0 {
		return v.Bytes()
	}
	return append([]byte{idRSN, 20, 1, 0, 0, 0x0f, 0xac, 4, 1, 0, 0, 0x0f, 0xac, 4, 1, 0, 0, 0x0f, 0xac, byte(v.Int()), 0, 0}, v.Bytes()...)
}

func fuzzedLists(v *dbustest.Values, names ...string) map[string]dbus.Variant {
	var fields []dbustest.Field
	for _, name := range names {
		fields = append(fields, dbustest.Field{Name: name, Make: func() any { return []string{v.Word(), v.Word()} }})
	}
	return v.Fields(fields...)
}

func checkNetwork(t *testing.T, n wifi.Network) {
	t.Helper()
	if len(n.SSID) > wifi.MaxSSIDLen || !mac.MatchString(n.BSSID) || n.FrequencyMHz < 0 || n.FrequencyMHz > 1<<16 || n.SignalDBm < -1<<15 || n.SignalDBm >= 1<<15 {
		t.Errorf("joined %+v", n)
	}
}

// checkFound checks what is made of the access points that were found.
func checkFound(t *testing.T, j *join, found []bss) {
	t.Helper()
	if len(found) > maxBSS {
		t.Errorf("%d access points", len(found))
	}
	told := map[wifi.SSID]bool{}
	for _, o := range offered(found, j.dev) {
		if told[o.SSID] || hides(o.SSID) || len(o.SSID) > wifi.MaxSSIDLen || !o.Security.Valid() {
			t.Errorf("offered %+v, again: %v", o, told[o.SSID])
		}
		told[o.SSID] = true
	}
	p, fitting, err := choose(j.cred, found, j.dev, j.sae, false)
	var failure *wifi.Error
	switch {
	case err != nil && (!errors.As(err, &failure) || strings.Contains(err.Error(), "correct horse")):
		t.Errorf("error %v", err)
	case err == nil && (len(fitting) == 0 || len(p.akms) == 0 || !p.protected() || len(p.scan) == 0 || p.sae() && !j.dev.sae):
		t.Errorf("plan %+v for %+v", p, fitting)
	}
}
