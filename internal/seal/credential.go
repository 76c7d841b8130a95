package seal

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Where the key is. What is below /etc is made by wifiprovctl seal.
const (
	Credential = "wifiprovd.key"           // its name as a credential (systemd.exec(5))
	File       = "/etc/wifiprovd/key.cred" // wrapped by systemd-creds(1)
	// Unit holds the key while the gateway is up. The daemon takes it from there, and not from
	// File: a unit whose LoadCredentialEncrypted= cannot be opened does not start, and a gateway
	// without its key must be found by phones all the same.
	Unit   = "wifiprovd-key.service"
	DropIn = "/etc/systemd/system/wifiprovd.service.d/seal.conf"
)

// missing is what the daemon is handed if Unit has no key.
const missing = "missing"

// DropInText returns what DropIn holds for a key of kind k.
func DropInText(k Kind) string {
	wants := Unit
	if k != Host { // its driver may come late
		wants += " dev-tpmrm0.device"
	}
	return `# Written by wifiprovctl seal, removed by wifiprovctl seal --undo.
[Unit]
Wants=` + wants + `
After=` + Unit + `

[Service]
LoadCredential=` + Credential + `:/run/credentials/` + Unit + `/` + Credential + `
# In place of a key that cannot be had: the daemon starts without it, and says so.
SetCredential=` + Credential + `:` + missing + `
`
}

// Kind is what a wrapped key is bound to.
type Kind string

// The kinds.
const (
	Host        Kind = "host"      // a file of the same disk: it protects from nobody who has all of the disk
	TPM2        Kind = "tpm2"      // the board's TPM
	HostAndTPM2 Kind = "host+tpm2" // both
	Other       Kind = "other"     // a way that is not known here
)

// kinds are by the first 16 bytes of what systemd-creds writes: seen with systemd 252 and 257.
var kinds = map[string]Kind{
	"5a1c6a86df9d4096b1d5a65e0862f19a": Host,
	"0c7cc07b117645919c4b0bea08bc20fe": TPM2,
	"93a894094874449090caf2fc93cab553": HostAndTPM2,
}

// KindOf returns the kind of what is in a File.
func KindOf(wrapped []byte) Kind {
	b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(wrapped)), ""))
	if err != nil || len(b) < 16 {
		return Other
	}
	if kind, ok := kinds[hex.EncodeToString(b[:16])]; ok {
		return kind
	}
	return Other
}

// Fits reports whether a key of kind k is as strict as the setting store.seal asks for: none,
// auto, host or tpm2.
func (k Kind) Fits(setting string) bool {
	switch setting {
	case "host":
		return k == Host || k == HostAndTPM2
	case "tpm2":
		return k != Host
	}
	return setting != "none"
}

// Protects says, for people, what a key of this kind is worth.
func (k Kind) Protects() string {
	switch k {
	case Host:
		return "the host key, which lies on the same disk: whoever has all of the disk opens it"
	case TPM2:
		return "the TPM of this board: the disk alone is worth nothing"
	case HostAndTPM2:
		return "the host key and the TPM of this board: the disk alone is worth nothing"
	}
	return "a way that wifiprovd does not know"
}

// Handed returns the key that systemd has handed to this process; nil: none.
func Handed() (*Key, error) { return handed(os.Getenv("CREDENTIALS_DIRECTORY")) }

func handed(dir string) (*Key, error) {
	if dir == "" {
		return nil, nil
	}
	b, err := os.ReadFile(filepath.Join(dir, Credential))
	defer clear(b)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the key of the store: %w", err)
	case string(b) == missing:
		return nil, nil
	}
	return New(b)
}
