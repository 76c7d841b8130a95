package iface

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// askTimeout bounds how long the kernel may take to answer.
const askTimeout = 5 * time.Second

// list asks the kernel for the interfaces of all radios. sysfs does not tell a station from an
// access point; nl80211 does, to everybody (net/wireless/nl80211.c, NL80211_CMD_GET_INTERFACE
// has no GENL_ADMIN_PERM).
func list() ([]device, error) {
	conn, err := genetlink.Dial(nil)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(askTimeout)); err != nil {
		return nil, err
	}
	family, err := conn.GetFamily(unix.NL80211_GENL_NAME)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // no driver of a Wi-Fi radio is loaded
	}
	if err != nil {
		return nil, err
	}
	request := genetlink.Message{Header: genetlink.Header{Command: unix.NL80211_CMD_GET_INTERFACE, Version: family.Version}}
	messages, err := conn.Execute(request, family.ID, netlink.Request|netlink.Dump)
	if err != nil {
		return nil, err
	}
	return parse(messages)
}

// parse returns the interfaces in the kernel's answer that are network interfaces; one for
// Wi-Fi Direct's management is none, and has no name.
func parse(messages []genetlink.Message) ([]device, error) {
	var all []device
	for _, m := range messages {
		attributes, err := netlink.NewAttributeDecoder(m.Data)
		if err != nil {
			return nil, fmt.Errorf("read nl80211's answer: %w", err)
		}
		var d device
		for attributes.Next() {
			switch attributes.Type() {
			case unix.NL80211_ATTR_IFNAME:
				d.name = attributes.String()
			case unix.NL80211_ATTR_WIPHY:
				d.radio = attributes.Uint32()
			case unix.NL80211_ATTR_IFINDEX:
				d.index = attributes.Uint32()
			case unix.NL80211_ATTR_IFTYPE:
				d.kind = attributes.Uint32()
			}
		}
		if err := attributes.Err(); err != nil {
			return nil, fmt.Errorf("read nl80211's answer: %w", err)
		}
		if d.name != "" && d.index != 0 {
			all = append(all, d)
		}
	}
	return all, nil
}
