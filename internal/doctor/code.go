package doctor

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"strings"

	"github.com/wifiprovd/wifiprovd/internal/code"
	"github.com/wifiprovd/wifiprovd/internal/config"
	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/seal"
)

const makeCode = "wifiprovctl code new, or code set with the code on the label"

// theCode checks that there is the code that the configuration counts on, that the daemon can use
// it, and which doors it shuts.
func theCode(v *visit, _ context.Context) Result {
	b := v.cfg.Bluetooth
	switch wanted := b.Protocols.Espressif || b.RequireCode == "true"; {
	case v.cfgErr != nil:
		return unknown("see what is said of the configuration", "what asks for the code on the label is in the configuration, which cannot be read")
	case v.UID != 0 && !wanted && v.daemon.Code != gateway.CodeSet.String() && v.daemon.Code != gateway.CodeUnreadable.String():
		return none
	case v.UID != 0:
		return unknown("sudo wifiprovctl doctor", "only root can see the code's verifier; the daemon says: %s", cmp.Or(v.daemon.Code, "nothing"))
	}
	found, err := code.Load(v.cfg.Store.Dir)
	shut := new(code.SealedError)
	switch sealed := errors.As(err, &shut); {
	case err != nil && v.daemon.Code == "" && exists(filepath.Join(v.cfg.Store.Dir, code.BatchFolder)) && !exists(filepath.Join(v.cfg.Store.Dir, code.FileName)):
		return unknown("systemctl start wifiprovd", "the codes of an image are in %s: the gateway looks for its own when it starts", v.cfg.Store.Dir)
	case err != nil && !sealed:
		return wrong(makeCode, "the code on the label cannot be used, so nobody can prove it: %v", err)
	case sealed:
		return codeOf(v, shut.User, shut)
	case found != nil:
		return codeOf(v, found.User, nil)
	case b.RequireCode == "true":
		return wrong(makeCode, "bluetooth.require_code is true, and there is no code: nobody can provision the gateway")
	case b.Protocols.Espressif:
		return wrong(makeCode+"; or take espressif out of bluetooth.protocols", "there is no code, so Espressif's protocol is off")
	}
	return none
}

// codeOf checks the code of a user, which is sealed as shut says; nil: it is in clear.
func codeOf(v *visit, user string, shut *code.SealedError) Result {
	state := seal.Read(cmp.Or(v.Root, "/"), v.cfg.Store.Seal)
	problem := state.Problem()
	how := "in clear"
	if shut != nil {
		how = "sealed"
	}
	switch {
	case shut != nil && shut.Key != state.KeyID:
		return wrong("sudo wifiprovctl code set, with the code on the label",
			"the code of user %q is sealed by a key that is not here: nobody can prove it", user)
	case shut == nil && v.cfg.Store.Seal != "none" && problem != nil:
		return wrong(problem.Fix, "the verifier of the code of user %q is in clear, and store.seal is %s", user, v.cfg.Store.Seal)
	case shut == nil && state.KeyID != "":
		return wrong("systemctl restart wifiprovd", "the verifier of the code of user %q is in clear, though there is a key to seal it", user)
	case v.daemon.Code != "" && v.daemon.Code != gateway.CodeSet.String():
		return wrong("systemctl restart wifiprovd; journalctl -u wifiprovd -g code",
			"there is a code of user %q, %s, but the daemon says: %s", user, how, v.daemon.Code)
	}
	return codeDoors(v.cfg.Bluetooth, user, how)
}

// codeDoors says what the code of a user asks of phones.
func codeDoors(b config.Bluetooth, user, how string) Result {
	var others []string
	if b.Protocols.Native {
		others = append(others, "native")
	}
	if b.Protocols.Improv {
		others = append(others, "improv")
	}
	doors := strings.Join(others, ", ")
	const mend = "bluetooth.protocols: [native, espressif] in the configuration, then systemctl restart wifiprovd"
	switch {
	case !b.Protocols.Espressif && b.RequireCode == "true":
		return wrong(mend, "bluetooth.require_code is true, and bluetooth.protocols does not have espressif, by which phones prove the code: nobody can provision the gateway")
	case !b.Protocols.Espressif:
		return wrong(mend+"; or wifiprovctl code remove", "there is a code of user %q, which nothing asks for: bluetooth.protocols does not have espressif", user)
	case doors == "":
		return ok("a code of user %q, %s: phones must prove it", user, how)
	case b.RequireCode == "false":
		return ok("a code of user %q, %s; without it phones may provision by %s: bluetooth.require_code is false", user, how, doors)
	}
	return ok("a code of user %q, %s: phones must prove it, and without that these are shut: %s", user, how, doors)
}
