package credstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const tempPrefix = "." + fileName + ".tmp-"

// replace puts data in the place of the file that holds old, or of none if old is
// nil. A power cut at any point leaves the old file or the new one: rename(2) is
// atomic, and the new one's bytes are on the disk before it gets the name, as a file
// system may write names earlier than bytes. The directory, which fsync of a file
// does not cover (fsync(2)), is on the disk before replace returns; if that last step
// fails, the old file is put back.
func (s *Store) replace(data, old []byte) error {
	if err := s.put(data); err != nil {
		return err
	}
	err := s.step("sync directory")
	if err == nil {
		err = syncDir(s.dir)
	}
	if err == nil {
		return nil
	}
	if backErr := s.putBack(old); backErr != nil {
		return fmt.Errorf("%w; the old contents cannot be put back: %w", err, backErr)
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

// syncDir makes what was renamed, made or removed in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	// Some file systems cannot sync a directory and say EINVAL (fsync(2)); there is
	// no other way on them.
	if errors.Is(err, syscall.EINVAL) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

// sweep removes the temporary files of writes that a crash or power cut ended.
func (s *Store) sweep() {
	names, err := s.list(tempPrefix)
	for _, name := range names {
		err = errors.Join(err, os.Remove(filepath.Join(s.dir, name)))
	}
	if err != nil {
		s.log.Warn("cannot remove stale temporary files of the store", "err", err)
	}
}
