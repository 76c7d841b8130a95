package credstore

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// version is that of the file's format. A file of another version counts as
// corrupt.
const version = 1

// maxText is the longest text beside the credentials, in bytes: an address, the
// name of an adapter or of a mode.
const maxText = 64

// document is the file as JSON. SSID and passphrase are base64, so that any
// bytes survive.
type document struct {
	Version   int       `json:"version"`
	Active    *docEntry `json:"active"`
	Candidate *docEntry `json:"candidate"`
	Bonds     []Bond    `json:"bonds"`
	Leave     bool      `json:"leave,omitempty"`
}

type docEntry struct {
	SSID         []byte `json:"ssid"`
	Passphrase   []byte `json:"passphrase"`
	Security     string `json:"security"`
	BSSID        string `json:"bssid"`
	FrequencyMHz int    `json:"frequency_mhz"`
}

// decode returns what data holds. Its errors quote nothing of data: what looks
// like a key may be half a password.
func decode(data []byte) (Contents, error) {
	var doc document
	err := json.Unmarshal(data, &doc)
	defer doc.wipe()
	var c Contents
	switch {
	case err != nil:
		return c, errors.New("it is not the JSON that this program writes")
	case doc.Version != version:
		return c, fmt.Errorf("its version is %d, not %d", doc.Version, version)
	}
	c.Bonds, c.Leave = doc.Bonds, doc.Leave
	if c.Active, err = doc.Active.entry(); err == nil {
		c.Candidate, err = doc.Candidate.entry()
	}
	if err == nil {
		err = c.validate()
	}
	if err != nil {
		c.Wipe()
		return Contents{}, err
	}
	return c, nil
}

func (d document) wipe() {
	for _, e := range []*docEntry{d.Active, d.Candidate} {
		if e != nil {
			clear(e.Passphrase)
		}
	}
}

func (e *docEntry) entry() (*Entry, error) {
	if e == nil {
		return nil, nil
	}
	security, err := wifi.ParseSecurity(e.Security)
	if err != nil {
		return nil, errors.New("a security type is unknown")
	}
	return &Entry{
		Credentials: wifi.Credentials{
			SSID:       wifi.SSID(e.SSID),
			Passphrase: wifi.NewPassphrase(e.Passphrase),
			Security:   security,
		},
		Hint: wifi.Hint{BSSID: e.BSSID, FrequencyMHz: e.FrequencyMHz},
	}, nil
}

// validate returns an error if c could not be stored and come back the same.
func (c Contents) validate() error {
	for _, e := range []*Entry{c.Active, c.Candidate} {
		if e == nil {
			continue
		}
		if err := e.Credentials.Validate(); err != nil {
			return err
		}
		if !validText(e.Hint.BSSID) {
			return errors.New("a BSSID is not valid")
		}
	}
	if len(c.Bonds) > MaxBonds {
		return fmt.Errorf("%d bonds are more than %d", len(c.Bonds), MaxBonds)
	}
	for _, b := range c.Bonds {
		if !validText(b.Adapter) || !validText(b.Address) || !validText(b.Mode) {
			return errors.New("a bond is not valid")
		}
	}
	return nil
}

func validText(s string) bool { return len(s) <= maxText && utf8.ValidString(s) }

// encode returns c as the file has it, in one buffer that the caller wipes. It
// writes the secrets itself: encoding/json keeps copies that nobody can wipe.
func encode(c Contents) ([]byte, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	bonds, err := json.Marshal(c.Bonds)
	if err != nil {
		return nil, fmt.Errorf("encode the bonds: %w", err)
	}
	// Large enough never to grow, which would leave a copy behind.
	b := make([]byte, 0, 4096+len(bonds))
	b = append(b, `{"version":`...)
	b = strconv.AppendInt(b, version, 10)
	b = append(b, `,"active":`...)
	b = appendEntry(b, c.Active)
	b = append(b, `,"candidate":`...)
	b = appendEntry(b, c.Candidate)
	b = append(b, `,"bonds":`...)
	b = append(b, bonds...)
	if c.Leave {
		b = append(b, `,"leave":true`...)
	}
	b = append(b, "}\n"...)
	if len(b) > maxSize {
		clear(b)
		return nil, fmt.Errorf("it would have %d bytes, more than %d", len(b), maxSize)
	}
	return b, nil
}

func appendEntry(b []byte, e *Entry) []byte {
	if e == nil {
		return append(b, "null"...)
	}
	b = append(b, `{"ssid":"`...)
	b = base64.StdEncoding.AppendEncode(b, []byte(e.Credentials.SSID))
	b = append(b, `","passphrase":"`...)
	b = base64.StdEncoding.AppendEncode(b, e.Credentials.Passphrase.Bytes())
	b = append(b, `","security":"`...)
	b = append(b, e.Credentials.Security.String()...)
	b = append(b, `","bssid":`...)
	bssid, _ := json.Marshal(e.Hint.BSSID) // a string always can be
	b = append(b, bssid...)
	b = append(b, `,"frequency_mhz":`...)
	b = strconv.AppendInt(b, int64(e.Hint.FrequencyMHz), 10)
	return append(b, '}')
}
