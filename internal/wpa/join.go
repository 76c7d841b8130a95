package wpa

import (
	"context"
	"errors"
	"fmt"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
	"github.com/wifiprovd/wifiprovd/internal/verdict"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// maxMeddling is how often one Join puts up with another program that removes its
// network or selects another one.
const maxMeddling = 3

// Join leaves whatever network the interface is on and joins another one. It neither
// keeps nor wipes the target, and takes its credentials to be valid.
//
// It returns the connection, or an error that is a *wifi.Error and says which of the
// failures it was. Whatever fails, nothing of it stays in wpa_supplicant. While
// wpa_supplicant or the radio are missing, Join waits for them. ctx must have a
// deadline; Join may take up to the time of one D-Bus call longer, to clean up.
//
// The Client's first Join takes over a connection to a proven target that stands
// already, made by an earlier run of the daemon.
func (c *Client) Join(ctx context.Context, target wifi.Target) (wifi.Link, error) {
	psk := &derived{cred: target.Credentials}
	defer psk.wipe()
	c.inbox.post(func(o *owner) { o.ahead.cut() })
	t, err := c.begin(ctx)
	if err != nil {
		return nil, c.failure(ctx, err, verdict.Verdict{})
	}
	defer c.give(t)
	first := !t.joined
	t.joined = true
	for meddling := 0; ; {
		dev, err := c.available(ctx)
		if err != nil {
			err = &wifi.Error{Failure: wifi.FailureHardware, Detail: c.view.Load().problem}
			return nil, c.failure(ctx, err, verdict.Verdict{})
		}
		j := newJoin(c, dev, t, target, psk)
		if t.link = j.keeper.adopt(ctx, first); t.link != nil {
			return t.link, nil
		}
		first = false
		psk.ahead() // while other programs are asked, and the radio scans
		t.link, err = j.run(ctx, target.Hint)
		if err == nil {
			return t.link, nil
		}
		j.keeper.failed(ctx)
		meddled := errors.Is(err, errRemoved) || errors.Is(err, errTaken)
		if meddled && meddling < maxMeddling && c.stays(ctx, dev) {
			meddling++
			c.cfg.Log.Warn(err.Error()+"; ours is added again", "event", "network-restored", "interface", c.view.Load().iface())
			continue
		}
		// If wpa_supplicant or the radio went away, wait and begin again. Its last
		// answer may have come before the news that it went.
		var known *wifi.Error
		if ctx.Err() != nil || c.view.Load().usable(dev) && (errors.As(err, &known) || msgbus.Unanswered(err) || c.stays(ctx, dev)) {
			return nil, c.failure(ctx, err, j.last)
		}
	}
}

func newJoin(c *Client, dev *device, t *turn, target wifi.Target, psk *derived) *join {
	j := &join{Client: c, dev: dev, turn: t, target: target, cred: target.Credentials, known: target.Hint.BSSID, sae: target.Hint.SAE, psk: psk,
		answers: map[string]verdict.Verdict{}}
	j.keeper = direct{j}
	if v := c.view.Load(); v.backend == NetworkManager {
		j.keeper = &managed{join: j, manager: v.manager}
	}
	return j
}

// Leave disconnects and removes every network from the interface; of NetworkManager's
// profiles, only ours. While wpa_supplicant is not there it returns at once, and the
// networks are removed when it is.
func (c *Client) Leave(ctx context.Context) error {
	c.inbox.post((*owner).endScans)
	t, err := c.begin(ctx)
	if err != nil {
		return fmt.Errorf("leave the network: %w", err)
	}
	defer c.give(t)
	dev, err := await(ctx, c, func(o *owner) (*device, bool) {
		o.sweep = o.station == nil || o.manager.handsOff(o.cfg)
		if o.sweep || o.manager.managed {
			return nil, true
		}
		return o.station.dev, true
	})
	t.kept = 0
	if m := c.view.Load().manager; err == nil && m != nil {
		err = m.Clear(ctx)
	}
	if err == nil && dev != nil {
		_, err = dev.call(ctx, "RemoveAllNetworks", nil)
	}
	if err != nil && (dev == nil || !c.isGone(dev)) {
		return fmt.Errorf("leave the network: %w", msgbus.Plain(err))
	}
	return nil
}

// leaveAlone says what to do about another program that meddles with a back-end.
func (b Backend) leaveAlone(iface string) string {
	if b == NetworkManager {
		return "it must leave NetworkManager's profile wifiprovd alone; journalctl -u NetworkManager says what it did"
	}
	return iface + " must be left to wifiprovd"
}

// begin waits for the turn, and ends the watch over the connection that stands.
func (c *Client) begin(ctx context.Context) (*turn, error) {
	c.inbox.post((*owner).unlink)
	t, err := c.take(ctx)
	if err != nil {
		return nil, err
	}
	c.inbox.post((*owner).unlink) // what a Join before this one has made meanwhile
	t.link = nil
	return t, nil
}

// available waits until networks can be joined. It costs no turn of the owner when they
// can.
func (c *Client) available(ctx context.Context) (*device, error) {
	if v := c.view.Load(); v.problem == "" {
		return v.dev, nil
	}
	return await(ctx, c, func(*owner) (*device, bool) {
		v := c.view.Load()
		return v.dev, v.problem == ""
	})
}

// stays reports whether dev can be used, and still can a moment later: wpa_supplicant
// removes all networks before it ends.
func (c *Client) stays(ctx context.Context, dev *device) bool {
	ctx, cancel := context.WithTimeout(ctx, c.times.busyRadio)
	defer cancel()
	return awaitUntil(ctx, c, func(*owner) bool { return !c.view.Load().usable(dev) }) != nil
}

// failure makes err a *wifi.Error. last is what the last try ended with.
func (c *Client) failure(ctx context.Context, err error, last verdict.Verdict) error {
	var known *wifi.Error
	problem := c.view.Load().problem
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return &wifi.Error{Failure: wifi.FailureInternal, Detail: "the attempt was called off", Err: ctx.Err()}
	case errors.As(err, &known):
		return err
	case problem != "":
		return &wifi.Error{Failure: wifi.FailureHardware, Detail: problem, Err: msgbus.Plain(err)}
	case ctx.Err() != nil && last.Failure != wifi.FailureNone:
		return &wifi.Error{Failure: last.Failure, Detail: last.Detail}
	case ctx.Err() != nil:
		return &wifi.Error{Failure: wifi.FailureTimedOut, Detail: "the time was up before the access point was tried", Err: ctx.Err()}
	case msgbus.Unanswered(err):
		c.Check()
		return &wifi.Error{Failure: wifi.FailureHardware, Detail: silent, Err: err}
	case errors.Is(err, errRemoved), errors.Is(err, errTaken):
		return &wifi.Error{Failure: wifi.FailureInternal,
			Detail: err.Error() + ", again and again; " + c.view.Load().backend.leaveAlone(c.view.Load().iface()), Err: err}
	}
	return &wifi.Error{Failure: wifi.FailureInternal, Detail: fmt.Sprintf("%s did not do as it was asked", c.view.Load().backend), Err: msgbus.Plain(err)}
}
