package main

import (
	"log/slog"

	"github.com/wifiprovd/wifiprovd/internal/credstore"
	"github.com/wifiprovd/wifiprovd/internal/seal"
)

// sealing returns how the store writes passwords: as store.seal says, with the key that systemd has
// handed in. The journal says if the two do not go together.
func sealing(setting string, log *slog.Logger) credstore.Sealing {
	key, err := seal.Handed()
	if err != nil {
		log.Error("the store's key cannot be used", "event", "seal", "err", err)
	}
	state := seal.Read("/", setting)
	state.KeyID = key.ID()
	if problem := state.Problem(); problem != nil {
		log.Warn(problem.Error()+"; to fix it: "+problem.Fix, "event", "seal")
	}
	return credstore.Sealing{Key: key, Want: wanted(setting, key != nil)}
}

// wanted reports whether passwords are to be sealed. Without a setting, as the configuration is
// broken, what was sealed stays sealed: a key is handed in only where somebody wanted that.
func wanted(setting string, key bool) bool { return setting != "none" && (setting != "" || key) }
