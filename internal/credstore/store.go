// Package credstore keeps what the gateway must remember over a power cut, its
// Wi-Fi networks and the bonds made with it, in one file that only root can read.
//
// Each operation is whole or did not happen: a power cut leaves the old file or
// the new one. The file has the secrets in clear, as wpa_supplicant needs them;
// whoever is root on the gateway, or takes its storage out, can read them.
package credstore

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const (
	fileName = "credentials.json"
	maxSize  = 64 << 10 // of the file, in bytes; MaxBonds of the longest take less than half
	dirMode  = 0o700
	fileMode = 0o600
)

// Store is an open store. Its methods may be called from several goroutines; each
// one that changes something is durable when it returns nil, and after an error
// the store holds what it held before, unless the error says otherwise.
//
// Nothing of the file stays in memory between two operations: secrets would have
// to, as the file is always written whole.
type Store struct {
	disk

	mu       sync.Mutex
	lastID   wifi.ID       // the highest ID seen or given out since Open
	erasures atomic.Uint64 // changes under mu
}

// Open returns the store in the directory dir, which it makes if it is missing. It
// removes temporary files that a power cut left and sets a corrupt file aside. It
// returns a *RefusedError if anyone but the process's user could have read or
// replaced directory or file. A file that a newer wifiprovd wrote is no error here:
// the operations return it (ErrNewer).
func Open(dir string, log *slog.Logger) (*Store, error) {
	return open(dir, uint32(os.Geteuid()), log)
}

func open(dir string, uid uint32, log *slog.Logger) (*Store, error) {
	s := &Store{disk: disk{dir: filepath.Clean(dir), uid: uid, log: log}}
	if err := s.makeDir(); err != nil {
		return nil, err
	}
	if err := s.checkDir(); err != nil {
		return nil, err
	}
	s.sweep()
	f, err := s.load()
	f.wipe()
	if err != nil && !errors.Is(err, ErrNewer) {
		return nil, err
	}
	return s, nil
}

// snapshot is the file as it was read.
type snapshot struct {
	contents
	data []byte // nil if there was no file
}

// wipe overwrites the secrets in f with zeros.
func (f snapshot) wipe() {
	f.contents.wipe()
	clear(f.data)
}

// load reads the file; the caller wipes what it returns, also with an error. No
// file is an empty store, and so is a corrupt one, which it sets aside. Of a newer
// wifiprovd's file it returns the bonds as far as it understands them, and a
// *RefusedError.
func (s *Store) load() (snapshot, error) {
	data, err := s.readFile()
	if err != nil || data == nil {
		return snapshot{}, err
	}
	f := snapshot{data: data}
	f.contents, err = decode(data)
	switch {
	case errors.Is(err, ErrNewer):
		return f, s.refuseNewer(err)
	case err != nil && s.setAside(err):
		clear(data)
		return snapshot{}, nil
	}
	for _, n := range f.networks {
		s.lastID = max(s.lastID, n.ID)
	}
	return f, nil
}

// update is one operation: it loads the file, lets change alter the contents, and
// writes them if change returns true. What change takes out of the contents is
// wiped, what it puts in is not.
func (s *Store) update(change func(*contents) (bool, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.load()
	defer f.wipe()
	if err != nil {
		return err
	}
	c := f.contents.clone()
	changed, err := change(&c)
	if err != nil || !changed {
		return err
	}
	return s.save(c, f.data)
}

// save writes c in place of the file that holds old.
func (s *Store) save(c contents, old []byte) error {
	data, err := encode(c)
	if err != nil {
		return fmt.Errorf("encode the store: %w", err)
	}
	defer clear(data)
	if err := s.replace(data, old); err != nil {
		return fmt.Errorf("write the store %s: %w", s.path(), err)
	}
	return nil
}
