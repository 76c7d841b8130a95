package credstore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// RefusedError says why the store is not used, and what to do about it. Others may
// have read or replaced it, or a newer wifiprovd wrote it (ErrNewer).
type RefusedError struct {
	Path    string
	Problem string // follows Path in a sentence
	Remedy  string // a command, or what else to do
	Err     error  // ErrNewer, errJunk, or nil
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("store refused: %s %s; to fix it: %s", e.Path, e.Problem, e.Remedy)
}

// Unwrap returns e.Err.
func (e *RefusedError) Unwrap() error { return e.Err }

// errJunk is what a *RefusedError wraps if what is in the store's place is no store.
var errJunk = errors.New("it is not a file that this program writes")

// Check returns a *RefusedError if Open, or later an operation, would return one for
// the store in dir. It changes nothing. A store that is not there yet is good, and
// so is a corrupt one, which Open sets aside.
func Check(dir string) error {
	d := disk{dir: filepath.Clean(dir), uid: uint32(os.Geteuid())}
	err := d.checkDir()
	var info os.FileInfo
	if err == nil {
		info, err = os.Lstat(d.path())
	}
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	// Before it is opened: that may not be permitted.
	if err := d.checkFile(info); err != nil {
		return err
	}
	data, err := d.readFile()
	if err != nil {
		return err
	}
	defer clear(data)
	c, err := Sealing{}.decode(data)
	c.wipe()
	if errors.Is(err, ErrNewer) {
		return d.refuseNewer(err)
	}
	return nil
}

// Try writes, syncs and removes a file beside the store in dir, and returns what keeps the
// store from being changed.
func Try(dir string) error {
	f, err := os.CreateTemp(dir, tempPrefix)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 4<<10))
	err = errors.Join(err, f.Sync())
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}

// Aside returns the paths of the files that were set aside in dir, the oldest first.
func Aside(dir string) []string {
	names, _ := disk{dir: dir}.list(asidePrefix)
	for i, name := range names {
		names[i] = filepath.Join(dir, name)
	}
	return names
}

// refuseNewer returns what the store answers while its file is too new, as err says.
// The file stays, as an update that was taken back may be made again.
func (d disk) refuseNewer(err error) error {
	return &RefusedError{
		Path:    d.path(),
		Problem: err.Error(),
		Remedy:  "install that version again, or ERASE to start over",
		Err:     ErrNewer,
	}
}

// checkDir returns a *RefusedError if the directory is not as the store makes it:
// whoever can write there can replace the file, whatever the file's mode.
func (d disk) checkDir() error {
	info, err := os.Lstat(d.dir)
	if err != nil {
		return fmt.Errorf("look at the store's directory: %w", err)
	}
	refuse := func(problem, remedy string) error {
		return &RefusedError{Path: d.dir, Problem: problem, Remedy: remedy}
	}
	switch {
	case info.Mode()&os.ModeSymlink != 0:
		return refuse("is a symbolic link", "set store.dir to the directory it points to")
	case !info.IsDir():
		return refuse("is not a directory", "rm "+d.dir)
	}
	return d.checkOwnerMode(d.dir, info, dirMode)
}

// checkOwnerMode returns a *RefusedError if info, of what is at path, does not
// have the store's owner and the given permissions.
func (d disk) checkOwnerMode(path string, info os.FileInfo, want os.FileMode) error {
	if uid := info.Sys().(*syscall.Stat_t).Uid; uid != d.uid {
		return &RefusedError{
			Path:    path,
			Problem: fmt.Sprintf("belongs to user %d, not to %d", uid, d.uid),
			Remedy:  fmt.Sprintf("chown %d %s", d.uid, path),
		}
	}
	if mode := info.Mode().Perm(); mode != want {
		return &RefusedError{
			Path:    path,
			Problem: fmt.Sprintf("has mode %04o, not %04o", mode, want),
			Remedy:  fmt.Sprintf("chmod %04o %s", want, path),
		}
	}
	return nil
}

// readFile returns the file's bytes, or nil if there is no file.
func (d disk) readFile() ([]byte, error) {
	if err := d.step("read"); err != nil {
		return nil, err
	}
	path := d.path()
	// O_NONBLOCK: a FIFO must not block the daemon.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil
	case errors.Is(err, syscall.ELOOP): // open(2): O_NOFOLLOW
		return nil, &RefusedError{Path: path, Problem: "is a symbolic link", Remedy: "rm " + path, Err: errJunk}
	case errors.Is(err, syscall.ENXIO): // open(2): a socket
		return nil, &RefusedError{Path: path, Problem: "is not a regular file", Remedy: "rm " + path, Err: errJunk}
	case err != nil:
		return nil, fmt.Errorf("open the store: %w", err)
	}
	defer func() { _ = f.Close() }() // read only: nothing is lost
	info, err := f.Stat()            // not by its name, which may be another file's by now
	if err != nil {
		return nil, fmt.Errorf("look at the store: %w", err)
	}
	if err := d.checkFile(info); err != nil {
		return nil, err
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		clear(data)
		return nil, fmt.Errorf("read the store %s: %w", path, err)
	}
	return data, nil
}

// checkFile returns a *RefusedError if info is not that of a file as the store makes
// it: then somebody else has made or changed it.
func (d disk) checkFile(info os.FileInfo) error {
	path := d.path()
	if info.Mode()&os.ModeSymlink != 0 {
		return &RefusedError{Path: path, Problem: "is a symbolic link", Remedy: "rm " + path, Err: errJunk}
	}
	if !info.Mode().IsRegular() {
		return &RefusedError{Path: path, Problem: "is not a regular file", Remedy: "rm -r " + path, Err: errJunk}
	}
	if err := d.checkOwnerMode(path, info, fileMode); err != nil {
		return err
	}
	// Under another name the secrets would outlive an erase.
	if n := info.Sys().(*syscall.Stat_t).Nlink; n != 1 {
		return &RefusedError{
			Path:    path,
			Problem: fmt.Sprintf("has %d hard links", n),
			Remedy:  fmt.Sprintf("cp -p %s %s.new && mv %s.new %s", path, path, path, path),
		}
	}
	if info.Size() > maxSize {
		return &RefusedError{
			Path:    path,
			Problem: fmt.Sprintf("has %d bytes, more than %d", info.Size(), maxSize),
			Remedy:  fmt.Sprintf("mv %s %s.too-large", path, path),
			Err:     errJunk,
		}
	}
	return nil
}
