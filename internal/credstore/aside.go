package credstore

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	asidePrefix = fileName + ".corrupt-"
	maxAside    = 3 // files that are kept, for whoever looks for the cause: a bad disk makes many
)

// setAside renames the file because of problem, keeps only the newest few of its
// kind, and reports whether the file is out of the way. If it is not, the store is
// as empty, and the next write replaces it.
func (s *Store) setAside(problem error) bool {
	const carryOn = "continuing without stored networks and bonds"
	name := asidePrefix + time.Now().UTC().Format("20060102T150405.000000000Z")
	aside := filepath.Join(s.dir, name)
	if err := os.Rename(s.path(), aside); err != nil {
		s.log.Warn(fmt.Sprintf("the store is corrupt (%v) and cannot be set aside; %s",
			problem, carryOn), "err", err) // which has the path
		return false
	}
	s.log.Warn(fmt.Sprintf("the store is corrupt (%v); set aside as %s; %s", problem, aside, carryOn))
	if err := s.removeAside(maxAside); err != nil {
		s.log.Warn("cannot remove an old corrupt store", "err", err)
	}
	return true
}

// removeAside removes, durably, the files that were set aside but for the newest
// few. They may hold passwords.
func (s *Store) removeAside(keep int) error {
	names, err := s.list(asidePrefix)
	if err != nil || len(names) <= keep {
		return err
	}
	for _, name := range names[:len(names)-keep] {
		if err := os.Remove(filepath.Join(s.dir, name)); err != nil {
			return err
		}
	}
	return syncDir(s.dir)
}

// list returns the names in the directory that start with prefix, sorted.
func (s *Store) list(prefix string) ([]string, error) {
	entries, err := os.ReadDir(s.dir) // sorts
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			names = append(names, e.Name())
		}
	}
	return names, err
}
