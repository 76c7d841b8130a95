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
func (d disk) setAside(problem error) bool {
	const carryOn = "continuing without stored networks and bonds"
	name := asidePrefix + time.Now().UTC().Format("20060102T150405.000000000Z")
	aside := filepath.Join(d.dir, name)
	if err := os.Rename(d.path(), aside); err != nil {
		d.log.Warn(fmt.Sprintf("the store is corrupt (%v) and cannot be set aside; %s",
			problem, carryOn), "err", err) // which has the path
		return false
	}
	d.log.Warn(fmt.Sprintf("the store is corrupt (%v); set aside as %s; %s", problem, aside, carryOn))
	if err := d.removeAside(maxAside); err != nil {
		d.log.Warn("cannot remove an old corrupt store", "err", err)
	}
	return true
}

// clearWay sets aside what is in the store's place and was not believed.
func (d disk) clearWay() error {
	data, err := d.readFile()
	clear(data)
	if err == nil || d.setAside(err) {
		return nil
	}
	return err
}

// removeAside removes, durably, the files that were set aside but for the newest
// few. They may hold passwords.
func (d disk) removeAside(keep int) error {
	names, err := d.list(asidePrefix)
	if err != nil || len(names) <= keep {
		return err
	}
	for _, name := range names[:len(names)-keep] {
		if err := d.step("remove aside"); err != nil {
			return err
		}
		if err := os.RemoveAll(filepath.Join(d.dir, name)); err != nil { // it may be a directory
			return err
		}
	}
	return syncDir(d.dir)
}

// list returns the names in the directory that start with prefix, sorted.
func (d disk) list(prefix string) ([]string, error) {
	entries, err := os.ReadDir(d.dir) // sorts
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			names = append(names, e.Name())
		}
	}
	return names, err
}
