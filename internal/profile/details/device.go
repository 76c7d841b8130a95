package details

// Device is what the gateway is.
type Device struct {
	Name     string // that it advertises
	Model    string // empty: not known
	Serial   string // empty: not known
	Version  string // of the daemon
	Security string // the security mode
}

// The versions of the two services. They grow when an app has to do something
// differently, not when there is something new that it need not know.
const (
	provisioningVersion = 1
	detailsVersion      = 1
)

// longest bounds each text in bytes, so that with every quote escaped the whole
// is within MaxValue.
const longest = 48

func (d Device) encode() []byte {
	return encode(struct {
		Name      text           `json:"name"`
		Model     text           `json:"model,omitempty"`
		Serial    text           `json:"serial,omitempty"`
		Version   text           `json:"version"`
		Protocols map[string]int `json:"protocols"`
		Security  text           `json:"security"`
	}{
		Name:      cut(d.Name, longest),
		Model:     cut(d.Model, longest),
		Serial:    cut(d.Serial, longest),
		Version:   cut(d.Version, longest),
		Protocols: map[string]int{"provisioning": provisioningVersion, "details": detailsVersion},
		Security:  cut(d.Security, longest),
	})
}
