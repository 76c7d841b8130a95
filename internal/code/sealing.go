package code

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/seal"
	"github.com/wifiprovd/wifiprovd/internal/srp"
)

// SealedError says that the verifier is there, and sealed. Only the daemon has the key.
type SealedError struct {
	User string
	Key  string // the ID of its key

	salt, sealed []byte
}

func (*SealedError) Error() string {
	return "the code's verifier is sealed, and only the daemon has the key"
}

// Keeper is the code's file for the daemon, which seals it.
type Keeper struct {
	Dir  string    // the store's folder
	Key  *seal.Key // nil: none is to be had
	Seal bool      // the verifier is to be sealed: without a Key, one in clear stays so
	Log  *slog.Logger
}

// Load is the function Load, which also opens what is sealed, and brings the file into the form that
// is wanted: what lies there in clear is sealed, or what is sealed is opened. A power cut leaves the
// one or the other. A file that cannot be written is used as it is, and the journal says so.
func (k Keeper) Load() (*srp.Verifier, error) {
	unlock, locked := lock(k.Dir)
	if locked == nil {
		defer unlock()
		if err := sweep(k.Dir); err != nil {
			k.Log.Warn("what is left of another code cannot be removed", "err", err)
		}
	}
	v, err := Load(k.Dir)
	shut := new(SealedError)
	isSealed := errors.As(err, &shut)
	if isSealed {
		v, err = k.open(shut)
	}
	if v != nil && k.Key != nil && isSealed != k.Seal {
		k.settle(*v, locked)
	}
	return v, err
}

// Look returns how the verifier in the folder dir lies there: in clear, or sealed by the key of that
// ID. Of none, or one that cannot be used, it is neither.
func Look(dir string) (inClear bool, sealedBy string) {
	v, err := Load(dir)
	if shut := new(SealedError); errors.As(err, &shut) {
		return false, shut.Key
	}
	return v != nil, ""
}

func (k Keeper) open(shut *SealedError) (*srp.Verifier, error) {
	const help = "set the code on the label again (wifiprovctl code set), or make another one"
	switch {
	case k.Key == nil:
		return nil, errors.New("it is sealed, and its key was not handed in: wifiprovctl doctor says why; if the key is lost, " + help)
	case k.Key.ID() != shut.Key:
		return nil, errors.New("it is sealed by another key than the one that was handed in; if that is lost, " + help)
	}
	b, err := k.Key.Open(shut.sealed, place(shut.User, shut.salt))
	v := srp.Verifier{User: shut.User, Salt: shut.salt, V: b}
	if err == nil && !v.Valid() {
		err = errors.New("it holds no verifier")
	}
	if err != nil {
		return nil, fmt.Errorf("open the code's verifier: %w; %s", err, help)
	}
	return &v, nil
}

// place names a verifier, for the key: with another user or salt, or in another format it is worth
// nothing.
func place(user string, salt []byte) []byte {
	b := []byte("wifiprovd, the code\x00")
	b = binary.BigEndian.AppendUint32(b, sealed)
	b = binary.BigEndian.AppendUint32(b, uint32(len(user)))
	b = append(b, user...)
	return append(b, salt...)
}

// settle writes v as it is to lie there. locked is why that must not be; nil: it may.
func (k Keeper) settle(v srp.Verifier, locked error) {
	event, text := "code-opened", "the code's verifier is in clear now: store.seal is none"
	encode := Encode
	if k.Seal {
		event, text = "code-sealed", "the code's verifier is sealed now"
		encode = k.encode
	}
	data, err := encode(v)
	if err = errors.Join(locked, err); err == nil {
		err = write(k.Dir, data)
	}
	if err != nil {
		k.Log.Error("the code's verifier is not sealed or opened as store.seal says: it is used as it is", "event", "seal", "err", err)
		return
	}
	k.Log.Info(text, "event", event)
}

func (k Keeper) encode(v srp.Verifier) ([]byte, error) {
	return json.Marshal(document{
		Version: sealed, User: v.User, Salt: hex.EncodeToString(v.Salt), Key: k.Key.ID(),
		Sealed: hex.EncodeToString(k.Key.Seal(v.V, place(v.User, v.Salt))),
	})
}

// longestLock is how long the lock is waited for: who has it writes one small file.
const longestLock = 5 * time.Second

// lock keeps other processes from writing to the folder dir until unlock: the daemon must not write
// over a code that is new since it has read the old one.
func lock(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for late := time.Now().Add(longestLock); ; time.Sleep(10 * time.Millisecond) {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil // which ends the lock (flock(2))
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) || time.Now().After(late) {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", dir, err)
		}
	}
}

// alone does what nobody else may write to the folder dir meanwhile.
func alone(dir string, do func() error) error {
	unlock, err := lock(dir)
	if err != nil {
		return err
	}
	defer unlock()
	return do()
}
