package credstore

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	tempPrefix  = "." + fileName + ".tmp-"
	asidePrefix = fileName + ".corrupt-"
	maxAside    = 3 // files set aside that are kept
)

// replace puts data in the file's place. A power cut at any point leaves the
// old file or the new one: the new one's bytes are on the disk before it gets
// the name, and the folder is on the disk before replace returns. If that last
// step fails, the old file is put back.
func (s *Store) replace(data []byte) error {
	old, err := s.read()
	if err != nil {
		return err
	}
	defer clear(old)
	if err := s.put(data); err != nil {
		return err
	}
	if err = s.step("sync folder"); err == nil {
		err = syncDir(s.dir)
	}
	if err != nil {
		if backErr := s.putBack(old); backErr != nil {
			err = fmt.Errorf("%w; the old contents cannot be put back: %w", err, backErr)
		}
	}
	return err
}

func (s *Store) putBack(old []byte) error {
	if old == nil {
		return os.Remove(s.path())
	}
	return s.put(old)
}

// put writes data to a file of its own and gives it the store's name.
func (s *Store) put(data []byte) error {
	if err := s.step("create"); err != nil {
		return err
	}
	// O_EXCL, which follows no link, and mode 0600.
	f, err := os.CreateTemp(s.dir, tempPrefix)
	if err != nil {
		return err
	}
	if err := s.fill(f, data); err != nil {
		_ = os.Remove(f.Name()) // if not now, then when the store is opened
		return err
	}
	return nil
}

// fill writes data to f and gives it the store's name.
func (s *Store) fill(f *os.File, data []byte) error {
	err := s.step("write")
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = s.step("sync file")
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = s.step("rename")
	}
	if err == nil {
		err = os.Rename(f.Name(), s.path())
	}
	return err
}

func (s *Store) step(name string) error {
	if s.before == nil {
		return nil
	}
	return s.before(name)
}

// sweep removes the temporary files of a Save that did not come to its end.
func (s *Store) sweep() {
	for _, name := range s.list(tempPrefix) {
		if err := os.Remove(filepath.Join(s.dir, name)); err != nil {
			s.log.Warn("cannot remove a stale temporary file of the store", "err", err)
		}
	}
}

// setAside renames the file because of what is wrong with it, and keeps only
// the newest few of its kind. It cannot fail: with the file still in place the
// store is as empty, and the next Save replaces it.
func (s *Store) setAside(problem error) {
	name := asidePrefix + time.Now().UTC().Format("20060102T150405.000000000Z")
	aside := filepath.Join(s.dir, name)
	if err := os.Rename(s.path(), aside); err != nil {
		s.log.Warn(fmt.Sprintf("the store %s is corrupt (%v) and cannot be set aside; carrying on without stored credentials", s.path(), problem), "err", err)
		return
	}
	s.log.Warn(fmt.Sprintf("the store is corrupt (%v); set aside as %s; carrying on without stored credentials", problem, aside))
	if err := s.removeAside(maxAside); err != nil {
		s.log.Warn("cannot remove an old corrupt store", "err", err)
	}
}

// removeAside removes, durably, the files that were set aside but for the
// newest few.
func (s *Store) removeAside(keep int) error {
	names := s.list(asidePrefix)
	if len(names) <= keep {
		return nil
	}
	for _, name := range names[:len(names)-keep] {
		if err := os.Remove(filepath.Join(s.dir, name)); err != nil {
			return err
		}
	}
	return syncDir(s.dir)
}

// list returns the names in the folder that start with prefix, sorted.
func (s *Store) list(prefix string) []string {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		s.log.Warn("cannot list the store's folder", "err", err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names
}
