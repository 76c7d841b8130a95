package native

// Device is what the gateway is.
type Device struct {
	Name     string // that it advertises
	Model    string // of the board; empty: not known
	Serial   string // of the board; empty: not known
	Version  string // of the daemon
	Security string // the name of the pairing mode
}

// The versions of the two services. They grow when an app has to do something
// differently, not when there is something new that it need not know.
const (
	provisioningVersion = 1
	detailsVersion      = 1
)

// maxText bounds each text in bytes: with every quote escaped the whole is still within
// gatt.MaxValue.
const maxText = 48

func (d Device) encode() []byte {
	return encode(struct {
		Name      text           `json:"name"`
		Model     text           `json:"model,omitempty"`
		Serial    text           `json:"serial,omitempty"`
		Version   text           `json:"version"`
		Protocols map[string]int `json:"protocols"`
		Security  text           `json:"security"`
	}{
		Name:    cut(d.Name, maxText),
		Model:   cut(d.Model, maxText),
		Serial:  cut(d.Serial, maxText),
		Version: cut(d.Version, maxText),
		Protocols: map[string]int{
			"provisioning": provisioningVersion,
			"details":      detailsVersion,
		},
		Security: cut(d.Security, maxText),
	})
}
