package central

import (
	"context"
	"fmt"
	"sync"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

const (
	agentIface = "org.bluez.Agent1"
	agentPath  = dbus.ObjectPath("/org/wifiprovd/central/agent")
	maxPasskey = 999999
)

// agent answers BlueZ's questions while this package pairs (BlueZ doc/org.bluez.Agent.rst). It
// is not the default agent, so BlueZ asks it only about pairings that its own connection began.
// It answers passkey entry and nothing else: there is no method for numeric comparison, so BlueZ
// takes that for refused.
type agent struct {
	passkey func(ctx context.Context) (uint32, error)

	mu      sync.Mutex
	device  dbus.ObjectPath    // being paired with; empty: none
	ctx     context.Context    // of that pairing
	cancel  context.CancelFunc // ends ctx
	asked   bool               // for the passkey
	problem error              // why it gave no passkey
}

func newAgent(passkey func(ctx context.Context) (uint32, error)) *agent {
	if passkey == nil {
		passkey = func(context.Context) (uint32, error) {
			return 0, fmt.Errorf("the gateway wants a passkey and there is nobody to ask")
		}
	}
	return &agent{passkey: passkey}
}

func (a *agent) register(ctx context.Context, bluez msgbus.Program, capability string) error {
	methods := map[string]any{
		"Release":        func() *dbus.Error { return nil },
		"Cancel":         a.onCancel,
		"RequestPasskey": a.onRequestPasskey,
	}
	if err := bluez.Conn.ExportMethodTable(methods, agentPath, agentIface); err != nil {
		return fmt.Errorf("export the agent: %w", err)
	}
	err := bluez.Call(ctx, "/org/bluez", "org.bluez.AgentManager1.RegisterAgent",
		[]any{agentPath, capability})
	if err != nil {
		return fmt.Errorf("register the agent: %w", fromBlueZ(err))
	}
	return nil
}

// begin makes the agent answer for a pairing with device until end or until ctx ends.
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

// outcome reports whether BlueZ asked for the passkey, and why the agent gave none.
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
		if ctx.Err() == nil { // else the pairing ended before anybody had typed it
			a.mu.Lock()
			a.problem = err
			a.mu.Unlock()
		}
		return 0, dbus.NewError(bluezErrors+"Rejected", []any{"no passkey"})
	}
	return passkey, nil
}
