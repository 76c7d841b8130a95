package credstore

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/seal"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// The versions of the format that are written: a store without a sealed secret is of version 2,
// which a wifiprovd that knows nothing of sealing reads. Version 1, which had one field for each of
// the two networks, is read. A change that this version's decode would take for corruption needs
// a new number: a wifiprovd that does not know it keeps the file, and the gateway its network once
// it is updated again.
const (
	versionClear  = 2
	versionSealed = 3
	version       = versionSealed // the newest
)

const (
	maxKeyID  = 16                                        // of seal.Key.ID
	maxSealed = wifi.MaxPassphraseLen + 1 + seal.Overhead // 64 hex digits are a raw PSK
)

// sealedStart is how each file that has a sealed secret begins.
const sealedStart = `{"version":3,`

// ErrNewer is what a *RefusedError wraps if a newer wifiprovd wrote the file.
var ErrNewer = errors.New("was written by a newer wifiprovd")

// document is the file as JSON. SSID and passphrase are base64, so that any bytes
// survive.
type document struct {
	Version  int          `json:"version"`
	Networks []docNetwork `json:"networks"`
	Bonds    []docBond    `json:"bonds"`
	Leave    bool         `json:"leave"`
	Country  string       `json:"country"`

	// In place of Networks in version 1: the proven network and the candidate.
	Active    *docNetwork `json:"active"`
	Candidate *docNetwork `json:"candidate"`
}

type docNetwork struct {
	ID           wifi.ID `json:"id"` // from 1 on
	SSID         []byte  `json:"ssid"`
	Passphrase   []byte  `json:"passphrase"`
	Security     string  `json:"security"`
	Proven       bool    `json:"proven"`
	BSSID        string  `json:"bssid"`
	FrequencyMHz int     `json:"frequency_mhz"`
	SAE          string  `json:"sae"` // of saeRecords; not there in version 1

	// In place of Passphrase, from version 3 on.
	Sealed []byte `json:"sealed"`
	Key    string `json:"key"` // seal.Key.ID
}

// saeRecords are the names of what is known of WPA3 on a network.
var saeRecords = map[wifi.SAERecord]string{wifi.SAEWorked: "worked", wifi.SAEFailed: "failed"}

func parseSAERecord(name string) (wifi.SAERecord, bool) {
	for record, n := range saeRecords {
		if n == name {
			return record, true
		}
	}
	return wifi.SAEUntried, name == ""
}

type docBond struct {
	Adapter string `json:"adapter"`
	Address string `json:"address"`
	Mode    string `json:"mode"`             // pairing mode it was made in
	Forget  bool   `json:"forget,omitempty"` // gatt.Bond.Erased
}

// decode returns what data holds. Of a newer version it returns an error that is
// ErrNewer, and the bonds if they are as in this one, for Erase. Its errors quote
// nothing of data: what looks like a key may be half a password. A secret that is sealed by a key
// that is not at hand stays sealed; one that the right key does not open was altered.
func (s Sealing) decode(data []byte) (contents, error) {
	var doc document
	// What does not fit its field leaves the others filled, and what is not JSON leaves
	// all of them empty (encoding/json, Unmarshal): a version that was read is one.
	err := json.Unmarshal(data, &doc)
	defer doc.wipe()
	c := contents{bonds: doc.bonds(), leave: doc.Leave}
	c.country, _ = wifi.ParseCountry(doc.Country) // one that is not known here costs no network
	switch {
	case doc.Version > version:
		if validateBonds(c.bonds) != nil {
			c.bonds = nil
		}
		return contents{bonds: c.bonds},
			fmt.Errorf("%w: its format is version %d, not %d", ErrNewer, doc.Version, version)
	case err != nil:
		return contents{}, errors.New("it is not the JSON that this program writes")
	case doc.Version == 1:
		doc.Networks = doc.version1()
	case doc.Version != versionClear && doc.Version != versionSealed:
		return contents{}, fmt.Errorf("its version is %d", doc.Version)
	}
	if err = s.targets(&c, doc); err == nil {
		err = c.validate()
	}
	if err != nil {
		c.wipe()
		return contents{}, err
	}
	return c, nil
}

// version1 returns the networks of a file of version 1, which had no IDs.
func (d document) version1() []docNetwork {
	var networks []docNetwork
	if d.Active != nil {
		d.Active.ID, d.Active.Proven = 1, true
		networks = append(networks, *d.Active)
	}
	if d.Candidate != nil {
		d.Candidate.ID, d.Candidate.Proven = 2, false
		networks = append(networks, *d.Candidate)
	}
	return networks
}

func (d document) wipe() {
	for _, n := range d.Networks {
		clear(n.Passphrase)
	}
	for _, n := range []*docNetwork{d.Active, d.Candidate} {
		if n != nil {
			clear(n.Passphrase)
		}
	}
}

func (d document) bonds() (bonds []gatt.Bond) {
	for _, b := range d.Bonds {
		// A mode that is not known is the weakest: the bond is removed where pairing
		// is required, and the phone pairs again.
		pairing, _ := gatt.ParsePairing(b.Mode)
		bonds = append(bonds, gatt.Bond{
			Adapter: b.Adapter,
			Central: gatt.Central(b.Address),
			Pairing: pairing,
			Erased:  b.Forget,
		})
	}
	return bonds
}

// targets fills in the networks of doc, with copies of the secrets, also with an error.
func (s Sealing) targets(c *contents, doc document) error {
	for _, n := range doc.Networks {
		target, err := n.target()
		if err != nil {
			return err
		}
		switch {
		case doc.Version != versionSealed || n.Key == "":
			target.Credentials.Passphrase = wifi.NewPassphrase(n.Passphrase)
			c.inClear = append(c.inClear, n.ID)
		case len(n.Key) > maxKeyID || len(n.Sealed) < seal.Overhead || len(n.Sealed) > maxSealed:
			return errors.New("a sealed secret is too short or too long")
		case s.Key == nil || s.Key.ID() != n.Key:
			c.locked = append(c.locked, locked{Target: target, key: n.Key, sealed: n.Sealed})
			continue
		default:
			secret, err := s.Key.Open(n.Sealed, place(n.ID, target.Credentials))
			if err != nil {
				return fmt.Errorf("a secret cannot be opened: %w", err)
			}
			target.Credentials.Passphrase = wifi.NewPassphrase(secret)
			clear(secret)
		}
		c.networks = append(c.networks, target)
	}
	return nil
}

// target returns the network without its secret.
func (n docNetwork) target() (wifi.Target, error) {
	security, err := wifi.ParseSecurity(n.Security)
	if err != nil {
		return wifi.Target{}, errors.New("a security type is unknown")
	}
	sae, ok := parseSAERecord(n.SAE)
	if !ok {
		return wifi.Target{}, errors.New("what is known of WPA3 is unknown")
	}
	return wifi.Target{
		ID:          n.ID,
		Credentials: wifi.Credentials{SSID: wifi.SSID(n.SSID), Security: security},
		Hint:        wifi.Hint{BSSID: n.BSSID, FrequencyMHz: n.FrequencyMHz, SAE: sae},
		Proven:      n.Proven,
	}, nil
}

// encode returns c as the file has it, in one buffer that the caller wipes, or ErrNoKey. It
// writes the secrets itself: encoding/json puts its buffers back into a pool, where
// nobody can wipe them.
func (s Sealing) encode(c contents) ([]byte, error) {
	if err := s.check(c); err != nil {
		return nil, err
	}
	docBonds := []docBond{}
	for _, b := range c.bonds {
		docBonds = append(docBonds, docBond{b.Adapter, string(b.Central), b.Pairing.String(), b.Erased})
	}
	bonds, err := json.Marshal(docBonds)
	if err != nil {
		return nil, fmt.Errorf("encode the bonds: %w", err)
	}
	size := 256 + len(bonds)
	for _, n := range c.all() {
		size += 512 + 2*(len(n.Credentials.SSID)+n.Credentials.Passphrase.Len()) + 6*len(n.Hint.BSSID)
	}
	b := make([]byte, 0, size) // never grows, which would leave a copy behind
	b = append(b, `{"version":`...)
	b = strconv.AppendInt(b, s.versionOf(c), 10)
	b = append(b, `,"networks":[`...)
	b = s.appendNetworks(b, c)
	b = append(b, `],"bonds":`...)
	b = append(b, bonds...)
	if c.leave {
		b = append(b, `,"leave":true`...)
	}
	if c.country != "" {
		b = append(append(append(b, `,"country":"`...), c.country...), '"')
	}
	b = append(b, "}\n"...)
	if len(b) > maxSize {
		clear(b)
		return nil, fmt.Errorf("encode the store: %d bytes are more than %d", len(b), maxSize)
	}
	return b, nil
}

func (s Sealing) versionOf(c contents) int64 {
	if s.isSealed(c) {
		return versionSealed
	}
	return versionClear
}

func (s Sealing) appendNetworks(b []byte, c contents) []byte {
	for _, n := range c.networks {
		if s.takesClear(c, n.ID) {
			b = appendNetwork(b, n, nil, "")
			continue
		}
		secret := s.Key.Seal(n.Credentials.Passphrase.Bytes(), place(n.ID, n.Credentials))
		b = appendNetwork(b, n, secret, s.Key.ID())
	}
	for _, n := range c.locked {
		b = appendNetwork(b, n.Target, n.sealed, n.key)
	}
	return b
}

// appendNetwork appends a network, with its secret sealed by the key of an ID; empty: in clear.
func appendNetwork(b []byte, n wifi.Target, sealed []byte, key string) []byte {
	if b[len(b)-1] != '[' {
		b = append(b, ',')
	}
	b = append(b, `{"id":`...)
	b = strconv.AppendUint(b, uint64(n.ID), 10)
	b = append(b, `,"ssid":"`...)
	b = base64.StdEncoding.AppendEncode(b, []byte(n.Credentials.SSID))
	if key == "" {
		b = append(b, `","passphrase":"`...)
		b = base64.StdEncoding.AppendEncode(b, n.Credentials.Passphrase.Bytes())
		b = append(b, '"')
	} else {
		b = append(b, `","sealed":"`...)
		b = base64.StdEncoding.AppendEncode(b, sealed)
		b = append(b, `","key":`...)
		name, _ := json.Marshal(key) // a string always can be
		b = append(b, name...)
	}
	b = append(b, `,"security":"`...)
	b = append(b, n.Credentials.Security.String()...)
	b = append(b, `","proven":`...)
	b = strconv.AppendBool(b, n.Proven)
	b = append(b, `,"bssid":`...)
	bssid, _ := json.Marshal(n.Hint.BSSID) // a string always can be
	b = append(b, bssid...)
	b = append(b, `,"frequency_mhz":`...)
	b = strconv.AppendInt(b, int64(n.Hint.FrequencyMHz), 10)
	if name := saeRecords[n.Hint.SAE]; name != "" {
		b = append(b, `,"sae":"`...)
		b = append(append(b, name...), '"')
	}
	return append(b, '}')
}
