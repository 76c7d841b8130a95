package espressif

import (
	"encoding/hex"
	"strings"
	"sync"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/profile"
	"github.com/wifiprovd/wifiprovd/internal/protocomm"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// attempt is what a session's latest Apply has come to.
type attempt struct {
	state  state
	reason wifi.Failure // why it has failed
}

type state uint8

const (
	none    state = iota
	running       // also one that the gateway is about to be asked for
	joined
	failed
)

// attempts has the gateway join what phones ask for, and tells them how that goes.
type attempts struct {
	control  gateway.Control
	sessions *sessions

	mu     sync.Mutex
	now    *gateway.Snapshot
	trying trying
}

// present reports whether a person is at the gateway, or root: a window is open.
func (a *attempts) present() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.now.Window.IsZero()
}

// trying is the one attempt of this protocol that the gateway may be carrying out.
type trying struct {
	central gatt.Central // whose it is; empty: there is none
	begun   bool         // a Snapshot has shown it
}

// changed takes in the next Snapshot, which may tell how the attempt has ended.
func (a *attempts) changed(before, now *gateway.Snapshot) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if before == nil {
		before = &gateway.Snapshot{}
	}
	a.now = now
	switch {
	case a.trying.central == "":
	case now.Owner == gateway.Phone(a.trying.central):
		a.trying.begun = true
	case a.trying.begun && before.Owner.Known() && !now.Owner.Known():
		ended := attempt{state: failed, reason: now.Reason}
		if now.Status == gateway.Connected {
			ended = attempt{state: joined}
		}
		a.conclude(ended)
	}
}

// conclude notes how the attempt has ended. The lock must be held.
func (a *attempts) conclude(ended attempt) {
	if ended.state == failed && ended.reason == wifi.FailureNone {
		ended.reason = wifi.FailureInternal
	}
	a.sessions.Look(a.trying.central, func(s *session) { s.attempt = ended })
	a.trying = trying{}
}

// request carries out a request of prov-config.
func (a *attempts) request(plain []byte, to reply) error {
	r, err := protocomm.ParseConfig(plain)
	switch {
	case err != nil:
		return err
	case r.Command == protocomm.GetStatus:
		a.sessions.answer(to, a.status(to.central).Encode())
		return nil
	case r.Command%2 != 0 || r.Command > maxCommand || !a.sessions.proved(to.central):
		return protocomm.ErrMalformed
	}
	result := protocomm.InvalidArgument // Thread
	switch r.Command {
	case protocomm.SetConfig:
		result = a.set(to.central, r)
	case protocomm.ApplyConfig:
		result = a.apply(to.central)
	}
	a.sessions.answer(to, protocomm.EncodeConfigResult(r.Command, result))
	return nil
}

const maxCommand = 10 // the last of Thread's

// set stages what a central wants to be joined. One client does not look at the result of this:
// what is wrong is kept for its Apply and its status.
func (a *attempts) set(c gatt.Central, r protocomm.ConfigRequest) protocomm.Result {
	if len(r.SSID) == 0 || len(r.SSID) > wifi.MaxSSIDLen || len(r.Passphrase) > wifi.RawPSKLen {
		a.sessions.Look(c, (*session).unstage)
		return protocomm.InvalidArgument
	}
	ssid := wifi.SSID(r.SSID)
	a.sessions.Look(c, func(s *session) {
		s.unstage()
		s.staged = wifi.Credentials{
			SSID: ssid, Passphrase: wifi.NewPassphrase(r.Passphrase), Security: wifi.AutoDetect,
		}
	})
	a.control.Prepare(ssid)
	return protocomm.Success
}

// apply has the gateway join what c has staged. From now on c's status is that of this attempt,
// whatever the one before it came to.
func (a *attempts) apply(c gatt.Central) protocomm.Result {
	var staged wifi.Credentials
	again := false
	a.sessions.Look(c, func(s *session) {
		staged, s.staged = s.staged, wifi.Credentials{}
		again = staged.SSID == "" && s.attempt.state == running
		s.attempt = attempt{state: running}
	})
	if again { // it has the attempt that it asks for
		return protocomm.InternalError
	}
	r := gateway.Phone(c)
	reason := wifi.FailureInvalidCredentials
	err := error(gateway.ErrNobody)
	if staged.SSID != "" {
		if err = profile.MayAsk(a.control, r); err == nil {
			a.begin(c)
			err = a.control.Connect(r, staged)
		}
		reason = wifi.FailureInternal
	}
	if err != nil {
		staged.Wipe()
		a.refused(c, reason)
		return protocomm.InternalError
	}
	a.accepted(c)
	return protocomm.Success
}

// begin notes that c is about to ask for an attempt, so that none of its Snapshots is missed.
func (a *attempts) begin(c gatt.Central) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.trying = trying{central: c, begun: a.now.Owner == gateway.Phone(c)}
}

// refused: there is no attempt. Another one of c's, if it runs, is no longer c's latest.
func (a *attempts) refused(c gatt.Central, reason wifi.Failure) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.trying.central == c {
		a.trying = trying{}
	}
	a.sessions.Look(c, func(s *session) { s.attempt = attempt{state: failed, reason: reason} })
}

// accepted: the Snapshot of c's attempt has come by now; if none has shown it, the credentials
// were such as no network can have.
func (a *attempts) accepted(c gatt.Central) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.trying.central == c && !a.trying.begun {
		a.conclude(attempt{state: failed, reason: wifi.FailureInvalidCredentials})
	}
}

// status returns what c is told: how its own attempt goes, or else what network there is.
func (a *attempts) status(c gatt.Central) protocomm.Status {
	var mine attempt
	a.sessions.Look(c, func(s *session) { mine = s.attempt })
	a.mu.Lock()
	now := a.now
	a.mu.Unlock()
	network := describe(now)
	switch connected := now.Status == gateway.Connected; {
	case mine.state == running:
		return protocomm.Status{Station: protocomm.Joining}
	case mine.state == failed:
		return failure(mine.reason)
	case mine.state == joined && connected && network.IPv4 == "":
		if now.Reason == wifi.FailureNoAddress {
			return failure(now.Reason)
		}
		return protocomm.Status{Station: protocomm.Joining}
	case connected:
		return network
	}
	return protocomm.Status{Station: protocomm.Disconnected}
}

// failure returns the status of an attempt that has failed. Reasons that the protocol does not
// know have numbers of their own: without one, clients take it for a wrong password.
func failure(reason wifi.Failure) protocomm.Status {
	s := protocomm.Status{Station: protocomm.JoinFailed}
	switch reason {
	case wifi.FailureWrongPassword:
		s.Reason = protocomm.AuthError
	case wifi.FailureNotFound:
		s.Reason = protocomm.NetworkNotFound
	default:
		s.Reason = protocomm.OwnReason + uint64(reason)
	}
	return s
}

// describe returns the status of the network that is joined.
func describe(now *gateway.Snapshot) protocomm.Status {
	s := protocomm.Status{Station: protocomm.Joined}
	switch a := now.Addresses; {
	case a.IPv4.IsValid():
		s.IPv4 = a.IPv4.String()
	case a.IPv6.IsValid(): // better than none: clients show it
		s.IPv4 = a.IPv6.WithZone("").String()
	}
	if n := now.Network; n != nil {
		s.SSID, s.Auth, s.Channel = []byte(n.SSID), authOf(n.AKM), channel(n.FrequencyMHz)
		s.BSSID, _ = hex.DecodeString(strings.ReplaceAll(n.BSSID, ":", ""))
	}
	return s
}

func authOf(akm wifi.AKM) protocomm.Auth {
	switch {
	case akm == wifi.AKMNone:
		return protocomm.AuthOpen
	case akm == wifi.AKMWPAPSK:
		return protocomm.AuthWPA
	case akm.SAE():
		return protocomm.AuthWPA3
	}
	return protocomm.AuthWPA2
}

// channel returns the number of the channel at a frequency (IEEE 802.11-2020, 19.3.15 and
// 21.3.14; of 6 GHz 27.3.23.2).
func channel(mhz int) uint64 {
	switch {
	case mhz == 2484:
		return 14
	case 2412 <= mhz && mhz <= 2472:
		return uint64(mhz-2407) / 5
	case 5955 <= mhz && mhz <= 7115:
		return uint64(mhz-5950) / 5
	case 5000 < mhz && mhz < 5955:
		return uint64(mhz-5000) / 5
	}
	return 0
}
