package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/wifiprovd/wifiprovd/internal/central"
)

// scan lists the gateways that are heard within the timeout.
func scan(ctx context.Context, j *job) error {
	c, err := j.central(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	j.screen.doing("looking for gateways")
	heard := map[string]central.Gateway{}
	err = c.Scan(ctx, func(g central.Gateway) bool {
		heard[g.Address] = g
		return true
	})
	j.screen.idle()
	switch {
	case err != nil:
		return err
	case len(heard) == 0:
		return errNoGateway
	}
	fmt.Fprint(j.stdout, j.table(heard))
	return nil
}

// watch shows the gateway's status and each change of it until it is
// interrupted.
func watch(ctx context.Context, j *job) error {
	return j.withGateway(ctx, func(ctx context.Context, _ *central.Central, s *central.Session, _ string) error {
		statuses, err := s.WatchStatus(ctx)
		if err != nil {
			return err
		}
		// BlueZ announces what was read like a notification: the present status comes first.
		if _, err := s.ReadStatus(ctx); err != nil {
			return err
		}
		for status := range statuses {
			j.screen.step("%s", status)
			if status == central.StatusFailed {
				j.screen.step("%v", &joinError{reason: reason(ctx, s)})
			}
		}
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil
		}
		return lostOr(ctx)
	})
}

// erase makes the gateway forget everything, and this machine its bond with the gateway.
func erase(ctx context.Context, j *job) error {
	return j.withGateway(ctx, func(ctx context.Context, c *central.Central, s *central.Session, address string) error {
		statuses, err := s.WatchStatus(ctx)
		if err != nil {
			return err
		}
		if err := s.WriteControl(ctx, central.ControlErase); err != nil {
			return err
		}
		j.screen.step("wrote ERASE")
		j.screen.doing("waiting for the gateway to erase")
		// A gateway that was IDLE already notifies nothing.
		if _, err := s.ReadStatus(ctx); err != nil {
			return err
		}
		for status := range statuses {
			if status == central.StatusIdle {
				j.screen.step("erased")
				return c.RemoveBond(ctx, address)
			}
		}
		return lostOr(ctx)
	})
}
