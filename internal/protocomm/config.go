package protocomm

// ConfigCommand is a request of the endpoint Config. The answer's number is one more.
type ConfigCommand uint64

// The requests there are. Those with higher numbers are Thread's.
const (
	GetStatus   ConfigCommand = 0
	SetConfig   ConfigCommand = 2
	ApplyConfig ConfigCommand = 4
)

// ConfigRequest is a message to the endpoint Config. SSID and Passphrase are of SetConfig, and
// parts of what was parsed.
type ConfigRequest struct {
	Command          ConfigCommand
	SSID, Passphrase []byte
}

// ParseConfig parses a request. Which one it is goes by its number: the message of its own may be
// missing.
func ParseConfig(b []byte) (ConfigRequest, error) {
	m, err := parse(b)
	if err != nil {
		return ConfigRequest{}, err
	}
	r := ConfigRequest{Command: ConfigCommand(m.num(1))}
	if r.Command == SetConfig {
		body, err := m.sub(12)
		if err != nil {
			return ConfigRequest{}, err
		}
		r.SSID, r.Passphrase = body.raw(1), body.raw(2)
	}
	return r, nil
}

// Encode returns r as it goes over the air.
func (r ConfigRequest) Encode() []byte {
	b := builder{}.number(1, uint64(r.Command))
	var body builder
	if r.Command == SetConfig {
		body = body.raw(1, r.SSID).raw(2, r.Passphrase)
	}
	return b.sub(10+int(r.Command), body)
}

// EncodeConfigResult returns the answer to command, which is not GetStatus.
func EncodeConfigResult(command ConfigCommand, result Result) []byte {
	body := builder{}.number(1, uint64(result))
	return builder{}.number(1, uint64(command)+1).sub(11+int(command), body)
}

// ParseConfigResult parses an answer to command, which is not GetStatus.
func ParseConfigResult(command ConfigCommand, b []byte) (Result, error) {
	m, err := parse(b)
	if err != nil || m.num(1) != uint64(command)+1 {
		return 0, ErrMalformed
	}
	body, err := m.sub(11 + int(command))
	return Result(body.num(1)), err
}

// Station is how the gateway's Wi-Fi is.
type Station uint64

// The states. A client takes a status without one for Joined.
const (
	Joined       Station = 0
	Joining      Station = 1
	Disconnected Station = 2
	JoinFailed   Station = 3
)

// The reasons of JoinFailed. Others are our own: the number of the native protocol's reason and
// OwnReason. Clients call them unknown; one that is missing they would take for AuthError.
const (
	AuthError       = 0
	NetworkNotFound = 1
	OwnReason       = 100
)

// Status is the answer to GetStatus.
type Status struct {
	Result  Result
	Station Station
	Reason  uint64 // of JoinFailed

	// Of Joined.
	IPv4    string
	Auth    Auth
	SSID    []byte
	BSSID   []byte // 6 bytes
	Channel uint64
}

// Encode returns s as it goes over the air.
func (s Status) Encode() []byte {
	body := builder{}.number(1, uint64(s.Result)).number(2, uint64(s.Station))
	switch s.Station {
	case JoinFailed:
		body = body.always(10, s.Reason)
	case Joined:
		body = body.sub(11, builder{}.raw(1, []byte(s.IPv4)).number(2, uint64(s.Auth)).
			raw(3, s.SSID).raw(4, s.BSSID).number(5, s.Channel))
	}
	return builder{}.always(1, uint64(GetStatus)+1).sub(11, body)
}

// ParseStatus parses an answer to GetStatus.
func ParseStatus(b []byte) (Status, error) {
	m, err := parse(b)
	if err != nil || m.num(1) != uint64(GetStatus)+1 {
		return Status{}, ErrMalformed
	}
	body, err := m.sub(11)
	if err != nil {
		return Status{}, err
	}
	joined, err := body.sub(11)
	return Status{
		Result: Result(body.num(1)), Station: Station(body.num(2)), Reason: body.num(10),
		IPv4: string(joined.raw(1)), Auth: Auth(joined.num(2)), SSID: joined.raw(3),
		BSSID: joined.raw(4), Channel: joined.num(5),
	}, err
}

// ControlCommand is a request of the endpoint Control. The answer's number is one more.
type ControlCommand uint64

// The requests there are.
const (
	Reset       ControlCommand = 1
	Reprovision ControlCommand = 3
)

// ParseControl parses a request.
func ParseControl(b []byte) (ControlCommand, error) {
	m, err := parse(b)
	return ControlCommand(m.num(1)), err
}

// EncodeControlResult returns the answer to command.
func EncodeControlResult(command ControlCommand, result Result) []byte {
	b := builder{}.number(1, uint64(command)+1).number(2, uint64(result))
	return b.sub(11+int(command), nil)
}
