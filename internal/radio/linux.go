package radio

import (
	"fmt"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/wifiprovd/wifiprovd/internal/rfkill"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Linux is the Kernel of this machine.
type Linux struct{}

// Radios implements Kernel.
func (Linux) Radios() ([]rfkill.Radio, error) { return rfkill.List(rfkill.Device) }

// Unblock implements Kernel.
func (Linux) Unblock(kind rfkill.Kind) error { return rfkill.Unblock(rfkill.Device, kind) }

// Country implements Kernel by NL80211_CMD_GET_REG (linux/nl80211.h).
func (Linux) Country() (string, error) {
	answers, err := ask(unix.NL80211_CMD_GET_REG, netlink.Request, nil)
	for _, m := range answers {
		attributes, err := netlink.NewAttributeDecoder(m.Data)
		if err != nil {
			return "", fmt.Errorf("read the answer of nl80211: %w", err)
		}
		for attributes.Next() {
			if attributes.Type() == unix.NL80211_ATTR_REG_ALPHA2 {
				return attributes.String(), nil
			}
		}
	}
	return "", err
}

// SetCountry implements Kernel by NL80211_CMD_REQ_SET_REG, for which CAP_NET_ADMIN is needed. The
// rules are in force a moment later.
func (Linux) SetCountry(country wifi.Country) error {
	e := netlink.NewAttributeEncoder()
	e.String(unix.NL80211_ATTR_REG_ALPHA2, string(country))
	data, err := e.Encode()
	if err == nil {
		_, err = ask(unix.NL80211_CMD_REQ_SET_REG, netlink.Request|netlink.Acknowledge, data)
	}
	return err
}

func ask(command uint8, flags netlink.HeaderFlags, data []byte) ([]genetlink.Message, error) {
	conn, err := genetlink.Dial(nil)
	if err != nil {
		return nil, fmt.Errorf("connect to nl80211: %w", err)
	}
	defer conn.Close()
	family, err := conn.GetFamily(unix.NL80211_GENL_NAME) // os.ErrNotExist: there is no Wi-Fi
	if err != nil {
		return nil, fmt.Errorf("look for nl80211: %w", err)
	}
	answers, err := conn.Execute(genetlink.Message{Header: genetlink.Header{Command: command, Version: family.Version}, Data: data}, family.ID, flags)
	if err != nil {
		return nil, fmt.Errorf("ask nl80211: %w", err)
	}
	return answers, nil
}
