// Package credstore keeps what the gateway must remember over a power cut, its
// Wi-Fi networks and the bonds made with it, in one file that only root can read.
//
// Each operation is whole or did not happen: a power cut leaves the old file or
// the new one. The file has the secrets in clear, as wpa_supplicant needs them, or sealed by
// a key that is not in it (Sealing). Whoever is root on the gateway can read them; whoever
// takes its storage out, if they are in clear, or the key is on the same storage.
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
// one that changes something is durable when it returns nil, unless the disk fails: then
// the journal says so, and the contents are in memory until a later change can be
// written. After an error the store holds what it held before.
//
// As long as the disk is well, nothing of the file stays in memory between two
// operations: secrets would have to, as the file is always written whole.
type Store struct {
	disk
	mem *memory // nil, for tests: an operation returns the disk's errors

	mu       sync.Mutex
	lastID   wifi.ID       // the highest ID seen or given out since Open
	erasures atomic.Uint64 // changes under mu
}

// Open returns the store in the directory dir, which it makes if it is missing. It
// removes temporary files that a power cut left, and sets aside what is not a store. It
// believes nothing if anyone but the process's user could have read or replaced directory
// or file; such a file is set aside by the first change. A file that a newer wifiprovd
// wrote is an error of the operations (ErrNewer). Whatever is wrong, the store can be
// used; the journal says what is. What is stored is sealed or opened, as sealing says.
func Open(dir string, sealing Sealing, log *slog.Logger) *Store {
	s, err := open(dir, sealing, uint32(os.Geteuid()), log)
	s.mem = &memory{log: log}
	if err == nil {
		err = s.settle()
	}
	if err != nil && !errors.Is(err, ErrNewer) {
		s.mem.tell(err)
	}
	return s
}

func open(dir string, sealing Sealing, uid uint32, log *slog.Logger) (*Store, error) {
	s := &Store{disk: disk{dir: filepath.Clean(dir), seal: sealing, uid: uid, log: log}}
	if err := s.makeDir(); err != nil {
		return s, err
	}
	if err := s.checkDir(); err != nil {
		return s, err
	}
	s.sweep()
	f, err := s.load()
	f.wipe()
	if errors.Is(err, ErrNewer) {
		err = nil
	}
	return s, err
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

// load returns the contents, from the file or from memory; the caller wipes what it
// returns, also with an error.
func (s *Store) load() (snapshot, error) {
	f, err := s.read()
	if s.mem != nil {
		f, err = s.mem.load(f, err)
	}
	for _, n := range f.networks {
		s.lastID = max(s.lastID, n.ID)
	}
	return f, err
}

// read reads the file. No file is an empty store, and so is a corrupt one, which it sets
// aside. Of a newer wifiprovd's file it returns the bonds as far as it understands them,
// and a *RefusedError.
func (d disk) read() (snapshot, error) {
	if err := d.checkDir(); errors.Is(err, os.ErrNotExist) {
		return snapshot{}, nil
	} else if err != nil {
		return snapshot{}, err
	}
	data, err := d.readFile()
	if errors.Is(err, errJunk) && d.setAside(err) {
		return snapshot{}, nil
	}
	if err != nil || data == nil {
		return snapshot{}, err
	}
	f := snapshot{data: data}
	f.contents, err = d.seal.decode(data)
	switch {
	case errors.Is(err, ErrNewer):
		return f, d.refuseNewer(err)
	case err != nil && d.setAside(err):
		clear(data)
		return snapshot{}, nil
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

// save writes c in place of the file that holds old, or keeps it in memory.
func (s *Store) save(c contents, old []byte) error {
	data, err := s.seal.encode(c)
	defer clear(data)
	switch {
	case err == nil:
		err = s.write(data, old)
	case !errors.Is(err, ErrNoKey):
		return err
	}
	if s.mem != nil {
		s.mem.save(c, err)
		err = nil
	}
	return err
}

// write writes data in place of the file that holds old. A file that was not believed is
// set aside.
func (d disk) write(data, old []byte) error {
	err := d.makeDir()
	if err == nil {
		err = d.checkDir()
	}
	if err == nil && old == nil {
		err = d.clearWay()
	}
	if err == nil {
		err = d.replace(data, old)
	}
	if err != nil {
		return fmt.Errorf("write the store %s: %w", d.path(), err)
	}
	return nil
}
