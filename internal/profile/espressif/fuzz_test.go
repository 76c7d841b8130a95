package espressif

import (
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/protocomm"
)

// Whatever is written inside a session, and outside of one, is answered and asks for nothing that
// it does not say.
func FuzzRequests(f *testing.F) {
	for _, b := range [][]byte{{}, {8, 4}, {0x52, 0}, {8, 1}, {8, 3}, {8, 2}, protocomm.ScanRequest{Command: protocomm.ScanResult, Count: 4}.Encode(),
		protocomm.ConfigRequest{Command: protocomm.SetConfig, SSID: []byte("home"), Passphrase: []byte(password)}.Encode()} {
		f.Add(uint8(1), b)
	}
	r := newRig(f)
	c := r.session(phone1)
	endpoints := map[protocomm.Endpoint]*gatt.Characteristic{}
	for _, e := range protocomm.Endpoints {
		endpoints[e] = r.find(e)
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		e := protocomm.Endpoints[int(which)%len(protocomm.Endpoints)]
		before := len(r.control.asked)
		_ = endpoints[e].Write(gatt.Request{Central: phone2}, append([]byte(nil), b...))
		if r.profile.Proved(phone2) || len(r.control.asked) != before {
			t.Error("without the code")
		}
		if e == protocomm.Session || e == protocomm.Version {
			return
		}
		err := endpoints[e].Write(gatt.Request{Central: phone1}, c.seal(b))
		if err == nil {
			endpoints[e].ReadLater(gatt.Request{Central: phone1}, func([]byte, error) {})
			_, _ = c.cipher.Take()
		}
		if e != protocomm.Config && len(r.control.asked) != before {
			t.Errorf("%s has asked for an attempt", e)
		}
	})
}
