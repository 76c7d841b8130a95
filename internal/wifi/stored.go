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

// Hint tells where and how a network was last joined, so that it can be looked for
// there first. The zero value knows nothing.
type Hint struct {
	BSSID        string // aa:bb:cc:dd:ee:ff
	FrequencyMHz int
	SAE          SAERecord
}

// SAERecord is what earlier joins of a network, with the same credentials, say about
// WPA3 there.
type SAERecord uint8

// A network that offers WPA2 beside WPA3 is joined with WPA2 when WPA3 fails, and from
// then on at once; but never once WPA3 has worked: whoever can keep a gateway from using
// WPA3 could otherwise make it use WPA2.
const (
	SAEUntried SAERecord = iota
	SAEWorked
	SAEFailed // where WPA2 then worked
)
