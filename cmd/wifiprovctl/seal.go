package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/code"
	"github.com/wifiprovd/wifiprovd/internal/config"
	"github.com/wifiprovd/wifiprovd/internal/credstore"
	"github.com/wifiprovd/wifiprovd/internal/seal"
)

const daemonUnit = "wifiprovd.service"

// program runs a program with what it reads on standard input, and returns what it prints there.
type program func(ctx context.Context, stdin []byte, name string, args ...string) ([]byte, error)

func runProgram(ctx context.Context, stdin []byte, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.WaitDelay = time.Second
	var told bytes.Buffer
	cmd.Stderr = &told
	out, err := cmd.Output()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return nil, fmt.Errorf("%s is not there: systemd 250 or later has it", name)
	case err != nil:
		return nil, fmt.Errorf("%s %s: %w: %s", name, args[0], err, strings.Join(strings.Fields(told.String()), " "))
	}
	return out, nil
}

// sealer makes the key of the store, and has the daemon use it.
type sealer struct {
	*job
	run   program
	root  string // what it writes is below; / but in tests
	state seal.State
	dir   string // of the store
}

// sealStore is wifiprovctl seal: it does what store.seal says.
func sealStore(ctx context.Context, j *job) error {
	if os.Geteuid() != 0 {
		return errors.New("only root may do this: sudo wifiprovctl seal")
	}
	c, _, err := config.Load(j.config)
	if err != nil {
		return err
	}
	s := &sealer{job: j, run: runProgram, root: "/", state: seal.Read("/", c.Store.Seal), dir: c.Store.Dir}
	return s.do(ctx)
}

func (s *sealer) do(ctx context.Context) error {
	switch {
	case s.undo && s.state.Setting != "none":
		return &hint{fmt.Errorf("store.seal is %s in %s", s.state.Setting, s.job.config),
			"Set it to none, in its drop-ins, too; then wifiprovctl seal --undo opens the store and removes the key"}
	case s.undo:
		return s.open(ctx)
	case s.state.Setting == "none":
		return &hint{fmt.Errorf("store.seal is none in %s", s.job.config),
			"Set it to auto, host or tpm2; then wifiprovctl seal makes the key"}
	}
	return s.seal(ctx)
}

// seal makes the key, or binds the one that there is anew, and has the daemon seal the store.
func (s *sealer) seal(ctx context.Context) error {
	if err := s.makeKey(ctx); err != nil {
		return err
	}
	if err := s.put(seal.DropIn, []byte(seal.DropInText(seal.KindOf(s.state.Wrapped))), 0o644); err != nil {
		return err
	}
	s.screen.doing("handing the key to the daemon")
	if _, err := s.run(ctx, nil, "systemctl", "daemon-reload"); err != nil {
		return err
	}
	if _, err := s.run(ctx, nil, "systemctl", "restart", seal.Unit); err != nil {
		return err
	}
	ran, err := s.restartDaemon(ctx)
	switch {
	case err != nil:
		return err
	case !ran:
		s.screen.step("the daemon does not run: it seals the store at its next start")
		return nil
	}
	secrets, err := credstore.Look(s.dir)
	codeInClear, _ := code.Look(s.dir)
	if err == nil && (secrets.Clear > 0 || codeInClear) {
		err = errors.New("the daemon has not sealed what is stored: journalctl -u wifiprovd -e")
	}
	if err != nil {
		return err
	}
	s.screen.step("sealed by %s", seal.KindOf(s.state.Wrapped).Protects())
	return nil
}

// makeKey leaves a key in its file that is bound as store.seal says, and that opens here.
func (s *sealer) makeKey(ctx context.Context) error {
	key, err := s.oldKey(ctx)
	if err != nil {
		return err
	}
	defer func() { clear(key) }()
	switch {
	case key != nil && seal.KindOf(s.state.Wrapped).Fits(s.state.Setting):
		s.screen.step("there is a key")
		return nil
	case key == nil:
		key = seal.Random()
	}
	s.screen.doing("binding the key")
	args := []string{"encrypt", "--name=" + seal.Credential, "--with-key=" + s.state.Setting}
	if s.state.Setting != "host" {
		args = append(args, "--tpm2-pcrs="+s.pcrs)
	}
	wrapped, err := s.run(ctx, key, "systemd-creds", append(args, "-", "-")...)
	if err != nil {
		return err
	}
	// A TPM may take what it does not give back (seen with systemd 252, whose PCRs are all zero).
	again, err := s.unwrap(ctx, wrapped)
	defer clear(again)
	if err == nil && !bytes.Equal(again, key) {
		err = errors.New("another key comes out")
	}
	if err != nil {
		return fmt.Errorf("the key cannot be opened again, so it is not used: %w", err)
	}
	if err := s.put(seal.File, wrapped, 0o600); err != nil {
		return err
	}
	s.state.Wrapped = wrapped
	s.screen.step("the key is bound to %s", seal.KindOf(wrapped))
	return nil
}

// oldKey returns the key that there is; nil: there is none, or a new one is to take its place.
func (s *sealer) oldKey(ctx context.Context) ([]byte, error) {
	if s.state.Wrapped == nil {
		return nil, nil
	}
	key, err := s.unwrap(ctx, s.state.Wrapped)
	switch {
	case err != nil && s.newKey:
		s.screen.step("the key cannot be opened; it is kept as %s.old", seal.File)
		return nil, s.put(seal.File+".old", s.state.Wrapped, 0o600)
	case err != nil:
		return nil, &hint{fmt.Errorf("the key cannot be opened: %w", err),
			"If it is lost, as the board or its TPM is another: wifiprovctl seal --new-key; what is sealed by the old one stays shut: the gateway has to be provisioned again, and the code on its label to be set again (wifiprovctl code set)"}
	case s.newKey:
		clear(key)
		return nil, errors.New("the key opens, so no new one is made: what is stored could not be opened any more")
	}
	return key, nil
}

func (s *sealer) unwrap(ctx context.Context, wrapped []byte) ([]byte, error) {
	return s.run(ctx, wrapped, "systemd-creds", "decrypt", "--name="+seal.Credential, "-", "-")
}

// restartDaemon reports whether the daemon ran. It is ready, and has settled the store, when this
// returns.
func (s *sealer) restartDaemon(ctx context.Context) (ran bool, err error) {
	if _, err := s.run(ctx, nil, "systemctl", "--quiet", "is-active", daemonUnit); err != nil {
		return false, nil
	}
	_, err = s.run(ctx, nil, "systemctl", "restart", daemonUnit)
	return true, err
}

// open is the way back: the daemon writes in clear what is sealed, then the key goes.
func (s *sealer) open(ctx context.Context) error {
	if !s.state.DropIn && s.state.Wrapped == nil {
		s.screen.step("the store is not sealed")
		return nil
	}
	if err := s.openStore(ctx); err != nil {
		return err
	}
	for _, file := range []string{seal.DropIn, seal.File, seal.File + ".old"} {
		if err := s.remove(file); err != nil {
			return err
		}
	}
	_ = os.Remove(filepath.Dir(filepath.Join(s.root, seal.DropIn))) // if nothing else is in it
	if _, err := s.run(ctx, nil, "systemctl", "daemon-reload"); err != nil {
		return err
	}
	if _, err := s.run(ctx, nil, "systemctl", "stop", seal.Unit); err != nil {
		return err
	}
	s.screen.step("passwords are in clear, and the key is gone")
	return nil
}

// openStore has the daemon open what is sealed, and seal nothing any more.
func (s *sealer) openStore(ctx context.Context) error {
	s.screen.doing("opening what is stored")
	ran, err := s.restartDaemon(ctx)
	if err != nil {
		return err
	}
	secrets, err := credstore.Look(s.dir)
	_, codeSealedBy := code.Look(s.dir)
	switch {
	case err == nil && (secrets.Sealed > 0 || codeSealedBy != "") && !ran:
		return &hint{errors.New("the daemon does not run, and it is what opens the store"), "Start it: 'systemctl start wifiprovd'"}
	case err == nil && codeSealedBy != "":
		return &hint{errors.New("the code on the label is sealed by a key that is not here, or the disk cannot be written"),
			"Nothing is removed. 'journalctl -u wifiprovd -e' says why; without its key, set the code again: 'wifiprovctl code set'"}
	case err == nil && secrets.Sealed > 0:
		return &hint{fmt.Errorf("%d networks are sealed by a key that is not here, or the disk cannot be written", secrets.Sealed),
			"Nothing is removed. 'journalctl -u wifiprovd -e' says why; without their key, provision the gateway again or erase it first"}
	}
	return err
}

// put writes a file durably, in place of one that is there.
func (s *sealer) put(path string, data []byte, mode os.FileMode) error {
	path = filepath.Join(s.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temp := path + ".tmp"
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	dir := filepath.Dir(path)
	return errors.Join(syncDir(dir), syncDir(filepath.Dir(dir))) // it may be new itself
}

func (s *sealer) remove(path string) error {
	path = filepath.Join(s.root, path)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes what was renamed or removed in dir durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
