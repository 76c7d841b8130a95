package fsm

import "fmt"

// The events and actions that carry credentials print without them.

func (e ConnectRequested) String() string {
	return fmt.Sprintf("{%s %s %s}", e.Central, e.Credentials.SSID, e.Credentials.Security)
}

func (a SaveCandidate) String() string {
	return fmt.Sprintf("{%d %s %s}", a.Attempt, a.Credentials.SSID, a.Credentials.Security)
}
