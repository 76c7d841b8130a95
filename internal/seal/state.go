package seal

import (
	"fmt"
	"os"
	"path/filepath"
)

// State is what there is of sealing on a machine.
type State struct {
	Setting string // store.seal: none, auto, host, tpm2; empty: the configuration does not say
	DropIn  bool   // systemd is told to hand the daemon the key
	Wrapped []byte // what is in File; nil: there is none
	KeyID   string // of the key, if it could be opened at this boot
}

// Read returns the state of the machine below root, for a setting. Only root sees all of it; to a
// unit with its own view of /run the key does not show.
func Read(root, setting string) State {
	_, dropIn := os.Lstat(filepath.Join(root, DropIn))
	wrapped, _ := os.ReadFile(filepath.Join(root, File))
	s := State{Setting: setting, DropIn: dropIn == nil, Wrapped: wrapped}
	if key, err := handed(filepath.Join(root, "run/credentials", Unit)); err == nil {
		s.KeyID = key.ID()
	}
	return s
}

// Problem is where the setting and what there is contradict each other.
type Problem struct {
	Text string
	Fix  string // a command, or what else to do
}

func (p *Problem) Error() string { return p.Text }

// Problem returns how s contradicts itself; nil: it does not.
func (s State) Problem() *Problem {
	switch {
	case s.Setting == "":
		return nil
	case s.Setting == "none" && !s.DropIn && s.Wrapped == nil:
		return nil
	case s.Setting == "none":
		return &Problem{"store.seal is none, but the key of a sealed store is still there", "wifiprovctl seal --undo"}
	case s.Wrapped == nil:
		return &Problem{fmt.Sprintf("store.seal is %s, but there is no key: new passwords are kept in memory, and lost at the next start", s.Setting),
			"wifiprovctl seal"}
	case !KindOf(s.Wrapped).Fits(s.Setting):
		return &Problem{fmt.Sprintf("store.seal is %s, but the key is bound to %s", s.Setting, KindOf(s.Wrapped).Protects()), "wifiprovctl seal"}
	case !s.DropIn:
		return &Problem{fmt.Sprintf("store.seal is %s, but systemd does not hand the daemon the key: %s is missing", s.Setting, DropIn), "wifiprovctl seal"}
	case s.KeyID == "":
		return &Problem{"the key of the store cannot be opened: this is another board, or its TPM was cleared or has measured another system",
			"journalctl -u " + Unit + "; if the key is lost: wifiprovctl seal --new-key, then provision the gateway again"}
	}
	return nil
}
