package radio

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

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

// ready returns an error that is os.ErrNotExist until cfg80211 is ready to be asked about its rules.
// nl80211 is there before: NL80211_CMD_GET_REG then has Linux 6.12 stop for good (net/wireless/core.c,
// cfg80211_init calls nl80211_init before regulatory_init; seen, a null pointer in nl80211_put_regdom).
func ready(root string) error {
	const module = "/sys/module/cfg80211"
	if _, err := os.Stat(root + module); err != nil {
		return fmt.Errorf("look for cfg80211: %w", err)
	}
	state, err := os.ReadFile(root + module + "/initstate")
	if errors.Is(err, os.ErrNotExist) { // it is built in, and was ready before any program ran
		return nil
	}
	if err == nil && strings.TrimSpace(string(state)) != "live" {
		return fmt.Errorf("cfg80211 is being loaded: %w", os.ErrNotExist)
	}
	return err
}

// askTimeout bounds how long the kernel may take to answer.
const askTimeout = 5 * time.Second

func ask(command uint8, flags netlink.HeaderFlags, data []byte) ([]genetlink.Message, error) {
	if err := ready(""); err != nil {
		return nil, err
	}
	conn, err := genetlink.Dial(nil)
	if err != nil {
		return nil, fmt.Errorf("connect to nl80211: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(askTimeout)); err != nil {
		return nil, fmt.Errorf("connect to nl80211: %w", err)
	}
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
