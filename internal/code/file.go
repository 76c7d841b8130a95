package code

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/wifiprovd/wifiprovd/internal/srp"
)

// FileName is that of the file, in the store's folder.
const FileName = "code.json"

const (
	version  = 1 // of the format
	maxSize  = 8 << 10
	tempName = "." + FileName + ".tmp-"
)

// document is the file as JSON.
type document struct {
	Version  int    `json:"version"`
	User     string `json:"username"`
	Salt     string `json:"salt"`     // hex
	Verifier string `json:"verifier"` // hex
}

func encode(v srp.Verifier) ([]byte, error) {
	return json.Marshal(document{
		Version: version, User: v.User, Salt: hex.EncodeToString(v.Salt), Verifier: hex.EncodeToString(v.V),
	})
}

// decode returns what a file holds. Its errors quote nothing of it.
func decode(data []byte) (srp.Verifier, error) {
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		return srp.Verifier{}, errors.New("it is not the JSON that this program writes")
	}
	if d.Version != version {
		return srp.Verifier{}, fmt.Errorf("its format is version %d, not %d", d.Version, version)
	}
	salt, err := hex.DecodeString(d.Salt)
	v, err2 := hex.DecodeString(d.Verifier)
	found := srp.Verifier{User: d.User, Salt: salt, V: v}
	if err != nil || err2 != nil || !found.Valid() || !plain([]byte(d.User)) || len(d.User) > LongestUser {
		return srp.Verifier{}, errors.New("it holds no verifier")
	}
	return found, nil
}

// Load returns the verifier that is kept in the folder dir, nil if there is none. A file that
// others than its user could have read or written is an error.
func Load(dir string) (*srp.Verifier, error) {
	path := filepath.Join(dir, FileName)
	data, err := read(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the code's verifier %s: %w", path, err)
	}
	v, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("read the code's verifier %s: %w; make another code: wifiprovctl code new", path, err)
	}
	return &v, nil
}

func read(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	owner := info.Sys().(*syscall.Stat_t).Uid
	switch {
	case !info.Mode().IsRegular() || info.Size() > maxSize:
		return nil, errors.New("it is not a file that this program writes")
	case owner != uint32(os.Geteuid()) || info.Mode().Perm()&0o077 != 0:
		return nil, errors.New("others may have read or written it: its owner or mode is not as this program makes it; " +
			"make another code: wifiprovctl code new")
	}
	return io.ReadAll(io.LimitReader(f, maxSize))
}

// Save keeps v in the folder dir in place of what is there: a power cut leaves the one or the
// other.
func Save(dir string, v srp.Verifier) error {
	data, err := encode(v)
	if err == nil {
		err = write(dir, data)
	}
	if err != nil {
		return fmt.Errorf("keep the code's verifier: %w", err)
	}
	return nil
}

// write is atomic and durable: the bytes are on the disk before they get the name (rename(2)),
// and the name is before write returns (fsync(2)).
func write(dir string, data []byte) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	f, err := os.CreateTemp(dir, tempName) // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, FileName))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	return syncDir(dir)
}

// Remove forgets the verifier in the folder dir, and what a power cut left of others. None that
// is there is no error.
func Remove(dir string) error {
	left, _ := filepath.Glob(filepath.Join(dir, tempName+"*"))
	for _, path := range append(left, filepath.Join(dir, FileName)) {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("forget the code's verifier: %w", err)
		}
	}
	if err := syncDir(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("forget the code's verifier: %w", err)
	}
	return nil
}

// syncDir makes the names in dir durable. Some file systems cannot, and say EINVAL (fsync(2)).
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}
