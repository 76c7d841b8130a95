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

	"github.com/wifiprovd/wifiprovd/internal/seal"
	"github.com/wifiprovd/wifiprovd/internal/srp"
)

// FileName is that of the file, in the store's folder.
const FileName = "code.json"

const (
	version  = 1 // of the format
	sealed   = 2 // of that with a sealed verifier
	maxSize  = 8 << 10
	tempName = "." + FileName + ".tmp-"
)

// document is the file as JSON.
type document struct {
	Version  int    `json:"version"`
	User     string `json:"username"`
	Salt     string `json:"salt"`               // hex
	Verifier string `json:"verifier,omitempty"` // hex
	Key      string `json:"key,omitempty"`      // the ID of the key that Sealed is sealed by
	Sealed   string `json:"sealed,omitempty"`   // the verifier, in hex
}

// Encode returns the file of v.
func Encode(v srp.Verifier) ([]byte, error) {
	return json.Marshal(document{
		Version: version, User: v.User, Salt: hex.EncodeToString(v.Salt), Verifier: hex.EncodeToString(v.V),
	})
}

// decode returns what a file holds, a SealedError if that is sealed. Its errors quote nothing of it.
func decode(data []byte) (srp.Verifier, error) {
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		return srp.Verifier{}, errors.New("it is not the JSON that this program writes")
	}
	if d.Version != version && d.Version != sealed {
		return srp.Verifier{}, fmt.Errorf("its format is version %d, and this program knows %d and %d", d.Version, version, sealed)
	}
	salt, err := hex.DecodeString(d.Salt)
	v, err2 := hex.DecodeString(d.Verifier)
	found := srp.Verifier{User: d.User, Salt: salt, V: v}
	box, err3 := hex.DecodeString(d.Sealed)
	switch err = errors.Join(err, err2, err3); {
	case err != nil || !plain([]byte(d.User)) || len(d.User) == 0 || len(d.User) > LongestUser || len(salt) == 0:
	case d.Version == sealed && len(box) == srp.Size+seal.Overhead && len(v) == 0:
		return srp.Verifier{}, &SealedError{User: d.User, Key: d.Key, salt: salt, sealed: box}
	case d.Version == version && found.Valid():
		return found, nil
	}
	return srp.Verifier{}, errors.New("it holds no verifier")
}

// Load returns the verifier that is kept in the folder dir, nil if there is none. A file that
// others than its user could have read or written is an error, and so is a BatchFolder from which
// none was taken: such a gateway was to have one. Of a sealed one the error is a SealedError.
func Load(dir string) (*srp.Verifier, error) {
	path := filepath.Join(dir, FileName)
	data, err := read(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if folder := filepath.Join(dir, BatchFolder); exists(folder) {
			return nil, fmt.Errorf("none of the codes in %s is this gateway's", folder)
		}
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the code's verifier %s: %w", path, err)
	}
	v, err := decode(data)
	if shut := new(SealedError); errors.As(err, &shut) {
		return nil, err
	}
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
// other. It is in clear: the daemon seals it if it has to be.
func Save(dir string, v srp.Verifier) error {
	data, err := Encode(v)
	if err == nil {
		err = makeDir(dir)
	}
	if err == nil {
		err = alone(dir, func() error { return write(dir, data) })
	}
	if err != nil {
		return fmt.Errorf("keep the code's verifier: %w", err)
	}
	return nil
}

// write is atomic and durable: the bytes are on the disk before they get the name (rename(2)),
// and the name is before write returns (fsync(2)).
// The caller has the lock.
func write(dir string, data []byte) error {
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

func makeDir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Remove forgets the verifier in the folder dir, what a power cut left of others, and the
// BatchFolder. None that is there is no error.
func Remove(dir string) error {
	if err := os.RemoveAll(filepath.Join(dir, BatchFolder)); err != nil {
		return fmt.Errorf("forget the codes of other gateways: %w", err)
	}
	err := alone(dir, func() error {
		err := os.Remove(filepath.Join(dir, FileName))
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		return errors.Join(err, sweep(dir), syncDir(dir))
	})
	if err != nil && !errors.Is(err, os.ErrNotExist) { // there is no folder
		return fmt.Errorf("forget the code's verifier: %w", err)
	}
	return nil
}

// sweep removes what a crash or a power cut has left of others. The caller has the lock.
func sweep(dir string) (err error) {
	left, _ := filepath.Glob(filepath.Join(dir, tempName+"*"))
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	return err
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
