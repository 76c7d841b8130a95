package protocomm

// ScanCommand is a request of the endpoint Scan. The answer's number is one more.
type ScanCommand uint64

// The requests there are.
const (
	ScanStart  ScanCommand = 0
	ScanStatus ScanCommand = 2
	ScanResult ScanCommand = 4
)

// ScanRequest is a message to the endpoint Scan. Start and Count are of ScanResult.
type ScanRequest struct {
	Command      ScanCommand
	Start, Count uint64
}

// ParseScan parses a request. How to scan is the gateway's to know.
func ParseScan(b []byte) (ScanRequest, error) {
	m, err := parse(b)
	if err != nil {
		return ScanRequest{}, err
	}
	r := ScanRequest{Command: ScanCommand(m.num(1))}
	if r.Command == ScanResult {
		body, err := m.sub(14)
		if err != nil {
			return ScanRequest{}, err
		}
		r.Start, r.Count = body.num(1), body.num(2)
	}
	return r, nil
}

// Encode returns r as it goes over the air.
func (r ScanRequest) Encode() []byte {
	b := builder{}.number(1, uint64(r.Command))
	var body builder
	switch r.Command {
	case ScanStart: // blocking, 120 ms a channel: what the apps send
		body = body.number(1, 1).number(4, 120)
	case ScanResult:
		body = body.number(1, r.Start).number(2, r.Count)
	}
	return b.sub(10+int(r.Command), body)
}

// Auth is how a network is protected.
type Auth uint64

// The kinds there are.
const (
	AuthOpen     Auth = 0
	AuthWPA      Auth = 2
	AuthWPA2     Auth = 3
	AuthWPA3     Auth = 6
	AuthWPA2WPA3 Auth = 7
)

// Network is one that was heard.
type Network struct {
	SSID []byte
	RSSI int // dBm
	Auth Auth
}

// EncodeScan returns the answer to a request that has no networks in it: total is how many the
// scan has found.
func EncodeScan(command ScanCommand, result Result, total int) []byte {
	b := builder{}.number(1, uint64(command)+1).number(2, uint64(result))
	var body builder
	if command == ScanStatus { // finished, always: clients do not ask again
		body = body.number(1, 1).number(2, uint64(total))
	}
	return b.sub(11+int(command), body)
}

// EncodeNetworks returns the answer to ScanResult with networks, as many as fit into limit bytes.
func EncodeNetworks(networks []Network, limit int) []byte {
	var body builder
	for _, n := range networks {
		entry := builder{}.raw(1, n.SSID).number(3, uint64(int64(n.RSSI))).number(5, uint64(n.Auth))
		longer := body.sub(1, entry)
		if len(longer)+6 > limit { // with what is around it
			break
		}
		body = longer
	}
	return builder{}.number(1, uint64(ScanResult)+1).sub(15, body)
}

// ParseScanTotal parses an answer to ScanStatus: how many networks there are, once it has finished.
func ParseScanTotal(b []byte) (total int, finished bool, err error) {
	m, err := parse(b)
	if err != nil || m.num(1) != uint64(ScanStatus)+1 || Result(m.num(2)) != Success {
		return 0, false, ErrMalformed
	}
	body, err := m.sub(13)
	return int(min(body.num(2), 1<<16)), body.num(1) != 0, err
}

// ParseNetworks parses an answer to ScanResult.
func ParseNetworks(b []byte) ([]Network, error) {
	m, err := parse(b)
	if err != nil || m.num(1) != uint64(ScanResult)+1 || Result(m.num(2)) != Success {
		return nil, ErrMalformed
	}
	body, err := m.sub(15)
	if err != nil {
		return nil, err
	}
	var networks []Network
	for _, f := range body {
		if f.tag != 1 || f.bytes == nil {
			continue
		}
		entry, err := parse(f.bytes)
		if err != nil {
			return nil, err
		}
		rssi := int(int32(entry.num(3)))
		networks = append(networks, Network{SSID: entry.raw(1), RSSI: rssi, Auth: Auth(entry.num(5))})
	}
	return networks, nil
}
