package credstore

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
)

const tempPrefix = "." + fileName + ".tmp-"

// disk is the store's place: one file in a directory of its own.
type disk struct {
	dir    string
	seal   Sealing
	uid    uint32 // who must own directory and file
	log    *slog.Logger
	before func(step string) error // for tests: called before each access to the file
}

func (d disk) path() string { return filepath.Join(d.dir, fileName) }

func (d disk) makeDir() error {
	err := os.Mkdir(d.dir, dirMode)
	switch {
	case errors.Is(err, os.ErrExist):
		return nil
	case err != nil:
		return fmt.Errorf("make the store's directory: %w", err)
	}
	return syncDir(filepath.Dir(d.dir))
}

// replace puts data in the place of the file that holds old, or of none if old is
// nil. A power cut at any point leaves the old file or the new one: rename(2) is
// atomic, and the new one's bytes are on the disk before it gets the name, as a file
// system may write names earlier than bytes. The directory, which fsync of a file
// does not cover (fsync(2)), is on the disk before replace returns; if that last step
// fails, the old file is put back.
func (d disk) replace(data, old []byte) error {
	if err := d.put(data); err != nil {
		return err
	}
	err := d.step("sync directory")
	if err == nil {
		err = syncDir(d.dir)
	}
	if err == nil {
		return nil
	}
	if backErr := d.putBack(old); backErr != nil {
		return fmt.Errorf("%w; the old contents cannot be put back: %w", err, backErr)
	}
	return err
}

func (d disk) putBack(old []byte) error {
	if old == nil {
		return os.Remove(d.path())
	}
	return d.put(old)
}

// put writes data to a file of its own and gives it the store's name.
func (d disk) put(data []byte) error {
	if err := d.step("create"); err != nil {
		return err
	}
	// O_EXCL, which follows no link, and mode 0600.
	f, err := os.CreateTemp(d.dir, tempPrefix)
	if err != nil {
		return err
	}
	if err := d.fill(f, data); err != nil {
		_ = os.Remove(f.Name()) // if not now, then when the store is opened
		return err
	}
	return nil
}

// fill writes data to f and gives it the store's name.
func (d disk) fill(f *os.File, data []byte) error {
	err := d.step("write")
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = d.step("sync file")
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = d.step("rename")
	}
	if err == nil {
		err = os.Rename(f.Name(), d.path())
	}
	return err
}

func (d disk) step(name string) error {
	if d.before == nil {
		return nil
	}
	return d.before(name)
}

// syncDir makes what was renamed, made or removed in dir durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = f.Sync()
	// Some file systems cannot sync a directory and say EINVAL (fsync(2)); there is
	// no other way on them.
	if errors.Is(err, syscall.EINVAL) {
		err = nil
	}
	return errors.Join(err, f.Close())
}

// sweep removes the temporary files of writes that a crash or power cut ended.
func (d disk) sweep() {
	names, err := d.list(tempPrefix)
	for _, name := range names {
		err = errors.Join(err, os.Remove(filepath.Join(d.dir, name)))
	}
	if err != nil {
		d.log.Warn("cannot remove stale temporary files of the store", "err", err)
	}
}
