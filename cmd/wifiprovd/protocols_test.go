package main

import (
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/config"
	"github.com/wifiprovd/wifiprovd/internal/custom"
	"github.com/wifiprovd/wifiprovd/internal/daemon"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/profile/improv"
	"github.com/wifiprovd/wifiprovd/internal/profile/native"
)

// The configuration chooses the protocols, not their order; the security mode guards each service.
func TestProtocols(t *testing.T) {
	d := daemon.New(daemon.Config{})
	for text, want := range map[string][]string{
		"":                  {native.ServiceUUID, native.DetailsUUID},
		"[improv]":          {improv.ServiceUUID},
		"[improv, native]":  {native.ServiceUUID, native.DetailsUUID, improv.ServiceUUID},
		"[native, improv]":  {native.ServiceUUID, native.DetailsUUID, improv.ServiceUUID},
		"[native] # improv": {native.ServiceUUID, native.DetailsUUID},

		"[espressif, native]": {native.ServiceUUID, native.DetailsUUID},
		"[espressif]":         nil, // it comes with the code
	} {
		data := "bluetooth:\n  security: authenticated\n"
		if text != "" {
			data += "  protocols: " + text + "\n"
		}
		c, err := config.Parse("f", []byte(data))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		log := slog.New(slog.NewTextHandler(io.Discard, nil))
		phones, box := protocols(t.Context(), c, d, custom.NewExchange(log), log)
		for _, s := range phones.Services() {
			got = append(got, s.UUID)
			if s.Pairing != gatt.Authenticated {
				t.Errorf("%s asks for %s", s.UUID, s.Pairing)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
		if spoken := strings.Contains(text, "espressif"); spoken != (box.prover != nil) {
			t.Errorf("%s: a code can be proved: %v", text, !spoken)
		}
	}
}
