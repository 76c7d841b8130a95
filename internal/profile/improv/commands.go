package improv

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/profile"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// What is kept for each central is bounded: in number, in time since its last write, and in
// the time that the pieces of one command may be apart.
const (
	maxCentrals  = 8
	callTimeout  = 5 * time.Minute
	pieceTimeout = 10 * time.Second
)

// identifyPause is how long a phone that asks again is heard, but changes nothing: others must
// not fill the journal.
const identifyPause = time.Second

// call is what one central has written of a command, and what its latest one has led to.
type call struct {
	packet [maxPacket]byte // an array: growing would leave copies of a password behind
	length int
	last   time.Time // when a piece came
	result []byte
}

func newCall() call { return call{} }

// wipe forgets what was written.
func (c *call) wipe() {
	clear(c.packet[:])
	c.length = 0
}

// collect takes a piece of a command. It returns the whole once there is one, and false if the
// pieces are none; then it begins anew.
func (c *call) collect(piece []byte) (whole []byte, ok bool) {
	if time.Since(c.last) > pieceTimeout {
		c.wipe()
	}
	c.last = time.Now()
	if c.length+len(piece) > maxPacket {
		c.wipe()
		return nil, false
	}
	c.length += copy(c.packet[c.length:], piece)
	switch n := packetLen(c.packet[:c.length]); {
	case n == 0, c.length < n:
		return nil, true
	case c.length > n:
		c.wipe()
		return nil, false
	}
	whole = append([]byte(nil), c.packet[:c.length]...)
	c.wipe()
	return whole, true
}

// write takes a piece of a command, or a whole one. What a command leads to is told by State,
// Error and Result; a write is refused only as those of every protocol are.
func (p *Profile) write(r gatt.Request, piece []byte) error {
	defer clear(piece)
	if err := profile.MayAsk(p.cfg.Control, gateway.Phone(r.Central)); err != nil {
		return err
	}
	var packet []byte
	var ok bool
	p.calls.Update(r.Central, func(c *call) { packet, ok = c.collect(piece) })
	if ok && packet == nil {
		return nil // there is more to come
	}
	defer clear(packet)
	command, data, whole := decode(packet)
	if !ok || !whole {
		p.progress.fail(r.Central, ErrorInvalidPacket)
		return nil
	}
	p.progress.fail(r.Central, ErrorNone)
	return p.carryOut(r, command, data)
}

func (p *Profile) carryOut(r gatt.Request, command Command, data []byte) error {
	bare := len(data) == 0
	switch {
	case command == CommandWifi:
		return p.connect(r.Central, data)
	case command == CommandHostname && p.cfg.Hosts != nil:
		p.hostname(r.Central, decodeName(data))
	case command == CommandIdentify && p.cfg.Identify != nil && bare:
		p.identify(r.Central)
	case command == CommandDevice && bare:
		p.progress.answer(r.Central, p.cfg.Device.encode())
	case command == CommandScan && bare:
		p.startScan(r)
	case command == CommandDeviceName && bare: // a name to set is refused: it is the configuration's
		name := profile.Printable(p.cfg.Device.Name, maxText)
		p.progress.answer(r.Central, encode(CommandDeviceName, name))
	case !bare && (command == CommandIdentify || command == CommandDevice || command == CommandScan):
		p.progress.fail(r.Central, ErrorInvalidPacket)
	default:
		p.progress.fail(r.Central, ErrorUnknownCommand)
	}
	return nil
}

// connect has the gateway join a network. How that ends comes with a Snapshot.
func (p *Profile) connect(c gatt.Central, data []byte) error {
	ssid, password, ok := decodeWifi(data)
	if !ok {
		p.progress.fail(c, ErrorInvalidPacket)
		return nil
	}
	if !p.progress.begin(c) {
		p.progress.fail(c, ErrorNotAuthorized)
		return nil
	}
	credentials := wifi.Credentials{
		SSID: ssid, Passphrase: wifi.NewPassphrase(password), Security: wifi.AutoDetect,
	}
	err := p.cfg.Control.Connect(gateway.Phone(c), credentials)
	if err != nil {
		credentials.Wipe()
	}
	p.progress.asked(c, err)
	return profile.Answer(err)
}

// identify has the gateway show itself.
func (p *Profile) identify(c gatt.Central) {
	p.mu.Lock()
	again := time.Since(p.identified) < identifyPause
	if !again {
		p.identified = time.Now()
	}
	p.mu.Unlock()
	if again {
		return
	}
	p.cfg.Log.Info(fmt.Sprintf("a phone asks which gateway this is: %s", c),
		"event", "identify", "central", c)
	if err := p.cfg.Identify(gateway.Phone(c)); err != nil {
		p.cfg.Log.Warn("the gateway cannot show which one it is", "err", err)
	}
}

// startScan has the result sent to r when the scan ends, whoever started it.
func (p *Profile) startScan(r gatt.Request) {
	limit := maxPacket
	if r.MTU > smallestMTU {
		limit = min(limit, int(r.MTU)-notifyHeader)
	}
	p.mu.Lock()
	p.scanning[r.Central] = limit
	p.mu.Unlock()
	_ = p.cfg.Scans.Start(r.Central) // one that runs already will do
}

// A notification holds the MTU less its header (Bluetooth Core 5.4, Vol 3, Part F, 3.4.7.1).
// With the smallest MTU hardly a network fits: such a phone reads the result.
const (
	smallestMTU  = 23
	notifyHeader = 3
)

// scanned answers those who wait for a scan, all with one result that each of them can be
// notified of.
func (p *Profile) scanned(s profile.Scan) {
	if s.Running {
		return
	}
	p.mu.Lock()
	waiting, limit := slices.Sorted(maps.Keys(p.scanning)), maxPacket
	for _, l := range p.scanning {
		limit = min(limit, l)
	}
	clear(p.scanning)
	p.mu.Unlock()
	packet := encodeScan(s.Found, limit)
	for _, c := range waiting {
		if s.Failed {
			p.progress.fail(c, ErrorUnknown)
		} else {
			p.progress.answer(c, packet)
		}
	}
}
