package central

import (
	"context"
	"fmt"
	"sync"

	"github.com/godbus/dbus/v5"
)

const (
	agentIface = "org.bluez.Agent1"
	agentPath  = dbus.ObjectPath("/org/wifiprovd/central/agent")
	maxPasskey = 999999
)

// agent answers BlueZ's questions while this package pairs (BlueZ
// doc/org.bluez.Agent.rst). It is not made the default agent, so it is asked
// only about pairings that its own connection began. It knows passkey entry
// only: a question it does not know, such as comparing numbers, is refused.
type agent struct {
	passkey func(ctx context.Context) (uint32, error)

	mu      sync.Mutex
	device  dbus.ObjectPath    // being paired with
	ctx     context.Context    // of that pairing
	cancel  context.CancelFunc // ends it
	asked   bool
	problem error // why no passkey was given
}

func newAgent(passkey func(ctx context.Context) (uint32, error)) *agent {
	if passkey == nil {
		passkey = func(context.Context) (uint32, error) {
			return 0, fmt.Errorf("the gateway wants a passkey and there is nobody to ask")
		}
	}
	return &agent{passkey: passkey}
}

func (a *agent) register(ctx context.Context, conn *dbus.Conn, capability string) error {
	methods := map[string]any{
		"Release":        func() *dbus.Error { return nil },
		"Cancel":         a.onCancel,
		"RequestPasskey": a.onRequestPasskey,
	}
	if err := conn.ExportMethodTable(methods, agentPath, agentIface); err != nil {
		return fmt.Errorf("export the agent: %w", err)
	}
	err := conn.Object(bluezName, "/org/bluez").CallWithContext(ctx, "org.bluez.AgentManager1.RegisterAgent", 0, agentPath, capability).Err
	if err != nil {
		return fmt.Errorf("register the agent: %w", fromBlueZ(err))
	}
	return nil
}

// begin says which device is being paired with; end ends that.
func (a *agent) begin(ctx context.Context, device dbus.ObjectPath) (end func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ctx, a.cancel = context.WithCancel(ctx)
	a.device, a.asked, a.problem = device, false, nil
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.cancel()
		a.device = ""
	}
}

// outcome says whether the passkey was asked for, and why none was given.
func (a *agent) outcome() (asked bool, problem error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked, a.problem
}

func (a *agent) onCancel() *dbus.Error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cancel != nil {
		a.cancel()
	}
	return nil
}

func (a *agent) onRequestPasskey(device dbus.ObjectPath) (uint32, *dbus.Error) {
	a.mu.Lock()
	if device != a.device {
		a.mu.Unlock()
		return 0, dbus.NewError(bluezErrors+"Rejected", []any{"not pairing with it"})
	}
	a.asked = true
	ctx := a.ctx
	a.mu.Unlock()

	passkey, err := a.passkey(ctx)
	if err == nil && passkey > maxPasskey {
		err = fmt.Errorf("a passkey has at most six digits")
	}
	if err != nil {
		if ctx.Err() == nil { // else the pairing ended while the passkey was waited for
			a.mu.Lock()
			a.problem = err
			a.mu.Unlock()
		}
		return 0, dbus.NewError(bluezErrors+"Rejected", []any{"no passkey"})
	}
	return passkey, nil
}
