package doctor

import (
	"cmp"
	"context"
	"slices"

	"github.com/wifiprovd/wifiprovd/internal/credstore"
	"github.com/wifiprovd/wifiprovd/internal/seal"
)

// theSeal checks that store.seal, the key and what is on the disk go together.
func theSeal(v *visit, _ context.Context) Result {
	setting := v.cfg.Store.Seal
	if v.cfgErr != nil {
		setting = "" // nobody knows, and the daemon leaves it as it is
	}
	state := seal.Read(cmp.Or(v.Root, "/"), setting)
	if v.UID != 0 {
		if setting == "none" {
			return none
		}
		return unknown("sudo wifiprovctl doctor", "only root can see how passwords are sealed")
	}
	if problem := state.Problem(); problem != nil {
		return wrong(problem.Fix, "%v", problem)
	}
	secrets, err := credstore.Look(v.cfg.Store.Dir)
	foreign := slices.ContainsFunc(secrets.Keys, func(key string) bool { return key != state.KeyID })
	switch {
	case err != nil:
		return unknown("see what is said of the store", "how passwords are sealed cannot be read")
	case foreign:
		return wrong("provision the gateway again, or put the key back that they are sealed by, see docs/operations.md",
			"the store has a network that is sealed by a key that is not here: the gateway does not know its password")
	case secrets.Clear > 0 && state.KeyID != "":
		return wrong("systemctl restart wifiprovd", "a password is in clear, though there is a key to seal it")
	case setting == "none" || state.Wrapped == nil:
		return none
	}
	return ok("passwords are sealed by %s", seal.KindOf(state.Wrapped).Protects())
}
