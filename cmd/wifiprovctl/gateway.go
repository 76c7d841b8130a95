package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/central"
)

const (
	findTimeout = 20 * time.Second // for the first gateway
	othersAfter = 2 * time.Second  // for others, after the first one
	byeTimeout  = 5 * time.Second  // to disconnect
)

var (
	errNoGateway = errors.New("no gateway was heard")
	errBond      = errors.New("the gateway does not accept this machine's bond with it")
)

// central returns this machine's adapter in the role of a phone.
func (j *job) central(ctx context.Context) (*central.Central, error) {
	return central.Open(ctx, central.Options{
		Adapter: j.adapter,
		Passkey: j.passkey,
		Bus:     j.bus,
	})
}

// withGateway finds the gateway, pairs, connects, calls use and disconnects.
func (j *job) withGateway(ctx context.Context, use func(context.Context, *central.Central, *central.Session, string) error) error {
	c, err := j.central(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if j.forget {
		if err := c.RemoveBond(ctx, j.address); err != nil {
			return err
		}
	}
	gateway, err := j.find(ctx, c)
	if err != nil {
		return err
	}
	j.screen.step("found %s at %s, %s", j.screen.quote(gateway.Name), gateway.Address, dBm(gateway.RSSI))
	bonded := c.Paired(gateway.Address)
	if !j.byCode() { // the code is the lock then
		if err := j.pair(ctx, c, gateway.Address); err != nil {
			return err
		}
	}
	j.screen.doing("connecting")
	s, err := c.Connect(ctx, gateway.Address)
	if err != nil {
		return bondTrouble(bonded, err)
	}
	j.screen.step("connected to the gateway")
	defer func() {
		j.screen.idle()
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), byeTimeout)
		defer cancel()
		_ = s.Disconnect(bye)
	}()
	return bondTrouble(bonded, use(ctx, c, s, gateway.Address))
}

// find returns the gateway to use: the one at --address, or the only one.
func (j *job) find(ctx context.Context, c *central.Central) (central.Gateway, error) {
	j.screen.doing("looking for gateways")
	listen, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	heard := map[string]central.Gateway{}
	err := c.Scan(listen, func(g central.Gateway) bool {
		if j.address != "" && g.Address != j.address {
			return true
		}
		if len(heard) == 0 && j.address == "" {
			time.AfterFunc(othersAfter, cancel)
		}
		heard[g.Address] = g
		return j.address == ""
	})
	switch {
	case err != nil:
		return central.Gateway{}, err
	case ctx.Err() != nil:
		return central.Gateway{}, fmt.Errorf("look for the gateway: %w", ctx.Err())
	case len(heard) == 0:
		return central.Gateway{}, &hint{errNoGateway, "Is it near, is wifiprovd running on it, and is another phone connected to it?"}
	case len(heard) > 1:
		return central.Gateway{}, usagef("there are %d gateways nearby; choose one with --address:\n%s", len(heard), j.table(heard))
	}
	for _, g := range heard {
		return g, nil
	}
	panic("internal error: one gateway is none")
}

// table lists gateways, strongest first.
func (j *job) table(heard map[string]central.Gateway) string {
	var gateways []central.Gateway
	for _, g := range heard {
		gateways = append(gateways, g)
	}
	slices.SortFunc(gateways, func(a, b central.Gateway) int {
		if a.RSSI != b.RSSI {
			return b.RSSI - a.RSSI
		}
		return strings.Compare(a.Address, b.Address)
	})
	var b strings.Builder
	for _, g := range gateways {
		fmt.Fprintf(&b, "%s  %9s  %s\n", g.Address, dBm(g.RSSI), j.screen.quote(g.Name))
	}
	return b.String()
}

func dBm(rssi int) string {
	if rssi == central.RSSIUnknown {
		return "? dBm"
	}
	return fmt.Sprintf("%d dBm", rssi)
}

// pair bonds with the gateway unless there is a bond, or none is wanted.
func (j *job) pair(ctx context.Context, c *central.Central, address string) error {
	switch {
	case j.noPairing:
		j.screen.step("not pairing: anyone nearby can read what is sent")
		return nil
	case c.Paired(address):
		j.screen.step("paired before")
		return nil
	}
	j.screen.doing("pairing")
	err := c.Pair(ctx, address)
	var refused *central.PairingError
	switch {
	case errors.As(err, &refused) && refused.Asked:
		return &hint{err, "Try again with the passkey that the gateway shows then."}
	case errors.As(err, &refused):
		return &hint{err, "If the gateway runs with security mode none, use --no-pairing."}
	case err != nil:
		return err
	}
	j.screen.step("paired")
	return nil
}

// bondTrouble adds to err what to do about a bond that only this machine still has.
func bondTrouble(bonded bool, err error) error {
	if bonded && (errors.Is(err, central.ErrNotConnected) || errors.Is(err, central.ATTNotPaired)) {
		return &hint{fmt.Errorf("%w: %w", errBond, err), "If the gateway was erased or set up anew, use --forget."}
	}
	return err
}
