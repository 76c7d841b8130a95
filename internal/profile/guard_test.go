package profile

import (
	"errors"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

func TestGuarded(t *testing.T) {
	var written []byte
	reads, writes := false, false
	services := []gatt.Service{{UUID: "s", Pairing: gatt.Encrypt, Characteristics: []*gatt.Characteristic{
		{UUID: "r", Read: func(gatt.Request) ([]byte, error) { return []byte{1}, nil }},
		{UUID: "w", Write: func(_ gatt.Request, v []byte) error { written = v; return nil }, Notify: &gatt.Notifier{}},
	}}}
	guarded := Guarded(services, Door{MayRead: func() bool { return reads }, MayWrite: func() bool { return writes }})
	s := guarded[0]
	r, w := s.Characteristics[0], s.Characteristics[1]
	if s.UUID != "s" || s.Pairing != gatt.Encrypt || r.Write != nil || w.Read != nil || w.Notify != services[0].Characteristics[1].Notify {
		t.Errorf("another service: %+v", s)
	}
	secret := []byte("secret")
	if _, err := r.Read(gatt.Request{}); !errors.Is(err, gatt.ErrNotPermitted) {
		t.Errorf("read: %v", err)
	}
	if err := w.Write(gatt.Request{}, secret); !errors.Is(err, gatt.ErrNotPermitted) || written != nil || secret[0] != 0 {
		t.Errorf("write: %v, %q, %q", err, written, secret)
	}
	reads = true
	if v, err := r.Read(gatt.Request{}); err != nil || len(v) != 1 {
		t.Errorf("read: %v", err)
	}
	if err := w.Write(gatt.Request{}, []byte{1}); err == nil {
		t.Error("who may read may write")
	}
	writes = true
	if err := w.Write(gatt.Request{}, []byte{1}); err != nil || len(written) != 1 {
		t.Errorf("write: %v", err)
	}
}
