package netaddr

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// Sizes of the fixed parts of messages, before their attributes (linux/if_link.h,
// linux/if_addr.h, linux/rtnetlink.h).
const (
	linkHeader    = unix.SizeofIfInfomsg
	addressHeader = unix.SizeofIfAddrmsg
	routeHeader   = unix.SizeofRtMsg
)

const readTimeout = 5 * time.Second // for the kernel to list everything

// unusable are flags of IPv6 addresses that do not count (linux/if_addr.h): not
// yet known to be unique, known not to be, running out, or made for privacy.
const unusable = unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED | unix.IFA_F_DEPRECATED | unix.IFA_F_TEMPORARY

// read asks for what the interface name has now, and for its index. If there is no
// such interface, both are zero.
func read(name string) (s wifi.Addresses, index uint32, err error) {
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
	if err != nil {
		return wifi.Addresses{}, 0, fmt.Errorf("connect to rtnetlink: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(readTimeout)); err != nil {
		return wifi.Addresses{}, 0, fmt.Errorf("connect to rtnetlink: %w", err)
	}
	links, err := dump(conn, unix.RTM_GETLINK, linkHeader)
	if err != nil {
		return wifi.Addresses{}, 0, fmt.Errorf("list links: %w", err)
	}
	for _, m := range links {
		if l, ok := parseLink(m); ok && l.name == name {
			index = l.index
		}
	}
	if index == 0 {
		return wifi.Addresses{}, 0, nil
	}
	addresses, err := dump(conn, unix.RTM_GETADDR, addressHeader)
	if err != nil {
		return wifi.Addresses{}, 0, fmt.Errorf("list addresses: %w", err)
	}
	routes, err := dump(conn, unix.RTM_GETROUTE, routeHeader)
	if err != nil {
		return wifi.Addresses{}, 0, fmt.Errorf("list routes: %w", err)
	}
	return stateOf(addresses, routes, index), index, nil
}

// dump returns all that the kernel has of a kind. If it changes meanwhile, there
// is an announcement, and it is read anew.
func dump(conn *netlink.Conn, kind netlink.HeaderType, header int) ([]netlink.Message, error) {
	return conn.Execute(netlink.Message{
		Header: netlink.Header{Type: kind, Flags: netlink.Request | netlink.Dump},
		Data:   make([]byte, header), // of every family
	})
}

func stateOf(addresses, routes []netlink.Message, index uint32) (s wifi.Addresses) {
	for _, m := range addresses {
		a, ok := parseAddress(m)
		switch {
		case !ok || a.index != index || !a.usable():
		case a.ip.Is4() && !s.IPv4.IsValid():
			s.IPv4, s.IPv4Given = a.ip, a.given
		case a.ip.Is6() && !s.IPv6.IsValid():
			s.IPv6, s.IPv6Given = a.ip, a.given
		}
	}
	var found []route
	for _, m := range routes {
		if r, ok := parseRoute(m); ok && r.index == index {
			found = append(found, r)
		}
	}
	slices.SortStableFunc(found, func(a, b route) int {
		if a.via.Is4() != b.via.Is4() {
			return a.via.BitLen() - b.via.BitLen()
		}
		return cmp.Compare(a.metric, b.metric)
	})
	if len(found) > 0 {
		s.Gateway = found[0].via
	}
	return s
}

type link struct {
	index uint32
	name  string
}

type address struct {
	index uint32
	ip    netip.Addr
	scope byte
	flags uint32
	given uint32 // as wifi.Addresses has it
}

// usable reports whether others can reach the address.
func (a address) usable() bool {
	return a.scope == unix.RT_SCOPE_UNIVERSE && a.flags&unusable == 0 && a.ip.IsGlobalUnicast()
}

type route struct {
	index  uint32
	via    netip.Addr
	metric uint32
}

var errShort = errors.New("message is too short")

// attributes calls each with the attributes behind the fixed part of a message.
func attributes(data []byte, header int, each func(*netlink.AttributeDecoder)) error {
	if len(data) < header {
		return errShort
	}
	d, err := netlink.NewAttributeDecoder(data[header:])
	if err != nil {
		return err
	}
	for d.Next() {
		each(d)
	}
	return d.Err()
}

func parseLink(m netlink.Message) (l link, ok bool) {
	if m.Header.Type != unix.RTM_NEWLINK && m.Header.Type != unix.RTM_DELLINK {
		return link{}, false
	}
	err := attributes(m.Data, linkHeader, func(d *netlink.AttributeDecoder) {
		if d.Type() == unix.IFLA_IFNAME {
			l.name = d.String()
		}
	})
	if err != nil {
		return link{}, false
	}
	l.index = binary.NativeEndian.Uint32(m.Data[4:])
	return l, true
}

func parseAddress(m netlink.Message) (a address, ok bool) {
	if m.Header.Type != unix.RTM_NEWADDR && m.Header.Type != unix.RTM_DELADDR {
		return address{}, false
	}
	var local, far netip.Addr
	flags, given := uint32(0), uint32(0)
	err := attributes(m.Data, addressHeader, func(d *netlink.AttributeDecoder) {
		switch d.Type() {
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(d.Bytes())
		case unix.IFA_ADDRESS: // on a point-to-point link the other end's
			far, _ = netip.AddrFromSlice(d.Bytes())
		case unix.IFA_FLAGS:
			flags = d.Uint32()
		case unix.IFA_CACHEINFO: // struct ifa_cacheinfo (linux/if_addr.h): its last field is tstamp
			if info := d.Bytes(); len(info) >= 16 {
				given = max(1, binary.NativeEndian.Uint32(info[12:]))
			}
		}
	})
	if err != nil {
		return address{}, false
	}
	a = address{index: binary.NativeEndian.Uint32(m.Data[4:]), ip: local, scope: m.Data[3], flags: flags | uint32(m.Data[2])}
	if !local.IsValid() {
		a.ip = far
	}
	if a.flags&unix.IFA_F_PERMANENT == 0 {
		a.given = given
	}
	return a, a.ip.IsValid()
}

// parseRoute returns a default route of the main table that has a gateway.
func parseRoute(m netlink.Message) (r route, ok bool) {
	if m.Header.Type != unix.RTM_NEWROUTE && m.Header.Type != unix.RTM_DELROUTE {
		return route{}, false
	}
	err := attributes(m.Data, routeHeader, func(d *netlink.AttributeDecoder) {
		switch d.Type() {
		case unix.RTA_OIF:
			r.index = d.Uint32()
		case unix.RTA_GATEWAY:
			r.via, _ = netip.AddrFromSlice(d.Bytes())
		case unix.RTA_PRIORITY:
			r.metric = d.Uint32()
		}
	})
	if err != nil {
		return route{}, false
	}
	toAll, table, kind := m.Data[1] == 0, m.Data[4], m.Data[7]
	return r, toAll && table == unix.RT_TABLE_MAIN && kind == unix.RTN_UNICAST && r.via.IsValid()
}

// concerns reports whether an announcement is about the interface.
func concerns(m netlink.Message, name string, index uint32) bool {
	if l, ok := parseLink(m); ok {
		// Wi-Fi announces each scan, too: the name and the index do not change then.
		gone := m.Header.Type == unix.RTM_DELLINK
		return l.index == index && (gone || l.name != name) || l.index != index && l.name == name
	}
	if a, ok := parseAddress(m); ok {
		return a.index == index
	}
	r, ok := parseRoute(m)
	return ok && r.index == index
}

// isLink reports whether an announcement is about an interface itself.
func isLink(m netlink.Message) bool {
	return m.Header.Type == unix.RTM_NEWLINK || m.Header.Type == unix.RTM_DELLINK
}
