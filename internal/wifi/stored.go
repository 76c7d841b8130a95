package wifi

// ID names a stored network for as long as it is stored. 0 is none.
type ID uint32

// Known is what is known of a stored network without its secret.
type Known struct {
	ID       ID
	SSID     SSID
	Security Security
	Proven   bool // it was joined with these credentials; else it is the candidate
}

// Target is a stored network that is to be joined.
type Target struct {
	ID          ID
	Credentials Credentials
	Hint        Hint
	Proven      bool // as in Known
}

// Wipe overwrites the secret with zeros.
func (t Target) Wipe() { t.Credentials.Wipe() }

// Hint tells where a network was last joined, so that it can be looked for
// there first. The zero value knows nothing.
type Hint struct {
	BSSID        string // aa:bb:cc:dd:ee:ff
	FrequencyMHz int
}
