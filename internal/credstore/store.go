// Package credstore keeps what the gateway must remember over a power cut, the
// Wi-Fi credentials and the bonds made with it, in one file that only root can
// read.
//
// A Save is whole or did not happen: the file is always the old or the new one.
// What stands in the file is in clear, as wpa_supplicant needs it; whoever is
// root on the gateway, or takes its storage out, reads it.
package credstore

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// MaxBonds is how many bonds the store takes. It keeps the file below its size
// cap however many phones pair.
const MaxBonds = 128

const (
	fileName = "credentials.json"
	maxSize  = 64 << 10 // of the file, in bytes
	dirMode  = 0o700
	fileMode = 0o600
)

// Contents are all that is stored. The zero value is what an unprovisioned
// gateway has.
type Contents struct {
	Active    *Entry // the network that was joined last; nil if none
	Candidate *Entry // credentials that have not joined yet; nil if none
	Bonds     []Bond
	Leave     bool // everything was erased, and the network is still to be left
}

// Entry is a network that the gateway can join.
type Entry struct {
	Credentials wifi.Credentials
	Hint        wifi.Hint // where it was last joined
}

// Bond is a pairing that was made with this gateway.
type Bond struct {
	Adapter string `json:"adapter"`
	Address string `json:"address"`
	Mode    string `json:"mode"`             // security mode it was made in
	Forget  bool   `json:"forget,omitempty"` // to be removed: erased while the phone was connected
}

// Wipe overwrites the secrets in c with zeros.
func (c Contents) Wipe() {
	for _, e := range []*Entry{c.Active, c.Candidate} {
		if e != nil {
			e.Credentials.Wipe()
		}
	}
}

// Store is an open store. Its methods may be called from several goroutines.
type Store struct {
	dir string
	uid uint32 // who must own folder and file
	log *slog.Logger

	mu     sync.Mutex
	before func(step string) error // for tests: called before each step of Save
}

// Open returns the store in the folder dir, which is made if it is missing. It
// removes temporary files that a power cut left, sets corrupt content aside, and
// returns a *RefusedError if folder or file could have been read or put there
// by someone else than the user the process runs as.
func Open(dir string, log *slog.Logger) (*Store, error) {
	return open(dir, uint32(os.Geteuid()), log)
}

func open(dir string, uid uint32, log *slog.Logger) (*Store, error) {
	s := &Store{dir: filepath.Clean(dir), uid: uid, log: log}
	if err := s.makeDir(); err != nil {
		return nil, err
	}
	if err := s.checkDir(); err != nil {
		return nil, err
	}
	s.sweep()
	c, err := s.Load()
	if err != nil {
		return nil, err
	}
	c.Wipe()
	return s, nil
}

func (s *Store) path() string { return filepath.Join(s.dir, fileName) }

func (s *Store) makeDir() error {
	err := os.Mkdir(s.dir, dirMode)
	switch {
	case errors.Is(err, os.ErrExist):
		return nil
	case err != nil:
		return fmt.Errorf("make the store's folder: %w", err)
	}
	return syncDir(filepath.Dir(s.dir))
}

// Load returns what is stored; the caller owns the secrets in it. A missing file
// is an empty store, and so is a corrupt one, which is set aside with a warning.
// It returns a *RefusedError as Open does.
func (s *Store) Load() (Contents, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, err := s.read()
	if err != nil || data == nil {
		return Contents{}, err
	}
	defer clear(data)
	c, err := decode(data)
	if err != nil {
		s.setAside(err)
		return Contents{}, nil
	}
	return c, nil
}

// Save stores c in place of what was stored, durably: after it returned nil, a
// power cut does not undo it. After an error the store holds what it held
// before, unless the error says that it could not be put back. c stays the caller's.
func (s *Store) Save(c Contents) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, err := encode(c)
	if err != nil {
		return fmt.Errorf("save the store: %w", err)
	}
	defer clear(data)
	if err := s.replace(data); err != nil {
		return fmt.Errorf("save the store %s: %w", s.path(), err)
	}
	return nil
}

// RemoveAside removes, durably, all files that were set aside: they may hold
// passwords.
func (s *Store) RemoveAside() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.removeAside(0); err != nil {
		return fmt.Errorf("remove what was set aside of the store: %w", err)
	}
	return nil
}

// syncDir makes what was renamed, made or removed in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	// Some file systems cannot sync a folder, and say EINVAL (fsync(2)); they
	// have no other way either.
	if errors.Is(err, syscall.EINVAL) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
