// Package netaddr follows the addresses and the default gateway of a network
// interface. The kernel tells of changes (rtnetlink(7)): nothing is polled.
package netaddr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// How long to wait. Variables only so that a test can shorten them.
var (
	settle = 50 * time.Millisecond // after a change: several come together
	again  = 5 * time.Second       // after a failure
)

// groups are the kernel's announcements that matter: of links, addresses, routes.
// RTMGRP_* is a bit mask, 1 << (group - 1).
const groups = 1<<(unix.RTNLGRP_LINK-1) | 1<<(unix.RTNLGRP_IPV4_IFADDR-1) | 1<<(unix.RTNLGRP_IPV6_IFADDR-1) |
	1<<(unix.RTNLGRP_IPV4_ROUTE-1) | 1<<(unix.RTNLGRP_IPV6_ROUTE-1)

// Follow tells changed what the interface has, at first and at each change, until ctx ends.
// name returns the name of the interface, empty if there is none; it is asked whenever
// some interface changes. The interface may come and go. changed must return soon. A
// failure is logged, and Follow begins anew after a while.
func Follow(ctx context.Context, name func() string, log *slog.Logger, changed func(wifi.Addresses)) error {
	f := &follower{name: name, log: log, changed: changed}
	for ctx.Err() == nil {
		if err := f.follow(ctx); err != nil && ctx.Err() == nil {
			log.Warn("the addresses cannot be followed; trying again soon", "interface", f.now, "err", err)
			sleep(ctx, again)
		}
	}
	return nil
}

type follower struct {
	name    func() string
	log     *slog.Logger
	changed func(wifi.Addresses)

	now  string // the name, as it was when the addresses were last read
	told bool   // changed was called
	last wifi.Addresses
}

// errLost says that the socket could not hold all announcements. Until it is empty it takes no
// more, and does not say so again (net/netlink/af_netlink.c, NETLINK_S_CONGESTED), so that what
// comes while the old ones are read is lost, too. A new socket is empty.
var errLost = errors.New("announcements of rtnetlink were lost")

// follow subscribes, then reads: a change meanwhile is not missed. It returns nil when it has
// to begin anew at once.
func (f *follower) follow(ctx context.Context) error {
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{Groups: groups})
	if err != nil {
		return fmt.Errorf("subscribe to rtnetlink: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	defer conn.Close()
	for {
		f.now = f.name()
		state, index, err := read(f.now)
		if err != nil {
			return err
		}
		if !f.told || state != f.last {
			f.told, f.last = true, state
			f.changed(state)
		}
		err = f.await(conn, index)
		sleep(ctx, settle)
		switch {
		case errors.Is(err, errLost):
			return nil
		case err != nil:
			return err
		}
	}
}

// await returns after an announcement about the interface, or about any that makes another one
// the interface. What is read then is all that counts.
func (f *follower) await(conn *netlink.Conn, index uint32) error {
	for {
		messages, err := conn.Receive()
		switch {
		case errors.Is(err, unix.ENOBUFS):
			f.log.Debug("announcements of rtnetlink were lost; reading anew", "interface", f.now)
			return errLost
		case err != nil:
			return fmt.Errorf("receive from rtnetlink: %w", err)
		}
		for _, m := range messages {
			if concerns(m, f.now, index) || isLink(m) && f.name() != f.now {
				return nil
			}
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
