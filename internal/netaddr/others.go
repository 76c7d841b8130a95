package netaddr

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// routeGroups are the announcements that matter for the routes of other interfaces: of
// links, because an interface that loses its carrier keeps its routes.
const routeGroups = 1<<(unix.RTNLGRP_LINK-1) | 1<<(unix.RTNLGRP_IPV4_ROUTE-1) | 1<<(unix.RTNLGRP_IPV6_ROUTE-1)

// Others are the interfaces that can make the gateway online beside the Wi-Fi's.
type Others struct {
	Wifi    func() string // returns the one that does not count; empty: there is none now
	Ignores []string      // that do not count either
}

func (o Others) count(name string) bool {
	return name != "" && name != o.Wifi() && !slices.Contains(o.Ignores, name)
}

// FollowOthers tells changed whether an interface that counts has a default route and its
// carrier, at first and at each change, until ctx ends. Nothing is polled. changed must
// return soon. A failure is logged, and FollowOthers begins anew after a while.
func FollowOthers(ctx context.Context, o Others, log *slog.Logger, changed func(online bool)) error {
	for ctx.Err() == nil {
		if err := o.follow(ctx, changed); err != nil && ctx.Err() == nil {
			log.Warn("the other interfaces cannot be followed; trying again soon", "err", err)
			sleep(ctx, again)
		}
	}
	return nil
}

// follow subscribes, then reads: a change meanwhile is not missed.
func (o Others) follow(ctx context.Context, changed func(bool)) error {
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{Groups: routeGroups})
	if err != nil {
		return fmt.Errorf("subscribe to rtnetlink: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	defer conn.Close()
	told, last := false, false
	for {
		online, err := o.online()
		if err != nil {
			return err
		}
		if !told || online != last {
			told, last = true, online
			changed(online)
		}
		if err := o.await(conn); err != nil {
			return err
		}
		sleep(ctx, settle)
	}
}

// await returns after an announcement about another interface than the Wi-Fi's, which
// announces each scan, or when some were lost.
func (o Others) await(conn *netlink.Conn) error {
	for {
		messages, err := conn.Receive()
		switch {
		case errors.Is(err, unix.ENOBUFS):
			return nil
		case err != nil:
			return fmt.Errorf("receive from rtnetlink: %w", err)
		}
		for _, m := range messages {
			l, isLink := parseLink(m)
			_, isRoute := defaultRoute(m)
			if isRoute || isLink && o.count(l.name) {
				return nil
			}
		}
	}
}

// online reports whether an interface that counts has a default route.
func (o Others) online() (bool, error) {
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
	if err != nil {
		return false, fmt.Errorf("connect to rtnetlink: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(readTimeout)); err != nil {
		return false, fmt.Errorf("connect to rtnetlink: %w", err)
	}
	links, err := dump(conn, unix.RTM_GETLINK, linkHeader)
	if err != nil {
		return false, fmt.Errorf("list links: %w", err)
	}
	routes, err := dump(conn, unix.RTM_GETROUTE, routeHeader)
	if err != nil {
		return false, fmt.Errorf("list routes: %w", err)
	}
	return o.anyOnline(links, routes), nil
}

func (o Others) anyOnline(links, routes []netlink.Message) bool {
	names := map[uint32]string{}
	for _, m := range links {
		if l, ok := parseLink(m); ok && carrier(m) {
			names[l.index] = l.name
		}
	}
	return slices.ContainsFunc(routes, func(m netlink.Message) bool {
		index, ok := defaultRoute(m)
		return ok && o.count(names[index])
	})
}

// carrier reports whether a link can carry packets (IFF_LOWER_UP, linux/if.h).
func carrier(m netlink.Message) bool {
	return binary.NativeEndian.Uint32(m.Data[8:])&unix.IFF_LOWER_UP != 0
}

// defaultRoute returns the interface of a default route of the main table, which need not
// have a gateway: that of a modem has none.
func defaultRoute(m netlink.Message) (index uint32, ok bool) {
	if m.Header.Type != unix.RTM_NEWROUTE && m.Header.Type != unix.RTM_DELROUTE {
		return 0, false
	}
	err := attributes(m.Data, routeHeader, func(d *netlink.AttributeDecoder) {
		if d.Type() == unix.RTA_OIF {
			index = d.Uint32()
		}
	})
	if err != nil {
		return 0, false
	}
	toAll, table, kind := m.Data[1] == 0, m.Data[4], m.Data[7]
	return index, toAll && table == unix.RT_TABLE_MAIN && kind == unix.RTN_UNICAST && index != 0
}
