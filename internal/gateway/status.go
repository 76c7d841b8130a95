package gateway

import "fmt"

// Status is what a phone reads. The values are those of the GATT contract
// (docs/protocol.md).
type Status uint8

// The statuses of the contract.
const (
	Idle        Status = 0 // no stored credentials
	Provisioned Status = 1 // credentials are stored, the link is down, a retry is scheduled
	Connecting  Status = 2 // an attempt is running
	Connected   Status = 3 // associated and authenticated
	Failed      Status = 4 // the last attempt failed
)

var statusNames = [...]string{"IDLE", "PROVISIONED", "CONNECTING", "CONNECTED", "FAILED"}

func (s Status) String() string { return name(statusNames[:], int(s)) }

// Phase is what the gateway is doing; several phases can show the same Status.
type Phase uint8

// The phases. Each one waits for exactly one thing.
const (
	Starting  Phase = iota // the store to be read
	Resting                // a phone: nothing is stored
	Saving                 // the store to hold the candidate
	Joining                // the Wi-Fi back-end
	Promoting              // the store to note that the candidate is proven
	Online                 // nothing: the network is joined
	Holding                // the hold timer: FAILED is shown long enough to be read
	Waiting                // the retry timer, or the radio's return
	Erasing                // the store to be empty
)

var phaseNames = [...]string{"starting", "resting", "saving", "joining", "promoting", "online", "holding", "waiting", "erasing"}

func (p Phase) String() string { return name(phaseNames[:], int(p)) }

func name(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("unknown (%d)", i)
}
