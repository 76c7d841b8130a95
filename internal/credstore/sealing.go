package credstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wifiprovd/wifiprovd/internal/seal"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Sealing says how secrets are written. The zero value writes them in clear.
type Sealing struct {
	Key  *seal.Key // nil: none is to be had
	Want bool      // secrets are to be sealed: without a Key, those that are new stay in memory
}

// ErrNoKey is why a secret is not written.
var ErrNoKey = errors.New("there is no key to seal it with; wifiprovctl doctor says what to do")

// locked is a network whose secret cannot be opened: its key is not at hand. It is kept as it is
// until another network has been joined, or everything is erased.
type locked struct {
	wifi.Target        // without the passphrase
	key         string // the ID of its key
	sealed      []byte
}

// place names a network's secret, for the key: under another ID, for another network, with a
// weaker security or in another format it is worth nothing.
func place(id wifi.ID, c wifi.Credentials) []byte {
	b := []byte("wifiprovd store, a network\x00")
	b = binary.BigEndian.AppendUint32(b, versionSealed)
	b = binary.BigEndian.AppendUint32(b, uint32(id))
	b = binary.BigEndian.AppendUint32(b, uint32(len(c.SSID)))
	b = append(b, c.SSID...)
	return append(b, c.Security.String()...)
}

// takesClear reports whether a network's secret may be written in clear: sealing is not wanted, or
// it lies there in clear already, and there is no key to end that.
func (s Sealing) takesClear(c contents, id wifi.ID) bool {
	return !s.Want || s.Key == nil && slices.Contains(c.inClear, id)
}

// check returns ErrNoKey if c has a secret that cannot be written as it should be.
func (s Sealing) check(c contents) error {
	for _, n := range c.networks {
		if !s.takesClear(c, n.ID) && s.Key == nil {
			return ErrNoKey
		}
	}
	return nil
}

// isSealed reports whether what encode writes of c has a sealed secret.
func (s Sealing) isSealed(c contents) bool {
	return len(c.locked) > 0 || s.Want && s.Key != nil && len(c.networks) > 0
}

// settle brings the store into the form that is wanted, when it is opened: what lies there in
// clear is sealed, or what is sealed is opened.
func (s *Store) settle() error {
	sealed, opened := 0, 0
	err := s.update(func(c *contents) (bool, error) {
		if s.seal.Key != nil && s.seal.Want {
			sealed = len(c.inClear)
		} else if s.seal.Key != nil {
			opened = len(c.networks) - len(c.inClear)
		}
		s.tellLocked(c.locked)
		return sealed+opened > 0, nil
	})
	if err != nil || s.mem != nil && s.mem.changed {
		return err // the file is as it was, and the journal says why
	}
	switch {
	case sealed > 0:
		s.log.Info("the stored networks are sealed now", "event", "store-sealed", "networks", sealed)
	case opened > 0:
		s.log.Info("the stored networks are in clear now: store.seal is none", "event", "store-opened", "networks", opened)
	}
	return s.removeClear()
}

// tellLocked tells the journal of networks that cannot be opened.
func (s *Store) tellLocked(networks []locked) {
	if len(networks) == 0 {
		return
	}
	why := "it was not handed in: this is another board, or its TPM was cleared or has measured another system"
	if s.seal.Key != nil {
		why = "another key was handed in"
	}
	s.log.Error(fmt.Sprintf("%d stored networks are sealed, and their key is not here: they are kept, and a phone can provision anew",
		len(networks)), "event", "store-locked",
		"err", why+"; wifiprovctl doctor says what to do")
}

// removeClear removes files that were set aside and may hold a secret in clear, if secrets are to
// be sealed.
func (s *Store) removeClear() error {
	if s.seal.Key == nil || !s.seal.Want {
		return nil
	}
	names, err := s.list(asidePrefix)
	removed := 0
	for _, name := range names {
		path := filepath.Join(s.dir, name)
		if !mayBeClear(path) {
			continue
		}
		if err := os.RemoveAll(path); err != nil { // it may be a directory
			return fmt.Errorf("remove a corrupt store that may hold a password in clear: %w", err)
		}
		removed++
	}
	if removed > 0 {
		s.log.Warn("corrupt stores that were set aside may hold passwords in clear: removed", "files", removed)
		err = errors.Join(err, syncDir(s.dir))
	}
	return err
}

// mayBeClear reports whether a file that was set aside may hold a secret in clear: a sealed store
// does not have the word.
func mayBeClear(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxSize {
		return true
	}
	data, err := os.ReadFile(path)
	defer clear(data)
	text := string(data)
	return err != nil || !strings.HasPrefix(text, sealedStart) || strings.Contains(text, "passphrase")
}

// Secrets says how the secrets of a store lie on the disk.
type Secrets struct {
	Clear  int      // networks whose secret is in clear
	Sealed int      // networks whose secret is sealed
	Keys   []string // the IDs of their keys
}

// Look returns how the secrets of the store in dir lie there, and changes nothing. Of a store that
// is not there, corrupt, or refused it returns none: see Check.
func Look(dir string) (Secrets, error) {
	d := disk{dir: filepath.Clean(dir), uid: uint32(os.Geteuid())}
	if err := d.checkDir(); err != nil {
		return Secrets{}, ignoreMissing(err)
	}
	data, err := d.readFile()
	if err != nil || data == nil {
		return Secrets{}, err
	}
	defer clear(data)
	c, err := Sealing{}.decode(data) // without a key all that is sealed is locked
	defer c.wipe()
	if err != nil {
		return Secrets{}, err
	}
	s := Secrets{Clear: len(c.networks), Sealed: len(c.locked)}
	for _, n := range c.locked {
		s.Keys = append(s.Keys, n.key)
	}
	return s, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
