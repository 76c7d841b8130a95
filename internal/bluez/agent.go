package bluez

import (
	"fmt"
	"strings"

	"github.com/godbus/dbus/v5"
)

// rejected is the answer to whatever the security level does not allow.
var rejected = dbus.NewError(bluezError+"Rejected", []any{"not allowed by the security mode"})

// pairingAgent answers BlueZ during a pairing. With Authenticated it shows the
// passkey; pairing without one is refused. Otherwise it has neither input nor
// output, and the kernel asks nothing (net/bluetooth/smp.c, get_auth_method);
// what BlueZ asks nevertheless is allowed only with Encrypt, only to a central of
// ours, and never vouches for a number that nobody has compared. With None the
// agent is there for phones that pair although they need not: without it the
// capability would be that of some other program's agent.
type pairingAgent struct{ p *Peripheral }

var _ agentClient = pairingAgent{}

func (a pairingAgent) Path() dbus.ObjectPath { return agentPath }
func (a pairingAgent) Interface() string     { return agentInterface }

// Release: BlueZ has dropped the agent.
func (a pairingAgent) Release() *dbus.Error {
	a.p.registration.agent = false
	a.p.advance()
	return nil
}

// Cancel: the pairing has ended before the passkey was typed.
func (a pairingAgent) Cancel() *dbus.Error {
	for _, c := range a.p.centrals {
		c.passkey = ""
	}
	return nil
}

// DisplayPasskey is called once more with each digit that is typed on phones
// that tell (BlueZ doc/org.bluez.Agent.rst).
func (a pairingAgent) DisplayPasskey(device dbus.ObjectPath, passkey uint32, entered uint16) *dbus.Error {
	if a.p.cfg.Security != Authenticated || !strings.HasPrefix(string(device), string(a.p.adapter)+"/") {
		return rejected
	}
	digits := fmt.Sprintf("%06d", passkey)
	if c := a.p.centrals[device]; entered > 0 || c != nil && c.passkey == digits {
		return nil
	}
	if a.p.lockout.timer != nil {
		a.p.refusePairing(device)
		return rejected
	}
	a.p.guessed()
	c := a.p.used(device)
	c.passkey = digits
	if a.p.cfg.Passkey != nil {
		a.p.cfg.Passkey(c.address, digits)
	}
	return nil
}

// RequestAuthorization asks whether a device may pair without a passkey.
func (a pairingAgent) RequestAuthorization(device dbus.ObjectPath) *dbus.Error {
	if a.p.cfg.Security != Encrypt || a.p.centrals[device] == nil {
		a.p.log.Warn("a pairing without a passkey was refused", "central", a.p.world.address(device))
		return rejected
	}
	a.p.used(device)
	return nil
}

// AuthorizeService asks whether a device that is not trusted may use a service.
func (a pairingAgent) AuthorizeService(device dbus.ObjectPath, uuid string) *dbus.Error {
	for _, service := range a.p.cfg.Services {
		if strings.EqualFold(service.UUID, uuid) {
			return nil
		}
	}
	return rejected
}

// RequestConfirmation asks whether two displays show the same number.
func (a pairingAgent) RequestConfirmation(dbus.ObjectPath, uint32) *dbus.Error { return rejected }

// RequestPasskey and the PIN code methods need a keyboard, or BR/EDR.
func (a pairingAgent) RequestPasskey(dbus.ObjectPath) (uint32, *dbus.Error) { return 0, rejected }
func (a pairingAgent) RequestPinCode(dbus.ObjectPath) (string, *dbus.Error) { return "", rejected }
func (a pairingAgent) DisplayPinCode(dbus.ObjectPath, string) *dbus.Error   { return rejected }

// serveAgent answers a call of BlueZ to the agent.
func (p *Peripheral) serveAgent(call *dbus.Message) {
	var (
		agent   agentClient = pairingAgent{p}
		device  dbus.ObjectPath
		passkey uint32
		entered uint16
		text    string
		failure *dbus.Error
	)
	arguments := func(to ...any) bool { return dbus.Store(call.Body, to...) == nil }
	failure = rejected // RequestPasskey, RequestPinCode, DisplayPinCode and what else there may be
	switch header(call, dbus.FieldMember) {
	case "Release":
		failure = agent.Release()
	case "Cancel":
		failure = agent.Cancel()
	case "DisplayPasskey":
		if arguments(&device, &passkey, &entered) {
			failure = agent.DisplayPasskey(device, passkey, entered)
		}
	case "RequestAuthorization":
		if arguments(&device) {
			failure = agent.RequestAuthorization(device)
		}
	case "AuthorizeService":
		if arguments(&device, &text) {
			failure = agent.AuthorizeService(device, text)
		}
	case "RequestConfirmation":
		if arguments(&device, &passkey) {
			failure = agent.RequestConfirmation(device, passkey)
		}
	}
	if failure != nil {
		p.bus.replyError(call, failure)
		return
	}
	p.bus.reply(call, "")
}
