package code

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/wifiprovd/wifiprovd/internal/srp"
)

// BatchFolder is where an image for many gateways has their verifiers, in the store's folder: one
// file for each, called by the serial number, as Encode writes it.
const BatchFolder = "codes"

const longestSerial = 64

// BatchFile returns the name of a gateway's file in the BatchFolder; empty if no file can be called
// by that serial number.
func BatchFile(serial string) string {
	if serial == "" || len(serial) > longestSerial || serial[0] == '.' || !plain([]byte(serial)) {
		return ""
	}
	for _, c := range []byte(serial) {
		if c == '/' {
			return ""
		}
	}
	return serial + ".json"
}

// Adopt takes the verifier of the gateway that has one of the serial numbers out of the BatchFolder
// in dir, unless dir has one already, and deletes all others: no gateway is to hold those of another. It
// returns the serial number that was found, empty if there is no such folder or it does not have
// this gateway's; then the folder stays. A power cut at any point loses nothing.
func Adopt(dir string, serials []string) (found string, err error) {
	folder := filepath.Join(dir, BatchFolder)
	if !exists(folder) {
		return "", nil
	}
	has := exists(filepath.Join(dir, FileName))
	for i := 0; i < len(serials) && !has; i++ {
		if has, err = adopt(dir, serials[i]); err != nil {
			return "", fmt.Errorf("take this gateway's code out of %s: %w", folder, err)
		}
		if has {
			found = serials[i]
		}
	}
	if !has {
		return "", fmt.Errorf("%s has no code of this gateway, whose serial numbers are %q", folder, serials)
	}
	if err := os.RemoveAll(folder); err != nil {
		return found, fmt.Errorf("delete the codes of other gateways: %w", err)
	}
	return found, syncDir(dir)
}

// adopt makes the verifier of a serial number that of dir, if there is one.
func adopt(dir, serial string) (bool, error) {
	name := BatchFile(serial)
	if name == "" {
		return false, nil
	}
	data, err := read(filepath.Join(dir, BatchFolder, name))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	var v srp.Verifier
	if err == nil {
		v, err = decode(data)
	}
	if err == nil {
		err = Save(dir, v)
	}
	return err == nil, err
}
